"""Simulated worlds, each by its seed, and experiments that need one of their own: crashes, a wild neighbour, endless releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from setpoint.core import decide as core
from setpoint.core.facts import AnyFact, Configured, Held, Offered, Pinned, Signal
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import Decision
from setpoint.model.checks import CheckDefinition
from setpoint.model.people import By
from setpoint.model.policy import CheckUse, Ordering, Phase, Policy, Strategy
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import HOUR, MINUTE, SECOND, Duration, Instant
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.invariants import Broken, Invariants
from setpoint.simulate.scenario import Outcomes, Scenario
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.faults import Faults
from setpoint.simulate.world.host import START, World
from setpoint.simulate.world.rng import Rng
from setpoint.simulate.world.runtimes import Behaviour, Runtimes

# --- many worlds -------------------------------------------------------------------------------------------------------


@dataclass
class Runs:
    """What many worlds came to."""

    seeds: int = 0
    preconditions: Counter[str] = field(default_factory=Counter)
    """How often each invariant had something to say."""
    broken: dict[str, list[str]] = field(default_factory=dict)
    """Invariant -> what went wrong, with the seed to replay it by."""

    def run(self, seed: int) -> None:
        scenario = Scenario(draw(seed))
        try:
            scenario.run()
        except Broken as broken:
            self.broken.setdefault(broken.name, []).append(f"seed {seed}: {broken}")
        self.seeds += 1
        self.preconditions += scenario.net.preconditions


# --- crashes ------------------------------------------------------------------------------------------------------------


def crashing(seed: int) -> tuple[Outcomes, list[str]]:
    """A world that is killed after every other turn, and the acts of people that its end no longer knows of."""
    scenario = Scenario(draw(seed, faults=Faults(crash=0.1, forget=0.3, split=0.5)))
    sent: dict[str, list[str]] = {}
    deliver = scenario.world.post

    def post(entity: str, fact: AnyFact) -> None:
        if isinstance(fact, Signal) and fact.id:
            sent.setdefault(entity, []).append(fact.id)
        deliver(entity, fact)

    scenario.world.post = post  # type: ignore[method-assign]
    outcomes = scenario.run()
    lost = []
    for entity, ids in sent.items():
        state = scenario.world.states[entity]
        kept = state.life.signals if isinstance(state, InstanceState) else state.signals
        lost += [f"{entity}: {identity}" for identity in ids[-10:] if identity not in kept]
    return outcomes, lost


# --- two applications in one world ----------------------------------------------------------------------------------------


class Pair:
    """Two instances without anything in common: ``calm`` is observed, ``wild`` fails, hangs and makes its own decisions raise."""

    def __init__(self, seed: int, *, with_neighbour: bool) -> None:
        self.random = Random(seed)
        self.runtimes = Runtimes({})
        self.checks = Checks()
        self.world = Lanes(Steady(0), self.runtimes, self.checks, Faults(split=0.0), Invariants())
        names = ("calm", "wild") if with_neighbour else ("calm",)
        plans = {name: Random(f"{seed}/{name}") for name in ("calm", "wild")}
        for name in names:
            self._plan(name, plans[name])

    def _plan(self, name: str, draw: Random) -> None:
        world, entity = self.world, f"instance:{name}/s@prod"
        check = CheckDefinition(
            f"check-{name}", "program", f"channel:{name}/prod", interval=20 * SECOND, timeout=5 * SECOND, max_age=MINUTE
        )
        uses = tuple(CheckUse(f"{phase}", phase, check) for phase in (Phase.PRE_DEPLOYMENT, Phase.POST_DEPLOYMENT))
        world.post(entity, Configured(policy=Policy(f"{name}/s@prod", {}, checks=uses, progress_deadline=2 * MINUTE)))
        for release in range(1, 9):
            self._release(entity, name, release, draw)
        if name == "wild":
            for _ in range(40):
                self._misbehave(entity, draw)

    def _release(self, entity: str, name: str, release: int, draw: Random) -> None:
        becomes = "healthy" if draw.random() < 0.7 else "failing"
        self.runtimes.behaviours[f"{name}/{release}"] = Behaviour(draw.randint(1, 30) * SECOND, becomes)
        offer = Offer(release, Version(f"1.{release}"), f"{name}/{release}")
        self.world.at(START + release * 20 * MINUTE, lambda: self.world.post(entity, Offered(offer=offer)))

    def _misbehave(self, entity: str, draw: Random) -> None:
        when, poison = START + draw.randint(1, 3 * HOUR), draw.random() < 0.5
        offer = Offer(99, Version("poison"), "poison")
        fact: AnyFact = Pinned(by=By("eve"), offer=offer) if poison else Held(by=By("eve"))
        self.world.at(when, lambda: self.world.post(entity, fact))


class Steady(Rng):
    """Chance that gives everybody the same, so that one application cannot change the other's luck."""

    def between(self, low: int, high: int, what: str, whom: str) -> int:
        return low

    def roll(self, what: str, whom: str) -> int:
        return 0


