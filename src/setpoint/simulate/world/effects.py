"""What a host does for its entities – applies, checks, tasks, observations – against models, and what goes wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.core.facts import AnyFact, Applied, CheckFinished, CheckUnwanted, Observed, TaskFinished, Unobserved
from setpoint.core.instructions import AnyInstruction, Apply, Cancel, RunCheck, RunTask, Unwatch, Watch
from setpoint.model.checks import Outcome
from setpoint.model.names import key_of, operation_number
from setpoint.model.observation import Observation
from setpoint.model.time import MINUTE, SECOND, Duration, Instant
from setpoint.simulate.world.checks import Run
from setpoint.simulate.world.tasks import timetable

if TYPE_CHECKING:
    from setpoint.simulate.world.host import World

Operation = Apply | RunCheck | RunTask


class StandingWatch(msgspec.Struct, frozen=True):
    """A standing watch and what was posted under it."""

    number: int
    every: Duration
    since: Instant
    unreported: bool = True
    last: Observation | str | None = "nothing"
    """None: it could not be seen."""


class Effects:
    """Performs instructions. Operations are open until a turn has taken their end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.operations: dict[str, tuple[str, Operation]] = {}
        """Operation -> whose, and what: durable."""
        self.applying: dict[str, set[str]] = {}
        """Entity -> its applies that are open."""
        self.watches: dict[str, StandingWatch] = {}
        self.looked: dict[str, Instant] = {}
        """Entity -> when the last look began that saw anything."""
        self.shown: dict[str, tuple[Instant, str]] = {}
        """Entity -> when the last look began that showed one whole, healthy version, and its spec."""
        self.looks = 0
        self.posted: dict[str, Instant] = {}
        """When something was last posted about an entity's runtime, put off by the time without an observation."""
        self.away: dict[str, Instant] = {}
        """Since when nothing is observed because something is applied."""

    # --- operations -----------------------------------------------------------------------------------------------------

    def accept(self, entity: str, instruction: AnyInstruction) -> None:
        """Make an operation durable with the turn that ordered it."""
        if isinstance(instruction, Apply | RunCheck | RunTask):
            self.operations[instruction.operation] = (entity, instruction)
            if isinstance(instruction, Apply):
                self.applying.setdefault(entity, set()).add(instruction.operation)

    def recorded(self, facts: Iterable[AnyFact]) -> None:
        """Close the operations whose ends are among the facts that a turn took."""
        for fact in facts:
            if isinstance(fact, Applied | CheckFinished | CheckUnwanted | TaskFinished):
                self._close(fact.operation)

    def _close(self, operation: str) -> None:
        entity, given = self.operations.pop(operation, ("", None))
        if isinstance(given, Apply):
            self.applying[entity].discard(operation)

    def forget(self) -> None:
        """Stop every watch because the engine dies; the end of what ran is not observed."""
        self.watches.clear()
        self.posted.clear()
        self.away.clear()

    def again(self) -> None:
        """Perform open operations again after the engine has started."""
        world = self._world
        for entity, given in list(self.operations.values()):
            if isinstance(given, RunTask) and given.definition.once and given.operation in world.tasks.running:
                result = world.tasks.unseen(entity, given.operation, world.now)
                world.post(entity, TaskFinished(operation=given.operation, result=result))
            else:
                self.perform(entity, given)

    def perform(self, entity: str, instruction: AnyInstruction) -> None:
        """Start what an instruction orders."""
        match instruction:
            case Apply():
                self._look_away(entity)
                self._begin(entity, instruction, "applied", self._within(SECOND, "apply", entity))
            case RunCheck(_, definition):
                if self._world.subscribers.get(entity):
                    takes = self._within(self._world.checks.longest(definition), "check", entity)
                    self._begin(entity, instruction, "checked", takes)
                else:
                    self._world.post(entity, CheckUnwanted(operation=instruction.operation))
            case RunTask(operation) if operation in self._world.tasks.ends:
                self._world.post(entity, TaskFinished(operation=operation, result=self._world.tasks.ends[operation]))
            case RunTask(operation, task):
                self._world.tasks.begin(operation, self._world.now)
                longest = self._world.checks.takes.get(timetable(task.task), 5 * SECOND)
                takes = self._within(longest, "task", entity)
                self._begin(entity, instruction, "tasked", takes)
            case Watch(number, every, _):
                self.watch(entity, number, every)
            case Unwatch():
                self.watches.pop(entity, None)
            case Cancel(operation) if self._world.rng.chance(0.5, "cancel", entity):
                self._close(operation)  # it had not started yet

    def _within(self, longest: Duration, what: str, entity: str) -> Duration:
        return self._world.rng.between(1, longest, what, entity)

    def _begin(self, entity: str, given: Operation, what: str, takes: Duration) -> None:
        """Its end is planned; it may take much longer than it should, up to its timeout."""
        world, fault = self._world, self._world.fault_injector.strikes("slow", entity)
        if fault:
            world.fault_injector.counts("slow")
            limit = 5 * MINUTE if isinstance(given, Apply) else given.definition.timeout
            takes = max(takes, world.rng.amount(limit // 2, limit, "slow", entity, fault.nth))
        world.plan(world.now + takes, what, (entity, given.operation, world.now), dies=True)

    def happen(self, what: str, arguments: tuple[Any, ...]) -> None:
        """Run an event that was planned here."""
        match what:
            case "applied":
                self._applied(*arguments)
            case "checked":
                self._checked(*arguments)
            case "tasked":
                self._tasked(*arguments)
            case "look":
                self._look(*arguments)
            case "post":
                self._world.post(*arguments)

    def _open(self, operation: str) -> Operation | None:
        """Return the operation, unless it was cancelled meanwhile."""
        known = self.operations.get(operation)
        return known[1] if known else None

    def _died(self, entity: str) -> bool:
        """Crash the engine before it records what happened, if that fault strikes; return whether it did."""
        fault_injector = self._world.fault_injector
        if not fault_injector.strikes("forget", entity):
            return False
        fault_injector.counts("forget")
        self._world.crash()
        return True

    def _applied(self, entity: str, operation: str, _started: Instant) -> None:
        world, given = self._world, self._open(operation)
        if given is None:
            return
        instance = key_of(entity)
        assert isinstance(given, Apply)  # noqa: S101 - for the type checker: only applies come here
        error, terminal = world.runtimes.perform(instance, given, world.now)
        error = error or self._spoiled(entity, instance)
        if self._died(entity):
            return
        world.post(entity, Applied(operation=operation, error=error, terminal=terminal))
        if not error:
            self.watch(entity, given.watch.number, given.watch.every)

    def _spoiled(self, entity: str, instance: str) -> str:
        """Return the error of an apply whose reply is lost; another fault leaves half of it undone."""
        fault_injector = self._world.fault_injector
        if fault_injector.strikes("half", entity):
            fault_injector.counts("half")
            self._world.runtimes.place(instance).difference = "half of it"
        if fault_injector.strikes("lost", entity):
            fault_injector.counts("lost")
            return "the connection broke before it answered"
        return ""

    def _checked(self, entity: str, operation: str, started: Instant) -> None:
        world, given = self._world, self._open(operation)
        if given is None:
            return
        assert isinstance(given, RunCheck)  # noqa: S101 - for the type checker: only checks come here
        truth = world.checks.outcome(given.definition.protection, world.now)
        number = operation_number(operation)
        killed = world.now - started > given.definition.timeout
        outcome = Outcome.UNAVAILABLE if killed else self._twisted(entity, truth)
        result = world.checks.result(given.definition, entity, Run(started, world.now, outcome, number))
        if not self._died(entity):
            world.post(entity, CheckFinished(operation=operation, result=result))

    def _twisted(self, entity: str, truth: Outcome) -> Outcome:
        fault_injector = self._world.fault_injector
        if fault_injector.strikes("broken", entity) and truth is not Outcome.UNAVAILABLE:
            fault_injector.counts("broken")
            return Outcome.UNAVAILABLE
        if fault_injector.strikes("flap", entity) and truth in {Outcome.PASSING, Outcome.BLOCKING}:
            fault_injector.counts("flap")
            return Outcome.BLOCKING if truth is Outcome.PASSING else Outcome.PASSING
        return truth

    def _tasked(self, entity: str, operation: str, _started: Instant) -> None:
        world, given = self._world, self._open(operation)
        if given is None:
            return
        assert isinstance(given, RunTask)  # noqa: S101 - for the type checker: only tasks come here
        fault = world.fault_injector.strikes("task", entity)
        if fault:
            world.fault_injector.counts("task")
        truth = world.checks.outcome(timetable(given.definition.task), world.now)
        result = world.tasks.end(entity, operation, given.definition, world.now, Outcome.BLOCKING if fault else truth)
        if not self._died(entity):
            world.post(entity, TaskFinished(operation=operation, result=result))

    # --- looks ----------------------------------------------------------------------------------------------------------

    def watch(self, entity: str, number: int, every: Duration) -> None:
        """Observe now and at an interval; a lower watch number than the standing one has no effect."""
        known = self.watches.get(entity)
        if known and known.number >= number:
            return
        world = self._world
        self._look_again(entity, every)
        looks = self.watches[entity] = StandingWatch(number, every, world.now)
        self._schedule(entity, number, world.now + world.rng.between(0, 200, "look", entity))
        for change in world.runtimes.changes_at(key_of(entity)):
            if change >= world.now:  # looks that would see nothing new are not simulated: only those after something changes
                passed = (change - looks.since) // every + 1
                self._schedule(entity, number, looks.since + passed * every)

    def _look_away(self, entity: str) -> None:
        if self.watches.pop(entity, None):
            self.away[entity] = self._world.now

    def _look_again(self, entity: str, every: Duration) -> None:
        """Time without an observation counts at most twice the interval."""
        away = self.away.pop(entity, None)
        if away is not None and entity in self.posted:
            self.posted[entity] += max(0, self._world.now - away - 2 * every)

    def hint(self, entity: str) -> None:
        """Schedule a look of the standing watch because something changed at the runtime."""
        looks, world = self.watches.get(entity), self._world
        if looks:
            self._schedule(entity, looks.number, world.now + world.rng.between(1, looks.every, "hint", entity))

    def _schedule(self, entity: str, number: int, when: Instant) -> None:
        """Plan a look that ends at a time."""
        world = self._world
        started = max(world.now, when - world.rng.between(0, 50, "length", entity))
        world.plan(started, "look", (entity, number, when), dies=True)

    def _look(self, entity: str, number: int, ends: Instant) -> None:
        looks, world = self.watches.get(entity), self._world
        if looks is None or looks.number != number:
            return
        instance = key_of(entity)
        self.looks += 1
        blind = world.fault_injector.strikes("blind", entity)
        seen: Observation | None = None
        if blind:
            self._blinded(entity, looks)
        elif not world.runtimes.place(instance).unreachable:
            seen = world.runtimes.observe(instance, world.now)
            self._note(entity, seen)
        if (looks.unreported and seen is not None) or seen != looks.last:
            fact = self._fact_of(entity, instance, number, seen)
            self.watches[entity] = msgspec.structs.replace(looks, last=seen, unreported=looks.unreported and seen is None)
            self.posted[entity] = world.now
            world.plan(ends, "post", (entity, fact), dies=True)

    def _fact_of(self, entity: str, instance: str, number: int, seen: Observation | None) -> AnyFact:
        if seen is None:
            return Unobserved(watch=number, look=self.looks, message="no route to it")
        posted, since = self.posted.get(entity), self._world.runtimes.place(instance).reachable_since
        gap = 0 if posted is None else max(0, self._world.now - max(posted, since))
        return Observed(watch=number, look=self.looks, observation=seen, gap=gap)

    def _blinded(self, entity: str, looks: StandingWatch) -> None:
        """A look that fails by chance; it is made again after the interval."""
        if looks.last is not None:
            self._world.fault_injector.counts("blind")
        self._schedule(entity, looks.number, self._world.now + looks.every)

    def _note(self, entity: str, seen: Observation) -> None:
        self.looked[entity] = self._world.now
        digests = {thing.digest for thing in seen.objects if thing.active}
        if seen.complete and not seen.difference and len(digests) == 1 and all(thing.healthy for thing in seen.objects):
            self.shown[entity] = (self._world.now, digests.pop())
