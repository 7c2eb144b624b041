"""The situation of an explored world: everything that what comes next depends on, told so that the same is the same.

``likeness`` says how values are told; here is what is told: the states of all entities, what was published, who listens, what is
under way, what will happen, what runs – and what the checker remembers, as far as a rule will read it again. Who comes first at
one moment is not told of different entities: the world takes them in one order. What is left out, because nothing reads it any
more: which acts are left when none may come; what was told last when nothing can be told again; applies and tries before the
present move of target; facts of the turn before, which *idempotent* asks about on the way that came here first.
``tests/simulate/test_situation.py`` takes worlds in the same situation that came to it differently, lets the same happen to both,
and asks whether they are still in the same situation.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from setpoint.core.calendars import opening
from setpoint.core.instance.state import InstanceState
from setpoint.model.policy import GroupWaves, Policy
from setpoint.model.time import Instant
from setpoint.simulate.acts.releasing import TOGETHER
from setpoint.simulate.checker.ledger import Ledger
from setpoint.simulate.explore.abstraction import ATTEMPTS, NUMBERS, Abstraction, Limits, Reader
from setpoint.simulate.world.host import START
from setpoint.simulate.world.runtimes import Behaviour

if TYPE_CHECKING:
    from setpoint.simulate.explore.explorer import ExploredPath

_PLAIN = attrgetter(
    *("goods", "versions", "own", "used", "vetoed", "held", "observing", "line", "bad", "cancelled", "offered", "begun"),
    *("highest", "newest"),
)
"""Of a ledger: neither instants nor numbers."""
_TIMED = attrgetter("votes", "scopes", "slots", "heals", "notes")
_RUNS = attrgetter("running", "wanted", "healthy", "difference", "stubborn", "gone", "unreachable", "refused")
"""Of a place."""


def _all(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return arguments


_MATTERS = {"look": itemgetter(0, 2), "applied": itemgetter(0, 1), "tasked": itemgetter(0, 1), "wake": itemgetter(0, 1)}
"""What will happen -> the arguments that are read then, numbers apart."""


class StateKeys:
    """Tells those of one small world."""

    def __init__(self, policies: Iterable[Policy], behaviours: Iterable[Behaviour], groups: Iterable[GroupWaves]) -> None:
        policies = tuple(policies)
        self._limits = Limits([*policies, *behaviours, *groups, Behaviour()])
        told_of = any(policy.limits or policy.wave or _budgets(policy) or TOGETHER in policy.labels for policy in policies)
        numbers = NUMBERS if told_of else {**NUMBERS, **ATTEMPTS}
        self._ranked = not told_of
        """Whether attempts are told by rank."""
        self._reader = Reader(self._limits, numbers)
        cadences = ((policy.cadence.calendar, policy.cadence.timezone) for policy in policies if policy.cadence)
        self._calendars = (*((use.calendar, use.timezone) for policy in policies for use in policy.calendars), *cadences)
        self._runs = any(policy.checks or policy.tasks for policy in policies)
        """Whether rules ask when a check ran."""

    def key(self, path: ExploredPath) -> bytes:
        """The same for the same situation."""
        told, world = Abstraction(), path.explored
        told.text.append(repr((path.came, sorted(path.left) if path.chances else (), path.chances, world.armed)))
        self._to_come(path, told)
        for entity in sorted({*world.states, *world.publications}):
            self._entity(path, entity, told)
        self._reader.read(path.net.memory, "", told)
        self._reader.read(world.tasks, "", told)
        return told.key(world.now, self._limits.longest)

    def _to_come(self, path: ExploredPath, told: Abstraction) -> None:
        world, read = path.explored, self._reader.read
        if any(opening(calendar, timezone, world.now).until is not None for calendar, timezone in self._calendars):
            told.text.append(str(world.now - START))
        for when, what, arguments in world.agenda():
            read((when, what), "", told)
            if what == "look":
                told.number("watch", arguments[0], arguments[1])
            read(_MATTERS.get(what, _all)(arguments), arguments[0], told)
        for name, entries in world.checks.timetable.items():
            read((str(world.checks.outcome(name, world.now)), [one for one in entries if one[0] > world.now]), "", told)
        if path.chances and "again" in path.small.faults:
            for entity, fact in world.last:
                read((fact, fact.at), entity, told)

    def _entity(self, path: ExploredPath, entity: str, told: Abstraction) -> None:
        world, read = path.explored, self._reader.read
        effects = world.effects
        for values in (world.states, world.publications, effects.watches, effects.posted, effects.away, world.wakes):
            read(values.get(entity), entity, told)
        told.text.append(repr(sorted(world.subscribers.get(entity, ()))))
        for of, given in effects.operations.values():
            if of == entity:
                read(given, entity, told)
        ledger = path.net.ledgers.get(entity)
        if ledger:
            state = world.states.get(entity)
            told.add(world.noted.get(entity) or world.noted.setdefault(entity, self._ledger(ledger, state, entity)))
            self._place(path, ledger.moved, entity, told)
        if self._runs:
            read(
                [run for run in world.checks.runs.get(entity, ()) if run.ended >= world.now - self._limits.longest], entity, told
            )

    def _ledger(self, ledger: Ledger, state: Any, entity: str) -> Abstraction:
        """What was observed since a rollout began is asked for until it ends."""
        told, read, soak = Abstraction(), self._reader.read, self._limits.of(("soak",))
        under_way = isinstance(state, InstanceState) and state.life.rollout
        told.text.append(repr((_PLAIN(ledger), min(ledger.observed, self._limits.longest) if under_way else 0)))
        read(_TIMED(ledger), entity, told)
        told.marks("absolved", ledger.absolved)
        for instance, number in ledger.numbers.items():
            told.text.append(instance)
            told.number("published", f"instance:{instance}", number)
        told.number("look", entity, ledger.look)
        for (attempt, phase), at in ledger.entered.items():
            read((phase, at if self._runs else 0, 0 if self._ranked else attempt), entity, told)
            told.number("attempt", entity, attempt if self._ranked else 0)
        for name, finalized in {"": ledger.finalized, **ledger.told}.items():
            told.text.append(name)
            for version, at in finalized.items():
                told.text.append(repr(version))
                told.age(at, soak)
        told.close()
        return told

    def _place(self, path: ExploredPath, moved: Instant, entity: str, told: Abstraction) -> None:
        """Applies and tries are asked for since target moved, and the last apply; looks, whether they began later."""
        place, effects = path.explored.runtimes.place(entity.partition(":")[2]), path.explored.effects
        told.age(place.started, self._limits.of(("takes", "sickens")))
        tried = [digest for digest, at in place.tried.items() if at >= moved]
        shown, spec = effects.shown.get(entity, (0, ""))
        told.text.append(repr((_RUNS(place), sorted(place.ran), tried, spec)))
        times = [path.explored.now, moved, effects.looked.get(entity, 0), shown]
        for when, operation, digest in place.applies:
            if when >= moved or operation == place.applies[-1][1]:
                self._reader.read((operation, digest), entity, told)
                times.append(when)
        self._reader.read((place.reachable_since, times if self._runs else _order(times)), entity, told)


def _budgets(policy: Policy) -> bool:
    return any(window.max for use in policy.calendars for window in use.calendar.open or ())


def _order(times: list[Instant]) -> list[int]:
    """The place of each among them."""
    places: dict[Any, int] = {time: place for place, time in enumerate(sorted(set(times)))}
    return [places[time] for time in times]
