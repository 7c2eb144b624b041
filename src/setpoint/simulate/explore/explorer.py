"""Small worlds explored exhaustively: every order of their acts and faults, at every moment at which one can happen.

Time moves only to the next timer. At each such moment any act or fault of the world's alphabet that is left may happen, or none.
Worlds whose key was met before are not explored again; ``state_key`` defines which worlds have the same key.

Within one moment entities take their turns in one order only. That is sound for invariants that are judged by entity: a turn
reads and writes one entity's state and adds to inboxes, so turns of different entities commute, but for the order in which two of
them add to the same third inbox; whether that order matters is explored by a fault: ``reorder`` turns round what waits.
Each invariant is checked after each turn; when nothing is left to happen, every instance is converged or explains why not.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from setpoint.core.admission import ENTITY as ADMISSION
from setpoint.core.facts import AnyFact, Configured, LimitsConfigured, Signal
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import InstanceState
from setpoint.model.checks import Outcome
from setpoint.model.names import instance_entity
from setpoint.model.people import Person
from setpoint.model.policy import GroupWaves, Policy
from setpoint.model.time import HOUR, Duration, Instant
from setpoint.simulate.acts import Act
from setpoint.simulate.explore.abstraction import Abstraction
from setpoint.simulate.explore.clone import clone, clone_ledger
from setpoint.simulate.explore.state_key import StateKeys
from setpoint.simulate.invariants import Broken, Invariants
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.faults import Faults
from setpoint.simulate.world.host import START, World
from setpoint.simulate.world.rng import Rng
from setpoint.simulate.world.runtimes import Runtimes

TICK = "time goes on"
FAULTS = ("crash", "crash-in-turn", "again", "reorder")
"""The engine dies between turns, or right after the next turn was decided; the last deliveries are repeated; what waits for
an entity at the next turn is reversed."""
WITHOUT = Faults(split=0.0)


@dataclass(frozen=True)
class SmallWorld:
    """A world to explore, and its alphabet."""

    name: str
    policies: tuple[Policy, ...]
    always: tuple[Act, ...]
    """Acts that come in this order, each at any moment after the one before it: releases, for instance."""
    acts: tuple[Act, ...] = ()
    """Acts that may come, in any order, each at most once."""
    faults: tuple[str, ...] = ()
    most: int = 3
    """Acts and faults that may come together in one path, besides those that always do."""
    people: tuple[Person, ...] = (Person("ann", ("leads",)), Person("bob", ("leads",)))
    timetable: Mapping[str, tuple[tuple[Duration, Outcome], ...]] = field(default_factory=dict)
    groups: Mapping[str, GroupWaves] = field(default_factory=dict)
    """``application/group`` -> its waves."""
    horizon: Duration = 4 * HOUR


@dataclass
class Explored:
    """What was found."""

    name: str
    states: int = 0
    transitions: int = 0
    leaves: int = 0
    deepest: int = 0
    seconds: float = 0.0
    finished: bool = True
    within: int = 0
    """Acts and faults up to which everything was explored."""
    beyond: int = 0
    """Paths that were left at the horizon."""
    preconditions: Counter[str] = field(default_factory=Counter)
    broken: str = ""
    path: tuple[str, ...] = ()


class FixedRng(Rng):
    """Nothing is left to chance: everything takes as long as it takes, and turns come in the order of their facts."""

    def roll(self, what: str, whom: str) -> int:  # noqa: ARG002 - the signature of Rng
        """Always the same."""
        return 0

    def between(self, low: int, high: int, what: str, whom: str) -> int:  # noqa: ARG002 - the signature of Rng
        """Applies and checks take a second at most, looks no time."""
        return min(high, 1000) if what in {"apply", "check", "task"} else low


class ExploredPath(Environment):
    """One path through a small world."""

    def __init__(self, small: SmallWorld) -> None:
        timetable = {name: [(START + at, outcome) for at, outcome in entries] for name, entries in small.timetable.items()}
        self.net = Invariants()
        world = ExploredWorld(FixedRng(0), Runtimes({}), Checks(timetable), WITHOUT, self.net)
        super().__init__(world, {policy.instance: policy for policy in small.policies}, small.people)
        self.explored = world
        self.small = small
        self.acts_to: dict[str, int] = {}
        """Entity -> how many acts were sent to it."""
        self.came = 0
        """How many of ``always`` have come."""
        self.left = frozenset(range(len(small.acts)))
        self.chances = small.most
        behaviours = [behaviour for act in (*small.always, *small.acts) for behaviour in getattr(act, "behaves", {}).values()]
        self.state_keys = StateKeys(small.policies, behaviours, small.groups.values())
        if small.groups:
            world.post(ADMISSION, LimitsConfigured(number=1, groups=dict(small.groups)))
        for instance, policy in self.policies.items():
            world.post(instance_entity(instance), Configured(policy=policy, number=1))
        world.settle()

    def moves(self) -> Iterator[tuple[str, int]]:
        """What may happen now."""
        if self.explored.due(START + self.small.horizon):
            yield "tick", 0
        if self.came < len(self.small.always):
            yield "always", self.came
        if self.chances:
            yield from (("act", index) for index in sorted(self.left))
            yield from (("fault", index) for index, fault in enumerate(self.small.faults) if self.explored.can(fault))

    def move(self, kind: str, index: int) -> str:
        """Let it happen; returns what it was. Raises Broken."""
        if kind == "tick":
            self.explored.tick()
            return TICK
        if kind == "always":
            self.came += 1
            self._act(self.small.always[index])
            return self.small.always[index].words()
        self.chances -= 1
        if kind == "act":
            self.left -= {index}
            self._act(self.small.acts[index])
            return self.small.acts[index].words()
        self.explored.strike(self.small.faults[index])
        return self.small.faults[index]

    def _act(self, act: Act) -> None:
        self.perform(act)
        self.explored.settle()

    def signal(self, entity: str, signal: Signal) -> None:
        """A person's act, numbered by its receiver: so acts on different entities come to the same in any order."""
        number = self.acts_to[entity] = self.acts_to.get(entity, 0) + 1
        fact: AnyFact = msgspec.structs.replace(signal, id=str(number))  # type: ignore[assignment]
        self.world.post(entity, fact)

    def copied(self) -> ExploredPath:
        """The same path so far, to go on in another way."""
        self.explored.writes.clear()
        other = clone(self)
        world = other.explored
        world.performs = other.perform
        world.check = other.net
        world.fault_injector.clock = lambda: world.now
        return other

    def key(self) -> bytes:
        """Equal for worlds in which the same can happen from now on."""
        return self.state_keys.key(self)

    def unexplained(self) -> str:
        """At the end of a path: an instance that is neither converged nor explains why not."""
        for entity, state in self.explored.states.items():
            if isinstance(state, InstanceState) and state.policy is not None:
                word = condition(state, self.explored.now)
                if word is not Condition.CONVERGED and not explain(state, self.explored.now):
                    return f"{entity} is {word} in the end, without a reason"
        return ""


