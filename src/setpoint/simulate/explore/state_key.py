"""The key of an explored world: equal for worlds in which the same can happen from now on.

``abstraction`` defines when two values count as equal; this module selects what belongs to a world: the states of all entities,
publications, subscriptions, what is in flight, what will happen, what runs – and the ledger of the checker, as far as a rule
will read it again. The order of different entities at one moment is left out: the world takes them in one order. Nothing reads
these any more, so they are left out as well: acts that are left when none may come; the last deliveries when none can be
repeated; applies and tries before the present move of target; facts of the turn before, which *idempotent* checked on the path
that came here first. ``tests/simulate/test_state_key.py`` takes pairs of worlds with the same key from different paths, lets
the same happen to both and checks that their keys are still the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from setpoint.core.calendars import opening
from setpoint.core.instance.state import InstanceState
from setpoint.model.names import instance_entity, key_of
from setpoint.model.policy import GroupWaves, Policy
from setpoint.model.time import Instant
from setpoint.simulate.acts.releasing import TOGETHER
from setpoint.simulate.checker.ledger import Ledger
from setpoint.simulate.explore.abstraction import ATTEMPTS, NUMBERS, Abstracter, Abstraction, Limits
from setpoint.simulate.world.host import START
from setpoint.simulate.world.runtimes import Behaviour

if TYPE_CHECKING:
    from setpoint.simulate.explore.explorer import ExploredPath

_PLAIN = attrgetter(
    *("goods", "versions", "own", "used", "vetoed", "held", "observing", "line", "bad", "cancelled", "offered", "started"),
    *("highest", "newest"),
)
"""Of a ledger: neither instants nor numbers."""
_TIMED = attrgetter("votes", "scopes", "slots", "heals", "families")
_RUNS = attrgetter("running", "wanted", "healthy", "difference", "stubborn", "gone", "unreachable", "refused")
"""Of what runs for one instance."""


def _all(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return arguments


_MATTERS = {"look": itemgetter(0, 2), "applied": itemgetter(0, 1), "tasked": itemgetter(0, 1), "wake": itemgetter(0, 1)}
"""What will happen -> the arguments that are read then, numbers apart."""


class StateKeys:
    """Computes the keys of one small world."""

    def __init__(self, policies: Iterable[Policy], behaviours: Iterable[Behaviour], groups: Iterable[GroupWaves]) -> None:
        policies = tuple(policies)
        self._limits = Limits([*policies, *behaviours, *groups, Behaviour()])
        counted = any(policy.limits or policy.wave or _budgets(policy) or TOGETHER in policy.labels for policy in policies)
        numbers = NUMBERS if counted else {**NUMBERS, **ATTEMPTS}
        self._ranked = not counted
        """Whether attempts count by rank."""
        self._reader = Abstracter(self._limits, numbers)
        cadences = ((policy.cadence.calendar, policy.cadence.timezone) for policy in policies if policy.cadence)
        self._calendars = (*((use.calendar, use.timezone) for policy in policies for use in policy.calendars), *cadences)
        self._runs = any(policy.checks or policy.tasks for policy in policies)
        """Whether rules read when a check ran."""

    def key(self, path: ExploredPath) -> bytes:
        """Equal for worlds in which the same can happen from now on."""
        out, world = Abstraction(), path.explored
        out.text.append(repr((path.came, sorted(path.left) if path.chances else (), path.chances, world.armed)))
        self._to_come(path, out)
        for entity in sorted({*world.states, *world.publications}):
            self._entity(path, entity, out)
        self._reader.read(path.net.families, "", out)
        self._reader.read(world.tasks, "", out)
        return out.key(world.now, self._limits.longest)

    def _to_come(self, path: ExploredPath, out: Abstraction) -> None:
        world, read = path.explored, self._reader.read
        if any(opening(calendar, timezone, world.now).until is not None for calendar, timezone in self._calendars):
            out.text.append(str(world.now - START))
        for when, what, arguments in world.agenda():
            read((when, what), "", out)
            if what == "look":
                out.number("watch", arguments[0], arguments[1])
            read(_MATTERS.get(what, _all)(arguments), arguments[0], out)
        for name, entries in world.checks.timetable.items():
            read((str(world.checks.outcome(name, world.now)), [one for one in entries if one[0] > world.now]), "", out)
        if path.chances and "again" in path.small.faults:
            for entity, fact in world.last:
                read((fact, fact.at), entity, out)

    def _entity(self, path: ExploredPath, entity: str, out: Abstraction) -> None:
        world, read = path.explored, self._reader.read
        effects = world.effects
        for values in (world.states, world.publications, effects.watches, effects.posted, effects.away, world.wakes):
            read(values.get(entity), entity, out)
        out.text.append(repr(sorted(world.subscribers.get(entity, ()))))
        for of, given in effects.operations.values():
            if of == entity:
                read(given, entity, out)
        ledger = path.net.ledgers.get(entity)
        if ledger:
            state = world.states.get(entity)
            out.add(world.noted.get(entity) or world.noted.setdefault(entity, self._ledger(ledger, state, entity)))
            self._place(path, ledger.moved, entity, out)
        if self._runs:
            read([run for run in world.checks.runs.get(entity, ()) if run.ended >= world.now - self._limits.longest], entity, out)

    def _ledger(self, ledger: Ledger, state: Any, entity: str) -> Abstraction:
        """What was observed since a rollout began counts until it ends."""
        out, read, soak = Abstraction(), self._reader.read, self._limits.of(("soak",))
        under_way = isinstance(state, InstanceState) and state.life.rollout
        out.text.append(repr((_PLAIN(ledger), min(ledger.observed, self._limits.longest) if under_way else 0)))
        read(_TIMED(ledger), entity, out)
        out.marks("absolved", ledger.absolved)
        for instance, number in ledger.numbers.items():
            out.text.append(instance)
            out.number("published", instance_entity(instance), number)
        out.number("look", entity, ledger.look)
        for (attempt, phase), at in ledger.entered.items():
            read((phase, at if self._runs else 0, 0 if self._ranked else attempt), entity, out)
            out.number("attempt", entity, attempt if self._ranked else 0)
        for name, finalized in {"": ledger.finalized, **ledger.finalizations}.items():
            out.text.append(name)
            for version, at in finalized.items():
                out.text.append(repr(version))
                out.age(at, soak)
        out.close()
        return out

    def _place(self, path: ExploredPath, moved: Instant, entity: str, out: Abstraction) -> None:
        """Applies and tries count since target moved, and the last apply; of looks, whether they began later."""
        place, effects = path.explored.runtimes.place(key_of(entity)), path.explored.effects
        out.age(place.started, self._limits.of(("takes", "sickens")))
        tried = [digest for digest, at in place.tried.items() if at >= moved]
        shown, spec = effects.shown.get(entity, (0, ""))
        out.text.append(repr((_RUNS(place), sorted(place.ran), tried, spec)))
        times = [path.explored.now, moved, effects.looked.get(entity, 0), shown]
        for when, operation, digest in place.applies:
            if when >= moved or operation == place.applies[-1][1]:
                self._reader.read((operation, digest), entity, out)
                times.append(when)
        self._reader.read((place.reachable_since, times if self._runs else _order(times)), entity, out)


def _budgets(policy: Policy) -> bool:
    return any(window.max for use in policy.calendars for window in use.calendar.open or ())


def _order(times: list[Instant]) -> list[int]:
    """The place of each among them."""
    places: dict[Any, int] = {time: place for place, time in enumerate(sorted(set(times)))}
    return [places[time] for time in times]
