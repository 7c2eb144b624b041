"""Worlds drawn from a seed: some services and channels, every kind of gate, people and runtimes at their worst; then a fair end.

A run has two halves. In the first, faults are injected and people act at random. Then the world turns fair: checks pass, runtimes
answer, a fix is released, everybody approves it, pins and holds are lifted. *settled* asks that everything converges on the fix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from msgspec.structs import replace

from setpoint.core import scope
from setpoint.core.facts import (
    AnyFact,
    Cancelled,
    Configured,
    Healing,
    Held,
    Marked,
    Observing,
    Offered,
    Paused,
    Pinned,
    ReleaseRequested,
    Resumed,
    Retried,
    RolledBack,
    Skipped,
    Started,
    Stopped,
    Unpaused,
    Unpinned,
    Voted,
)
from setpoint.core.instance import gates
from setpoint.core.instance.explain import Condition, condition, explain
from setpoint.core.instance.selection import RELEASE
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.core.line import LineState
from setpoint.model.calendars import Calendar, Window
from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.people import By, Person
from setpoint.model.policy import Accepts, ApprovalUse, Cadence, CalendarUse, CheckUse, Ordering, Phase, Policy, Strategy
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.selector import parse_selector
from setpoint.model.spec import Version
from setpoint.model.time import HOUR, MINUTE, SECOND, Instant
from setpoint.simulate.checks import Checks
from setpoint.simulate.invariants import Broken, Invariants
from setpoint.simulate.runtimes import Behaviour, Runtimes
from setpoint.simulate.world import START, Faults, World

UNFAIR = 6 * HOUR
FAIR = 18 * HOUR
CHANNELS = ("staging", "production", "acme", "mirror")
PEOPLE = (Person("ann", ("leads",)), Person("bob", ("leads",)), Person("cleo", ()), Person("dan", ("leads", "customer")))


@dataclass
class Outcomes:
    """What a run came to."""

    seed: int
    world: World
    net: Invariants
    desired: int = 0
    """Release that everything must have converged on."""


class Scenario:
    """One world and those who act on it."""

    def __init__(self, seed: int, *, faults: Faults | None = None, services: int = 0) -> None:
        self.random = Random(seed)  # noqa: S311 - it must replay
        self.seed = seed
        draw = self.random
        self.services = tuple(f"s{number}" for number in range(services or draw.randint(1, 2)))
        self.channels = CHANNELS[: draw.randint(1, 3)] + (("mirror",) if draw.random() < 0.4 else ())
        self.runtimes = Runtimes({})
        self.checks = Checks(draw)
        self.net = Invariants()
        self.world = World(draw, self.runtimes, self.checks, faults or _some_faults(draw), self.net)
        self.policies = {instance: self._policy(instance) for instance in self._instances()}
        self.requests = 0
        self.signals = 0
        self.revision = 1

    # --- what is configured ----------------------------------------------------------------------------------------------

    def _instances(self) -> list[str]:
        return [f"app/{service}@{channel}" for service in self.services for channel in self.channels]

    def _before(self, channel: str) -> str:
        return {
            "production": "staging",
            "acme": "production",
            "mirror": "production" if "production" in self.channels else "staging",
        }.get(channel, "")

    def _policy(self, instance: str) -> Policy:
        draw, channel = self.random, gates.channel_of(instance)
        service = instance.rpartition("@")[0]
        before = self._before(channel)
        mirrors = channel == "mirror"
        orderings: tuple[Ordering, ...] = ()
        if before and not mirrors:
            soak = draw.choice((0, 0, 5 * MINUTE, 40 * MINUTE))
            orderings = (
                Ordering(
                    "after", (f"{service}@{before}",), (before,), soak=soak, when=parse_selector("!urgent") if soak else None
                ),
            )
        return Policy(
            instance,
            {"application": "app", "channel": channel, "service": service.partition("/")[2], "runtime": "local"},
            strategy=Strategy.MIRROR if mirrors else self._strategy(),
            mirror=f"{service}@{before}" if mirrors else "",
            orderings=orderings,
            accepts=Accepts("*", max_step="major") if draw.random() < 0.2 else None,
            checks=self._check_uses(instance, channel),
            approvals=self._approvals(channel),
            calendars=self._calendars(),
            cadence=self._cadence(),
            progress_deadline=2 * MINUTE,
            grace=10 * SECOND,
            auto_rollback=draw.random() > 0.1,
        )

    def _strategy(self) -> Strategy:
        every = (Strategy.NEWEST_READY, Strategy.NEWEST, Strategy.EVERY, Strategy.MANUAL)
        return self.random.choices(every, weights=(5, 2, 2, 1))[0]

    def _check_uses(self, instance: str, channel: str) -> tuple[CheckUse, ...]:
        draw, found = self.random, []
        for name in ("alerts", "migrated", "probe"):
            for phase in (Phase.PRE_APPROVAL, Phase.PRE_DEPLOYMENT, Phase.DEPLOYMENT, Phase.POST_DEPLOYMENT):
                if draw.random() < 0.22:
                    subject = f"channel:app/{channel}" if draw.random() < 0.6 else f"attempt:{instance}"
                    options = {"version": "${version}"} if subject.startswith("attempt") else {}
                    interval, timeout = 20 * SECOND, 5 * SECOND
                    check = CheckDefinition(name, "program", subject, options, {}, {}, interval, timeout, 2 * interval + timeout)
                    window = draw.choice((0, 0, 90 * SECOND)) if phase in {Phase.PRE_DEPLOYMENT, Phase.POST_DEPLOYMENT} else 0
                    delay = draw.choice((0, 30 * SECOND)) if phase is Phase.POST_DEPLOYMENT else 0
                    on_fail = draw.choice(("fail", "wait"))
                    tolerate = draw.choice((0, 1)) if window else 0
                    name_of_use = f"{name}-{phase}"
                    use = CheckUse(name_of_use, phase, check, window=window, delay=delay, tolerate=tolerate, on_fail=on_fail)
                    found.append(replace(use, informational=draw.random() < 0.1))
        return tuple(found)

    def _approvals(self, channel: str) -> tuple[ApprovalUse, ...]:
        draw = self.random
        if channel == "staging" or draw.random() < 0.5:
            return ()
        return (
            ApprovalUse(
                "release-manager",
                "release-manager",
                f"channel:app/{channel}",
                approvers=draw.choice((None, ("group:leads",))),
                min=draw.choice((1, 1, 2)),
                expires=draw.choice((0, 20 * MINUTE)),
            ),
        )

    def _calendars(self) -> tuple[CalendarUse, ...]:
        if self.random.random() > 0.25:
            return ()
        window = Window(hours=(0, 24 * 60)) if self.random.random() < 0.3 else Window(hours=(2 * 60, 20 * 60))
        return (CalendarUse("hours", Calendar("hours", open=(window,)), "UTC", when=parse_selector("!urgent")),)

    def _cadence(self) -> Cadence | None:
        if self.random.random() > 0.15:
            return None
        quarters = tuple(Window(hours=(start * 60, (start + 4) * 60)) for start in range(0, 24, 4))
        return Cadence(Calendar("quarters", open=quarters), "UTC")

    # --- what people do --------------------------------------------------------------------------------------------------

    def release(
        self, *, name: str = "", urgent: bool = False, behaviour: Behaviour | None = None, addressed: bool = False
    ) -> int:
        """Release one version of every service to every channel."""
        self.requests += 1
        again = self.requests > 1 and not behaviour and self.random.random() < 0.1
        name = name or f"1.{self.random.randint(1, self.requests - 1) if again else self.requests}.0"
        specs = {}
        for instance in self._instances():
            digest = f"{name}/{instance}"
            self.runtimes.behaviours.setdefault(digest, behaviour or self._behaviour())
            specs[instance] = digest
        named = tuple(channel for channel in self.channels if addressed and channel != "mirror")
        wanted = {service: ServiceVersion(Version(name)) for service in self.services}
        release = Release("app", wanted, channels=named, author=self.random.choice(PEOPLE).name, urgent=urgent)
        self.world.post("line:app", ReleaseRequested(request=str(self.requests), release=release, specs=specs))
        return self.requests

    def _behaviour(self) -> Behaviour:
        draw = self.random
        kind = draw.random()
        takes = draw.randint(1, 20) * SECOND
        if kind < 0.62:
            return Behaviour(takes, spoils=draw.random() < 0.15)
        if kind < 0.72:
            return Behaviour(takes, "failing")
        if kind < 0.78:
            return Behaviour(takes, "hangs")
        if kind < 0.86:
            return Behaviour(takes, sickens=draw.randint(5, 120) * SECOND)
        return Behaviour(takes, refusals=draw.randint(1, 3)) if kind < 0.95 else Behaviour(takes, terminal=True)

    def _state(self, instance: str) -> InstanceState:
        return self.world.states.get(f"instance:{instance}") or InstanceState()

    def vote(self, *, yes: bool = True, everybody: bool = False) -> None:
        """Say yes or no wherever somebody is asked."""
        for instance in self._instances():
            state = self._state(instance)
            candidate = state.life.candidate
            if candidate is None:
                continue
            for use in self.policies[instance].approvals:
                people = PEOPLE if everybody else (self.random.choice(PEOPLE),)
                for person in people:
                    topic = gates.topic(use, candidate.release, candidate.change)
                    self.world.post(topic, Voted(person=person, yes=yes))

    def _signal(self) -> None:
        instance = self.random.choice(self._instances())
        state = self._state(instance)
        by = By(self.random.choice(PEOPLE).name, "a whim")
        life, act = state.life, self.random.random()
        fact: AnyFact | None = None
        if act < 0.2 and life.candidate:
            gate = self.random.choice(["*", "after", *(use.name for use in self.policies[instance].checks)])
            fact = Skipped(by=by, release=life.candidate.release, gate=gate)
        elif act < 0.35 and life.offers and "mirror" not in instance:
            fact = Pinned(by=by, offer=self.random.choice(life.offers))
        elif act < 0.45:
            fact = Unpinned(by=by)
        elif act < 0.5:
            fact = Held(by=by)
        elif act < 0.6:
            fact = Resumed(by=by)
        elif act < 0.75:
            fact = RolledBack(by=by)
        elif life.vetoes or life.failure:
            fact = Retried(by=by)
        if fact:
            self._send(instance, fact)

    def _send(self, instance: str, fact: AnyFact) -> None:
        self._tell(f"instance:{instance}", fact)

    def _tell(self, entity: str, fact: AnyFact) -> None:
        self.signals += 1
        self.world.post(entity, replace(fact, id=str(self.signals)))

    def _mark(self) -> None:
        """Somebody finds a version bad, or good after all, or cancels a release."""
        by, act = By(self.random.choice(PEOPLE).name, "a finding"), self.random.random()
        release = self.random.randint(1, max(self.requests, 1))
        service, version = self.random.choice(self.services), f"1.{release}.0"
        if act < 0.7:
            self._tell("line:app", Marked(by=by, service=service, version=version, bad=act < 0.45))
        else:
            self._tell("line:app", Cancelled(by=by, release=release))

    def _stop(self) -> None:
        """Somebody stops or pauses a part of it, or only observes an instance; and lets it go on some time later."""
        by, act = By(self.random.choice(PEOPLE).name, "a storm"), self.random.random()
        instance = self.random.choice(self._instances())
        entity = self.random.choice(scope.above(self.policies[instance].labels))
        later = self.world.now + self.random.randint(1, 40) * MINUTE
        if act < 0.4:
            self._tell(entity, Stopped(by=by))
            self.world.at(later, lambda: self._tell(entity, Started(by=by)))
        elif act < 0.8:
            self._tell(entity, Paused(by=by))
            self.world.at(later, lambda: self._tell(entity, Unpaused(by=by)))
        else:
            self._send(instance, Observing(by=by))
            self.world.at(later, lambda: self._send(instance, Healing(by=by)))

    def _meddle(self) -> None:
        """Something happens to the runtime by itself."""
        instance = self.random.choice(self._instances())
        place, kind = self.runtimes.place(instance), self.random.random()
        if kind < 0.4:
            place.unreachable = True
            self.world.at(self.world.now + self.random.randint(1, 20) * MINUTE, lambda: self._reach(instance))
        elif kind < 0.7 and place.running:
            place.difference = self.random.choice(("a", "b"))
            place.stubborn = self.random.choice(("", "", place.difference))
        elif place.running:
            place.running, place.gone = "", True
        self.world.hint(f"instance:{instance}")

    def _reconfigure(self) -> None:
        """Somebody changes when an instance may deploy; what runs stays."""
        instance = self.random.choice(self._instances())
        new = self._policy(instance)
        self.policies[instance] = replace(new, strategy=self.policies[instance].strategy, mirror=self.policies[instance].mirror)
        self.revision += 1
        self.world.post(f"instance:{instance}", Configured(policy=self.policies[instance], number=self.revision))

    def _reach(self, instance: str) -> None:
        place = self.runtimes.place(instance)
        place.stubborn = ""
        place.unreachable, place.reachable_since = False, self.world.now
        self.world.hint(f"instance:{instance}")

    # --- the run ---------------------------------------------------------------------------------------------------------

    def run(self) -> Outcomes:
        """Both halves. Raises Broken at the first invariant that does not hold."""
        self._plan()
        self.world.run(START + UNFAIR)
        desired = self._turn_fair()
        self.world.run(self.world.now + FAIR)
        outcomes = Outcomes(self.seed, self.world, self.net, desired)
        self._settled(outcomes)
        return outcomes

    def _plan(self) -> None:
        draw, world = self.random, self.world
        for instance, policy in self.policies.items():
            world.post(f"instance:{instance}", Configured(policy=policy, number=1))
        acts: list[tuple[int, Callable[[], object]]] = [
            (draw.randint(4, 10), lambda: self.release(urgent=draw.random() < 0.15, addressed=draw.random() < 0.15)),
            (draw.randint(5, 25), self.vote),
            (draw.randint(0, 2), lambda: self.vote(yes=False)),
            (draw.randint(0, 16), self._signal),
            (draw.randint(0, 6), self._meddle),
            (draw.randint(0, 2), self._reconfigure),
            (draw.randint(0, 3), self._mark),
            (draw.randint(0, 3), self._stop),
        ]
        for count, act in acts:
            for _ in range(count):
                world.at(START + draw.randint(1, UNFAIR), act)
        for name in ("alerts", "migrated", "probe"):
            self.checks.timetable[name] = self._timetable()
            self.checks.takes[name] = draw.choice((200, 2 * SECOND, 5 * SECOND))

    def _timetable(self) -> list[tuple[Instant, Outcome]]:
        now, entries = START, []
        while now < START + UNFAIR:
            outcome = self.random.choices(list(Outcome), weights=(6, 2, 1, 1))[0]
            entries.append((now, outcome))
            now += self.random.randint(1, 60) * MINUTE
        return [*entries, (START + UNFAIR, Outcome.PASSING)]

    def _turn_fair(self) -> int:
        world = self.world
        world.faults = Faults(split=0.3)
        self.runtimes.fair = True
        by = By("ann", "all is well")
        for instance in self._instances():
            self._reach(instance)
            self._send(instance, Unpinned(by=by))
            self._send(instance, Resumed(by=by))
            self._send(instance, Healing(by=by))
            for entity in scope.above(self.policies[instance].labels):
                self._tell(entity, Started(by=by))
                self._tell(entity, Unpaused(by=by))
        for instance in self._instances():
            for release in range(1, self.requests + 1):
                self._send(instance, Skipped(by=by, release=release, gate=RELEASE))
        desired = self.release(behaviour=Behaviour(3 * SECOND), addressed=True)
        for minute in range(1, 12 * 60, 9):
            world.at(world.now + minute * MINUTE, lambda: self.vote(everybody=True))
        world.at(world.now + HOUR, self._resume_all)
        return desired

    def _resume_all(self) -> None:
        for instance in self._instances():
            self._send(instance, Resumed(by=By("ann", "again")))

    def _settled(self, outcomes: Outcomes) -> None:
        """Liveness: everything is finalized at the fix, and nothing is written any more."""
        for instance in self._instances():
            state = self._state(instance)
            self.net.preconditions["settled"] += 1
            if condition(state, self.world.now) is Condition.CONVERGED and self._converged(state, outcomes.desired):
                continue
            reasons = "; ".join(reason.text for reason in explain(state, self.world.now)) or condition(state, self.world.now)
            raise Broken("settled", f"{instance} did not converge on release {outcomes.desired}: {reasons}", self.world.story[-1])
        turns = self.world.turns
        self.world.run(self.world.now + 4 * HOUR)
        if self.world.turns > turns:
            raise Broken("settled", f"{self.world.turns - turns} turns although nothing changed", self.world.story[-1])

    def _converged(self, state: InstanceState, desired: int) -> bool:
        good = offer_of(state.life, state.life.good)
        line = self.world.states.get("line:app")
        wanted = line.latest[self.services[0]].version if isinstance(line, LineState) else None
        return state.life.good == desired or (good is not None and good.version == wanted)


def _some_faults(draw: Random) -> Faults:
    level = draw.choice((0.0, 0.02, 0.06))
    return Faults(
        duplicate=level,
        delay=level,
        reorder=0.2 if level else 0.0,
        crash=level / 10,
        forget=level / 4,
        split=draw.choice((0.0, 0.5)),
    )


__all__ = ["Offered", "Outcomes", "Scenario"]