class ExploredWorld(World):
    """A world that takes one step at a time, in which faults strike on command."""

    armed: tuple[str, ...] = ()
    """Faults that strike at the next turn."""
    last: tuple[tuple[str, AnyFact], ...] = ()
    """What was delivered in the last turn."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.noted: dict[str, Abstraction] = {}
        """Entity -> the abstraction of its ledger since its last turn."""
        self.writes: set[str] = set()
        """Entities whose ledgers are this world's own: those of others are shared with its copies."""

    def due(self, until: int) -> bool:
        """Whether anything is left to happen before a time."""
        return any(when <= until for when, *_ in self.pending())

    def pending(self) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
        """What will happen, without what a crash or a later wake has undone."""
        return [event for event in self._heap if self._counts(event[2], event[3], event[4])]

    def agenda(self) -> list[tuple[Instant, str, tuple[Any, ...]]]:
        """When what will happen with what, in order."""
        return [(when, what, arguments) for when, _, _, what, arguments in self._in_order()]

    def _in_order(self) -> list[tuple[Instant, int, int, str, tuple[Any, ...]]]:
        """At one moment what happens to different entities comes in the order of their names, whatever was planned first."""
        return sorted(self.pending(), key=lambda event: (event[0], str(event[4][0]), event[1]))

    def _jump(self, until: Instant) -> bool:
        self._heap = [(event[0], place, *event[2:]) for place, event in enumerate(self._in_order())]
        return super()._jump(until)

    def _arm(self, entity: str, due: Instant) -> None:
        """An entity is woken once: an earlier wish of the same time must not come to life again."""
        self._heap = [event for event in self._heap if event[3] != "wake" or event[4][0] != entity]
        heapq.heapify(self._heap)
        super()._arm(entity, due)

    def _counts(self, life: int, what: str, arguments: tuple[Any, ...]) -> bool:
        return self.wakes.get(arguments[0]) == arguments[1] if what == "wake" else life in {-1, self.crashes}

    def tick(self) -> None:
        """Time moves to the next timer; then all turns of that moment."""
        before = len(self.pending())
        while len(self.pending()) == before and self._jump(self.now + 1000 * HOUR):
            if self._ready:
                break
        self.settle()

    def settle(self) -> None:
        """All turns of this moment, in one order."""
        while self._ready:
            self._turn()

    def can(self, fault: str) -> bool:
        """Whether a fault would change anything now."""
        return bool(self.last) if fault == "again" else fault not in self.armed

    def strike(self, fault: str) -> None:
        """Let a fault happen, now or at the next turn."""
        if fault == "crash":
            self.crash()
        elif fault == "again":
            for entity, fact in self.last:
                self._enqueue(entity, fact)
        else:
            self.armed = (*self.armed, fault)
        self.settle()

    def take_turn(self, entity: str, facts: list[AnyFact]) -> None:
        """One turn; what was armed strikes."""
        self._write(entity)
        if "reorder" in self.armed and len(facts) > 1:
            self.armed = tuple(fault for fault in self.armed if fault != "reorder")
            facts.reverse()
        self.last = tuple((entity, fact) for fact in facts)
        if "crash-in-turn" in self.armed:
            self.armed = tuple(fault for fault in self.armed if fault != "crash-in-turn")
            self.fault_injector.levels = Faults(crash=1.0, split=0.0)
        super().take_turn(entity, facts)
        self.fault_injector.levels = WITHOUT

    def _write(self, entity: str) -> None:
        """The checker will write into the ledger of an entity."""
        self.noted.pop(entity, None)
        net = self.check
        if isinstance(net, Invariants) and entity in net.ledgers and entity not in self.writes:
            net.ledgers[entity] = clone_ledger(net.ledgers[entity])
        self.writes.add(entity)


