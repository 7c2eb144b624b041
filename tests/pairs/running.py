"""One drawn configuration in virtual time: applied, released, failed once, rolled back once, with a reason at every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.reading.limits import rosters
from setpoint.core.admission import ENTITY
from setpoint.core.facts import Configured, InvariantConfigured, LimitsConfigured, ReleaseRequested
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.state import offer_of
from setpoint.model.people import Person
from setpoint.model.policy import Strategy
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Version
from setpoint.model.time import DAY, HOUR, MINUTE
from setpoint.simulate.acts.voting import CastVote
from setpoint.simulate.invariants import Broken, Invariants
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.host import START, TurnRecord, World
from setpoint.simulate.world.rng import Rng
from setpoint.simulate.world.runtimes import Behaviour, Runtimes

FIRST, BROKEN, FIX = "1.0.0", "2.0.0", "3.0.0"
PATIENCE = 5 * DAY
"""Within which every release must have arrived: all windows are daily."""
PEOPLE = (Person("eve", ("leads",)), Person("bob", ("leads",)), Person("dev"))
OF_USERS = "yours"
SAID_NOTHING = frozenset({Condition.CONVERGED})


class Stuck(AssertionError):  # noqa: N818 - it reads "raise Stuck", and tests fail by it
    """What should have happened did not, or without a reason."""


@dataclass
class PairOutcome:
    """What came of one configuration."""

    reasons: set[str] = field(default_factory=set)
    """Codes of every reason that was given."""
    failed: set[str] = field(default_factory=set)
    rolled_back: set[str] = field(default_factory=set)
    violated: set[str] = field(default_factory=set)
    """Invariants of the configuration's own."""
    arrived: dict[str, set[str]] = field(default_factory=dict)
    """Version -> the instances that finalized it."""


class PairRun(Environment):
    """A configuration in a world without faults."""

    def __init__(self, configuration: CompiledConfiguration) -> None:
        self.configuration = configuration
        policies = {name: configuration.policy(name) for name in configuration.all_instances}
        self._net = Invariants()
        world = World(Rng(1), Runtimes({}), Checks({}, {}), check=self._check)
        super().__init__(world, policies, PEOPLE)
        self.outcome = PairOutcome()
        self._observed = any(policy.drift.mode == "observe" for policy in policies.values())

    def _check(self, world: World, turn: TurnRecord) -> None:
        """Every invariant of the engine; one of the configuration's own may be violated: that is what it is for."""
        try:
            self._net(world, turn)
        except Broken as broken:
            if broken.name != OF_USERS:
                raise
            self.outcome.violated.add(turn.entity)

    def go(self) -> PairOutcome:
        """All of it. Raises Stuck."""
        self._apply()
        self._release(FIRST)
        self._until_it_rests(FIRST)
        self._check_arrived(FIRST)
        self._release(BROKEN, Behaviour(becomes="failing"))
        self._until_it_rests()
        self._check_failed()
        self._release(FIX)
        self._until_it_rests(FIX)
        self._check_arrived(FIX)
        return self.outcome

    def _apply(self) -> None:
        for instance, policy in self.policies.items():
            self.world.post(f"instance:{instance}", Configured(policy=policy, number=1))
        if self.configuration.groups:
            self.world.post(ENTITY, LimitsConfigured(number=1, groups=self.configuration.groups))
        for name, invariant in self.configuration.invariants.items():
            self.world.post(f"invariant:{name}", InvariantConfigured(number=1, invariant=invariant))
        self.world.run(START + MINUTE)

    def _release(self, version: str, behaviour: Behaviour | None = None) -> None:
        """To every channel by name, so that those that take only what is sent to them get it."""
        mine = list(self.policies)
        specs = {instance: f"{version}/{instance}" for instance in mine}
        for digest in specs.values():
            self.runtimes.behaviours[digest] = behaviour or Behaviour()
        services = {self.parts(instance)[1] for instance in mine}
        named = [one for one in mine if self.policies[one].strategy is not Strategy.MIRROR]
        self.requests += 1
        fact = ReleaseRequested(
            request=str(self.requests),
            release=Release(
                "shop",
                {service: ServiceVersion(Version(version)) for service in sorted(services)},
                channels=tuple(dict.fromkeys(self.parts(one)[2] for one in named)),
                author="dev",
            ),
            specs=specs,
            after={one: tuple(other.instance for other in self.policies[one].services) for one in specs},
            sets=self.configuration.together("shop"),
            floors={one: floor for one in specs if (floor := self.configuration.not_below(one, version, {}))},
            waves=rosters(self.configuration, specs),
        )
        self.world.post("line:shop", fact)

    def _until_it_rests(self, version: str = "") -> None:
        """People approve every hour; every instance that is not converged has a reason, whenever one looks."""
        until = self.world.now + PATIENCE
        while self.world.now < until and not (version and self._all_at(version)):
            for person in self.people:
                CastVote(by=person.name).perform(self)
            self.world.run(self.world.now + HOUR)
            for instance in self.policies:
                self._look(instance)

    def _look(self, instance: str) -> None:
        state = self.state(instance)
        found = explain(state, self.world.now)
        self.outcome.reasons |= {reason.code for reason in found}
        if condition(state, self.world.now) not in SAID_NOTHING and not found:
            raise Stuck(f"{instance} is {condition(state, self.world.now)} without a reason")
        for place in self.runtimes.place(instance).applies:
            if place[2].startswith(BROKEN):
                self.outcome.failed.add(instance)
        good, target = offer_of(state.life, state.life.good), offer_of(state.life, state.life.target)
        if good is not None:
            self.outcome.arrived.setdefault(good.version.name, set()).add(instance)
        if instance in self.outcome.failed and good and target and good.version.name == target.version.name == FIRST:
            self.outcome.rolled_back.add(instance)

    def _check_arrived(self, version: str) -> None:
        """Everywhere, or where not, for a reason that is not only a wait for others."""
        for missing in self._missing(version):
            raise Stuck(missing)

    def _all_at(self, version: str) -> bool:
        there = self.outcome.arrived.get(version, set())
        return len(there) == len(self.policies)

    def _missing(self, version: str) -> Iterator[str]:
        for instance in self.policies:
            if instance not in self.outcome.arrived.get(version, set()):
                state = self.state(instance)
                if self._observed and explain(state, self.world.now):
                    continue  # it is not touched, or waits for one that is not
                texts = "; ".join(reason.text for reason in explain(state, self.world.now)) or "and no reason is given"
                yield f"{instance} has not come to {version}: {condition(state, self.world.now)}: {texts}"

    def _check_failed(self) -> None:
        """What moved to the broken version failed; it went back unless it must not."""
        if not self.outcome.failed:
            raise Stuck(f"nothing was ever applied of {BROKEN}: {list(self._missing(BROKEN))}")
        if BROKEN in self.outcome.arrived:
            raise Stuck(f"{BROKEN} became good at {self.outcome.arrived[BROKEN]}")
        staying = {name for name in self.outcome.failed if not self.policies[name].auto_rollback}
        for instance in sorted(self.outcome.failed - self.outcome.rolled_back - staying):
            texts = [reason.text for reason in explain(self.state(instance), self.world.now)]
            if not any("irreversible" in text or "one-way" in text or "not rolled back" in text for text in texts):
                raise Stuck(f"{instance} failed at {BROKEN} and did not go back: {texts}")


def run_configuration(configuration: CompiledConfiguration) -> PairOutcome:
    """Take a configuration through its outcome. Raises Stuck, or Broken where an invariant does not hold."""
    return PairRun(configuration).go()
