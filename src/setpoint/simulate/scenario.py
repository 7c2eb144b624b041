"""One run: a plan, the world it happens in, the invariants checked on it; then a fair end.

A run has two halves. In the first, faults are injected and acts happen. Then the world turns fair: checks pass, runtimes answer,
pins and holds are lifted, and fixes are released and approved. *settled* requires that every instance converges on each fix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from setpoint.core.facts import Configured
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.core.instructions import Decision, Record
from setpoint.core.line import LineState
from setpoint.model.names import instance_entity, key_of, line_entity, within
from setpoint.model.policy import Policy, Strategy
from setpoint.model.time import HOUR, MINUTE, SECOND, Instant
from setpoint.simulate.acts import WHEN_FAIR, Act
from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.acts.overrides import Heal, PassOver, Resume, Unpin
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.acts.voting import CastVote
from setpoint.simulate.invariants import Broken, Invariants
from setpoint.simulate.plan import Plan
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.host import LONGEST_DELAY, START, TurnRecord, World
from setpoint.simulate.world.rng import Rng
from setpoint.simulate.world.runtimes import Behaviour, Runtimes

QUIET = 4 * HOUR
"""So long nothing may be written once everything has converged."""
FIX = 99
"""Major version of the first fix."""
FIXES = 2
"""So many come one after the other once the world is fair, and each must arrive: the first one where things went wrong, the next
one where they did not."""
AT_ONCE = 10
"""So many acts of people reach one instance in the same minute; it remembers twice as many by their names."""
MOST = 40
"""So many times things go wrong at most."""
PARTS = 4
"""Parts of each time; after each part it is checked whether enough went wrong."""


def failure(plan: Plan) -> tuple[Scenario, Broken | None]:
    """Run a plan to the end, or to where it breaks; what raises anything else is broken as well."""
    scenario = Scenario(plan)
    try:
        scenario.run()
    except Broken as broken:
        return scenario, broken
    except Exception as error:  # noqa: BLE001 - an exception in a turn is a finding
        world = scenario.world
        last = world.history[-1] if world.history else TurnRecord(0, world.now, "", (), None, Decision(Policy("", {})))
        return scenario, Broken("raises", f"{type(error).__name__}: {error}", last)
    return scenario, None


@dataclass
class Outcomes:
    """The result of a run."""

    plan: Plan
    world: World
    net: Invariants


class Scenario(Environment):
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.net = Invariants()
        timetable = {name: [(START + at, outcome) for at, outcome in entries] for name, entries in plan.timetable.items()}
        world = World(
            Rng(plan.seed),
            Runtimes({}),
            Checks(timetable, dict(plan.takes)),
            plan.faults,
            self.net,
            None if plan.script is None else frozenset(plan.script),
        )
        super().__init__(world, dict(plan.policies), plan.people)
        self.arranged: list[Act] = []
        """Acts while things went wrong, with the times at which they came."""
        self._arranged_by_id: dict[int, Act] = {}
        self.fair_since: Instant | None = None
        """When the world turned fair."""
        self.performed: list[tuple[Instant, Act]] = []
        """Every act that was performed, and when."""
        self._upon: dict[tuple[str, str, int], list[Act]] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def run(self) -> Outcomes:
        """Run both halves. Raises Broken at the first invariant that does not hold."""
        self.prepare()
        for time in range(MOST):
            if time:
                self._once_more(time)
            if self._went_wrong(START + time * self.plan.unfair):
                break
        if self.plan.fair:
            self.turn_fair()
            for number in range(FIXES):
                self._released(number)
            self._reconfigured()
            self._rests()
        self.net.sweep(self.world, self.world.turns)
        return Outcomes(self.plan, self.world, self.net)

    def prepare(self) -> None:
        """Configure every instance and plan the acts."""
        for instance, policy in self.policies.items():
            self.world.post(instance_entity(instance), Configured(policy=policy, number=1))
        for entity, fact in self.plan.facts:
            self.world.post(entity, fact)
        for act in self.plan.acts:
            if act.upon is None:
                self._arrange(act, START + act.at)
            else:
                self._upon.setdefault((act.upon.kind, act.upon.instance, act.upon.nth), []).append(act)
        self.world.on_record = self._history_written

    def _went_wrong(self, since: Instant) -> bool:
        """One time during which things go wrong: to its end, or from its middle on until enough faults changed something."""
        for part in range(2, PARTS + 1):
            self.world.run(since + self.plan.unfair * part // PARTS)
            if self.plan.least and self.world.injected >= self.plan.least:
                return True
        return not self.plan.least

    def _once_more(self, time: int) -> None:
        """A person cleans up, and everything that was planned for a time happens again, with more going wrong each time."""
        self.world.fault_injector.levels = self.plan.faults.worse(1 + time / 2)
        for instance in self.instances:
            for kind in (Unpin, Resume, Heal):
                self._arrange(kind(by="ann", instance=instance), self.world.now)
        later = time * self.plan.unfair
        for act in self.plan.acts:
            if act.upon is None:
                again = act.again(later, time)
                self._arrange(again, START + again.at)
        self.checks.repeat(later)

    def _arrange(self, act: Act, when: Instant) -> None:
        if self.fair_since is None:
            self.arranged.append(msgspec.structs.replace(act, at=when - START, upon=None))
            self._arranged_by_id[id(act)] = act
        self.world.plan(when, "act", (act,))

    def perform(self, act: Act) -> None:
        """An act's time has come; one that was meant for the time in which things go wrong is too late afterwards."""
        if self.fair_since is not None and self._arranged_by_id.get(id(act)) is act:
            return
        self.performed.append((self.world.now, act))
        super().perform(act)

    def _history_written(self, entity: str, kind: str) -> None:
        """A line of history was written: some act at just that moment."""
        instance = key_of(entity)
        nth = self._seen[kind, instance] = self._seen.get((kind, instance), 0) + 1
        for act in self._upon.pop((kind, instance, nth), ()):
            self._arrange(act, self.world.now + max(act.at, 1))

    # --- the fair end ----------------------------------------------------------------------------------------------------

    def turn_fair(self) -> None:
        """Nothing goes wrong any more, and what is late comes; what trains carry then is passed over."""
        self.fair_since = self.world.now
        self._upon.clear()
        self.world.turn_fair()
        for turn in WHEN_FAIR:
            turn(self)
        self.world.run(self.world.now + LONGEST_DELAY)
        for turn in WHEN_FAIR:  # an act of a person that was late came only now
            turn(self)
        trains = [instance for instance in self.instances if self.policies[instance].strategy is Strategy.EVERY]
        for instance in trains:
            for place, offer in enumerate(self.state(instance).life.offers):
                passed = PassOver(by="ann", instance=instance, release=offer.release)
                self._arrange(passed, self.world.now + place // AT_ONCE * MINUTE)
        for instance in self.instances:
            self._arrange(Resume(by="ann", instance=instance), self.world.now + HOUR)

    def _released(self, number: int) -> None:
        """Release one more fix, which every person approves, and require it at every instance."""
        for application in sorted({self.parts(instance)[0] for instance in self.instances}):
            self._arrange(self._fix(application, f"{FIX + number}.0.0"), self.world.now + MINUTE)
        until = self.world.now + self.plan.fair
        self._voted_on_for_an_hour()
        while self.world.now < until and any(self._missing()):
            self._voted_on_for_an_hour()
        for missing in self._missing():
            raise Broken("settled", missing, self.world.history[-1])
        self.net.preconditions["settled"] += len(self.instances)

    def _reconfigured(self) -> None:
        """20: where nothing is vetoed each instance finalizes the configuration in force."""
        for application in sorted({self.parts(instance)[0] for instance in self.instances}):
            self._arrange(ChangeConfiguration(by="ann", application=application), self.world.now + MINUTE)
        until = self.world.now + self.plan.fair
        self._voted_on_for_an_hour()
        while self.world.now < until and any(self._missing()):
            self._voted_on_for_an_hour()
        for missing in self._missing():
            raise Broken("configured", missing, self.world.history[-1])
        self.net.preconditions["configured"] += len(self.instances)

    def _voted_on_for_an_hour(self) -> None:
        """Let all people approve every request repeatedly for an hour."""
        for minute in range(1, 60, 19):
            for person in self.people:
                self._arrange(CastVote(by=person.name, ahead=True), self.world.now + minute * MINUTE)
        self.world.run(self.world.now + HOUR)

    def _fix(self, application: str, version: str) -> RequestRelease:
        mine = [instance for instance in self.instances if self.parts(instance)[0] == application]
        named = (instance for instance in mine if self.policies[instance].strategy is not Strategy.MIRROR)
        return RequestRelease(
            by="ann",
            application=application,
            services=dict.fromkeys(sorted({self.parts(instance)[1] for instance in mine}), version),
            channels=tuple(dict.fromkeys(self.parts(instance)[2] for instance in named)),
            behaves={instance: Behaviour(3 * SECOND) for instance in mine},
        )

    def _missing(self) -> Iterator[str]:
        """Liveness: who has not finalized the last fix, and why not."""
        for instance in self.instances:
            state = self.state(instance)
            if condition(state, self.world.now) is Condition.CONVERGED and self._converged(instance, state):
                continue
            reasons = "; ".join(reason.text for reason in explain(state, self.world.now)) or condition(state, self.world.now)
            yield f"{instance} did not converge on the fix: {reasons}"

    def _rests(self) -> None:
        """Once everything has converged nothing is written any more, but that an order has ended (§10.8)."""
        self.world.run(self.world.now + HOUR)
        turns = self.world.turns
        self.world.run(self.world.now + QUIET)
        busy = [turn for turn in self.world.history if turn.number > turns and not _expires(turn)]
        if busy:
            raise Broken("settled", f"{len(busy)} turns although nothing changed", busy[-1])
        self.net.at_the_end(self.world)

    def _converged(self, instance: str, state: InstanceState) -> bool:
        application, service, _ = self.parts(instance)
        good, line = offer_of(state.life, state.life.good), self.world.states.get(line_entity(application))
        if good is None or not isinstance(line, LineState):
            return False
        in_force = self.revisions.get(within(application, service), "")
        return good.version.same(line.latest[service].version) and good.version.revision == in_force


def _expires(turn: TurnRecord) -> bool:
    """Whether an order of a person ended in this turn."""
    records = (given.event for given in turn.decision.instructions if isinstance(given, Record))
    return any(event.kind == "expired" for event in records)