def explore(small: SmallWorld, seconds: float) -> Explored:
    """All of a world with no act or fault besides those that always come, then with one, two …, as far as the time allows."""
    began, total = time.monotonic(), Explored(small.name)
    for most in range(small.most + 1):
        found = _Search(small, most, began + seconds).run()
        total.states, total.transitions, total.leaves = found.states, total.transitions + found.transitions, found.leaves
        total.deepest, total.beyond = max(total.deepest, found.deepest), found.beyond
        total.preconditions += found.preconditions
        total.broken, total.path, total.finished = found.broken, found.path, found.finished
        if found.broken or not found.finished:
            break
        total.within = most
    total.seconds = time.monotonic() - began
    return total


class _Search:
    """Depth first; where a path branches, the world is copied."""

    def __init__(self, small: SmallWorld, most: int, until: float) -> None:
        self._small = small
        self._most = most
        self._until = until
        self._known: set[bytes] = set()
        self.found = Explored(small.name)

    def run(self) -> Explored:
        """Until all is explored, something breaks, or the time is over."""
        first = ExploredPath(self._small)
        first.chances = self._most
        stack: list[tuple[ExploredPath, tuple[str, ...]]] = []
        self._arrive(first, (), stack)
        while stack and not self.found.broken:
            if time.monotonic() > self._until:
                self.found.finished = False
                break
            self._branch(*stack.pop(), stack)
        self.found.states = len(self._known)
        return self.found

    def _branch(self, path: ExploredPath, steps: tuple[str, ...], stack: list[tuple[ExploredPath, tuple[str, ...]]]) -> None:
        """Everything that may happen next; the last of it needs no copy."""
        moves = list(path.moves())
        for place, move in enumerate(moves):
            here = path if place == len(moves) - 1 else path.copied()
            here.net.preconditions.clear()
            here.explored.history.clear()
            here.explored.events.clear()
            self.found.transitions += 1
            try:
                word = here.move(*move)
            except Broken as broken:
                self.found.broken, self.found.path = str(broken), (*steps, str(move))
                return
            self.found.preconditions += here.net.preconditions
            self._arrive(here, (*steps, word), stack)

    def _arrive(self, path: ExploredPath, steps: tuple[str, ...], stack: list[tuple[ExploredPath, tuple[str, ...]]]) -> None:
        """Go on from here, unless it is known; judge it, if nothing is left to happen."""
        key = path.key()
        if key in self._known:
            return
        self._known.add(key)
        self.found.deepest = max(self.found.deepest, len(steps))
        if not path.explored.due(START + self._small.horizon):
            self.found.leaves += 1
            self.found.beyond += bool(path.explored.pending())
            if wrong := path.unexplained():
                self.found.broken, self.found.path = f"explained: {wrong}", steps
        stack.append((path, steps))