class Slowest(Rng):
    """Checks take as long as they may."""

    def between(self, low: int, high: int, what: str, whom: str) -> int:
        return high if what == "check" else super().between(low, high, what, whom)


class Lanes(World):
    """A host that sets turns aside that raise, as a real one does."""

    raised = 0

    def decided(self, entity: str, before: Any, facts: Sequence[AnyFact], now: Instant) -> Decision | None:
        if self.raises(entity, facts):
            self.raised += 1
            return None
        return core.decide(entity, before, facts, now)

    @staticmethod
    def raises(entity: str, facts: Sequence[AnyFact]) -> bool:
        """Which turns raise."""
        return "wild" in entity and any(isinstance(fact, Pinned) for fact in facts)


def pair(seed: int, *, with_neighbour: bool) -> Pair:
    """Run the calm one alone, or beside the wild one."""
    found = Pair(seed, with_neighbour=with_neighbour)
    found.world.run(START + 6 * HOUR)
    return found


def history(found: Pair, name: str) -> list[tuple[Instant, str]]:
    """Times and texts of one application's history."""
    return [(when, event.text) for when, entity, event in found.world.events if f":{name}/" in entity]


# --- a stream of releases -------------------------------------------------------------------------------------------------


class Stream:
    """One instance behind a slow gate, and a release every so often."""

    def __init__(self, strategy: str, *, check_takes: Duration, every: Duration) -> None:
        self.every = every
        self.releases = 0
        checks = Checks(takes={"load": check_takes})
        self.world = World(Slowest(1), Runtimes({}), checks, Faults(split=0.0), Invariants())
        about: dict[str, Any] = {"version": "${version}"}
        often: dict[str, Any] = {"interval": MINUTE, "timeout": 30 * MINUTE, "max_age": 32 * MINUTE}
        check = CheckDefinition("load", "program", "attempt:app/s@prod", about, **often)
        policy = Policy("app/s@prod", {}, strategy=Strategy(strategy), checks=(CheckUse("load", Phase.PRE_DEPLOYMENT, check),))
        self.world.post("instance:app/s@prod", Configured(policy=policy))
        if every:
            self._again()

    def _again(self) -> None:
        self.release()
        self.world.at(self.world.now + self.every, self._again)

    def release(self) -> None:
        self.releases += 1
        offer = Offer(self.releases, Version(f"1.{self.releases}"), f"spec-{self.releases}")
        self.world.post("instance:app/s@prod", Offered(offer=offer))

    def run(self, duration: Duration) -> None:
        self.world.run(self.world.now + duration)

    def state(self) -> InstanceState:
        state = self.world.states["instance:app/s@prod"]
        assert isinstance(state, InstanceState)
        return state

    def finalized(self) -> list[Instant]:
        return [when for when, _, event in self.world.events if event.kind == "finalized"]


__all__ = ["Ordering", "Pair", "Runs", "Stream", "crashing", "history", "pair"]
