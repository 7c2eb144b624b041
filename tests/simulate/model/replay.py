"""Replays a recorded path of the model in a small world: real decisions of the core, real line, topics and acts of people.

Where one step of the model is several acts here, a comment explains it and cites the paragraph of the law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from setpoint.core.facts import AnyFact, Pinned, ReleaseRequested, RolledBack, Skipped, Voted
from setpoint.core.instance.gates import approval as approvals_gate
from setpoint.core.instance.gates.context import halves
from setpoint.core.instance.state import offer_of, version_offer
from setpoint.core.instructions import RunCheck
from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.people import By
from setpoint.model.policy import ApprovalUse, CheckUse, Ordering, Phase, Policy, Strategy
from setpoint.model.release import Offer, Pair
from setpoint.model.time import DAY, HOUR
from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.acts.marking import CancelRelease, Mark
from setpoint.simulate.acts.overrides import Resume, Unpin
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.explore.explorer import ExploredPath, FixedRng, SmallWorld
from setpoint.simulate.world.environment import Environment

PATHS = FilePath(__file__).parent / "paths"
LONGEST = 10_000 * DAY
"""Duration of the check of a rollout, unless the path ends it before."""
ZOE = By("zoe")
WHEN = {"always": None, "person": "by=person", "version": "change=version"}


class Channel(msgspec.Struct, forbid_unknown_fields=True):
    """One channel of a scenario."""

    name: str
    after: str = ""
    strategy: Strategy = Strategy.NEWEST_READY
    approvals: str = ""
    manual: bool = False
    rollback: bool = True


class State(msgspec.Struct, frozen=True, array_like=True):
    """A channel in the model: versions are numbers of releases, configurations are counted from the first change."""

    target: tuple[int, int] | None = None
    good: tuple[int, int] | None = None
    rolling: bool = False
    pin: int = 0

    def words(self) -> str:
        """Return it as text for the message of a failed test."""
        rolling = " (rolling out)" if self.rolling else ""
        pin = f", pinned to v{self.pin}" if self.pin else ""
        return f"target {_words(self.target)}{rolling}, good {_words(self.good)}{pin}"


def _words(pair: tuple[int, int] | None) -> str:
    return f"v{pair[0]}/R{pair[1]}" if pair else "none"


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """One act, and the channels that are in another state then: each whole."""

    act: str
    at: str = ""
    release: int = 0
    revision: int = 0
    to: tuple[str, ...] = ()
    pair: tuple[int, int] = (0, 0)
    then: dict[str, State] = {}

    def words(self) -> str:
        """Return it as text for the message of a failed test."""
        parts = [
            self.act,
            *([f"release {self.release}"] if self.release else []),
            *([f"R{self.revision}"] if self.revision else []),
            *([_words(self.pair)] if self.pair != (0, 0) else []),
            *([f"at {self.at}"] if self.at else []),
            *([f"to {', '.join(self.to)}"] if self.to else []),
        ]
        return " ".join(parts)


Path = tuple[Step, ...]


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    """A scenario of the model, with a sample of its paths."""

    scenario: str
    channels: tuple[Channel, ...]
    paths: tuple[Path, ...]
    differences: dict[str, Path] = {}
    """Known difference -> the path to it."""


def scenario(file: FilePath) -> Scenario:
    """Read a recorded scenario."""
    return msgspec.json.decode(file.read_bytes(), type=Scenario)


# --- the world ---------------------------------------------------------------------------------------------------------


def instance_of(channel: str) -> str:
    """The instance of the one service in a channel."""
    return f"app/web@{channel}"


def policy(channel: Channel) -> Policy:
    """Return a policy whose rollouts end by a check after deployment, so that a path decides when and how they end."""
    instance = instance_of(channel.name)
    verdict = CheckDefinition(
        f"verdict-{channel.name}", "program", f"attempt:{instance}", interval=HOUR, timeout=2 * LONGEST, max_age=3 * LONGEST
    )
    approval = ApprovalUse("lead", "lead", f"channel:app/{channel.name}", approvers=("group:leads",))
    when = WHEN[channel.approvals] if channel.approvals else None
    return Policy(
        instance,
        {"application": "app", "channel": channel.name, "service": "web", "runtime": "local"},
        strategy=Strategy.MANUAL if channel.manual else channel.strategy,
        orderings=(Ordering("after", (instance_of(channel.after),), (channel.after,)),) if channel.after else (),
        checks=(CheckUse("verdict", Phase.POST_DEPLOYMENT, verdict),),
        approvals=(replace(approval, when=parse_selector(when) if when else None),) if channel.approvals else (),
        auto_rollback=channel.rollback,
    )


class Patient(FixedRng):
    """Nothing is left to chance, and a check runs until its path ends it."""

    def between(self, low: int, high: int, what: str, whom: str) -> int:
        return high if what == "check" else super().between(low, high, what, whom)


class ReleaseTo(RequestRelease, frozen=True, kw_only=True, omit_defaults=True):
    """A release names only the channels that it is sent to (§3)."""

    def _request(self, stage: Environment, request: str) -> AnyFact:
        requested = super()._request(stage, request)
        assert isinstance(requested, ReleaseRequested)
        named = {one: spec for one, spec in requested.specs.items() if not self.channels or stage.parts(one)[2] in self.channels}
        return replace(requested, specs=named, after={one: requested.after[one] for one in named})


@dataclass(frozen=True)
class Difference:
    """Where the core and the model part."""

    path: Path
    """Up to and with the act after which they differ."""
    core: dict[str, State]
    """The channels in which the core differs."""
    what: str

    def words(self) -> str:
        """Return the path and the difference as text."""
        acts = "\n".join(f"  {number}. {step.words()}" for number, step in enumerate(self.path, 1))
        return f"after\n{acts}\n{self.what}"


class Replay:
    """One path in a small world, act by act."""

    def __init__(self, channels: tuple[Channel, ...]) -> None:
        self.names = [channel.name for channel in channels]
        self.play = ExploredPath(SmallWorld("a path of the model", tuple(policy(channel) for channel in channels), ()))
        self.world = self.play.explored
        self.world.rng = Patient(0)
        self.world.check = None  # the model judges here, not the invariants
        self.world.checks.takes = {f"verdict-{name}": LONGEST for name in self.names}
        self.revisions = [0]
        """Number of a configuration in the model -> its number in the world."""
        self.offers: dict[tuple[str, int], Offer] = {}
        """(Instance, release) -> its offer."""

    def step(self, step: Step) -> None:
        """Perform an act, and let the world settle."""
        self._ACTS[step.act](self, step)
        self._settle()

    def state(self, channel: str) -> State:
        """Return the state of a channel in the core."""
        life = self.play.state(instance_of(channel)).life
        rolling = life.rollout is not None and not life.rollout.back
        return State(self._pair(life.target), self._pair(life.good), rolling, life.pin)

    def running(self, channel: str) -> str:
        """Return the spec that runs in a channel."""
        return self.play.runtimes.place(instance_of(channel)).running

    def spec(self, channel: str, pair: tuple[int, int] | None) -> str:
        """Return the spec that a pair of the model stands for in a channel."""
        if pair is None:
            return ""
        variant = f"/R{self.revisions[pair[1]]}" if pair[1] else ""
        return f"{_name(pair[0])}/{instance_of(channel)}{variant}"

    def _pair(self, pair: Pair) -> tuple[int, int] | None:
        return (pair.release, self.revisions.index(pair.configured)) if pair else None

    def _number(self, pair: tuple[int, int]) -> Pair:
        return Pair(pair[0], self.revisions[pair[1]])

    def _settle(self) -> None:
        """Run the world until only the ends of checks are left to happen."""
        self.world.settle()
        self.world.run(self.world.now + DAY)
        assert {what for _, what, _ in self.world.agenda()} <= {"checked"}, self.world.agenda()

    # --- acts ----------------------------------------------------------------------------------------------------------

    def _release(self, step: Step) -> None:
        self.play.perform(ReleaseTo(by="zoe", application="app", services={"web": _name(step.release)}, channels=step.to))
        self.world.settle()
        for name in self.names:
            if offer := version_offer(self.play.state(instance_of(name)).life, step.release):
                self.offers[instance_of(name), step.release] = offer

    def _apply(self, step: Step) -> None:
        assert step.revision == len(self.revisions)
        self.play.perform(ChangeConfiguration(by="zoe", application="app"))
        self.revisions.append(self.play.revision)

    def _finalize(self, step: Step) -> None:
        self._verdict(step.at, Outcome.PASSING)

    def _fail(self, step: Step) -> None:
        self._verdict(step.at, Outcome.BLOCKING)

    def _verdict(self, channel: str, outcome: Outcome) -> None:
        """End the check of the rollout that is under way there."""
        rollout = self.play.state(instance_of(channel)).life.rollout
        assert rollout is not None, f"nothing is rolled out to {channel}"
        attachment = rollout.attempt.gates["verdict"].attachment
        self.world.checks.timetable[f"verdict-{channel}"] = [(self.world.now, outcome)]
        for operation, (entity, given) in list(self.world.effects.operations.items()):
            if entity == attachment and isinstance(given, RunCheck):
                self.world.effects.happen("checked", (attachment, operation, self.world.now))

    def _approve(self, step: Step) -> None:
        self._vote(step, yes=True)

    def _reject(self, step: Step) -> None:
        """The model rejects an attempt and vetoes what it changes: a person rejects the release that brings that (§10.1)."""
        self._vote(step, yes=False)

    def _vote(self, step: Step, *, yes: bool) -> None:
        for use in self.play.policies[instance_of(step.at)].approvals:
            self.world.post(approvals_gate.topic(use, step.release, 0), Voted(person=self.play.person("ann"), yes=yes))

    def _pin(self, step: Step) -> None:
        """A pin names a version, also one that the instance has dropped: the command finds its offer (§3)."""
        instance = instance_of(step.at)
        offer = version_offer(self.play.state(instance).life, step.release) or self.offers[instance, step.release]
        self.play.send(instance, Pinned(by=ZOE, offer=offer))

    def _unpin(self, step: Step) -> None:
        self.play.perform(Unpin(by="zoe", instance=instance_of(step.at)))

    def _roll_back(self, step: Step) -> None:
        """One step of the model: a rollback by hand to a former version, which sets a hold, and the end of that hold (§3)."""
        instance = instance_of(step.at)
        offer = offer_of(self.play.state(instance).life, self._number(step.pair))
        assert offer is not None, f"{step.at} has dropped {_words(step.pair)}"
        self.play.send(instance, RolledBack(by=ZOE, offer=offer))
        self._settle()
        self.play.perform(Resume(by="zoe", instance=instance))

    def _skip(self, step: Step) -> None:
        """The model skips the ordering of an attempt: here a person skips it for each release that the attempt brings (§7)."""
        instance = instance_of(step.at)
        life = self.play.state(instance).life
        offer = offer_of(life, self._number(step.pair))
        assert offer is not None, f"{step.at} does not know {_words(step.pair)}"
        for half in halves(life, offer):
            self.play.send(instance, Skipped(by=ZOE, release=half.release, gate="after"))

    def _mark_bad(self, step: Step) -> None:
        self.play.perform(Mark(by="zoe", application="app", service="web", version=_name(step.release)))

    def _cancel(self, step: Step) -> None:
        self.play.perform(CancelRelease(by="zoe", application="app", release=step.release))

    _ACTS: ClassVar[dict[str, Callable[[Replay, Step], None]]] = {
        "release": _release,
        "apply": _apply,
        "finalize": _finalize,
        "fail": _fail,
        "approve": _approve,
        "reject": _reject,
        "pin": _pin,
        "unpin": _unpin,
        "roll-back": _roll_back,
        "skip": _skip,
        "mark-bad": _mark_bad,
        "cancel": _cancel,
    }


def _name(release: int) -> str:
    return f"{release}.0.0"


def difference(channels: tuple[Channel, ...], path: Path) -> Difference | None:
    """Return where the core first differs from the model; None: nowhere."""
    replay = Replay(channels)
    expected = {channel.name: State() for channel in channels}
    for number, step in enumerate(path, 1):
        expected.update(step.then)
        try:
            replay.step(step)
        except (AssertionError, LookupError, ValueError) as error:  # an act that is not possible in the core
            return Difference(path[:number], {}, f"{type(error).__name__}: {error}")
        found = {name: replay.state(name) for name, by_model in expected.items() if replay.state(name) != by_model}
        words = "; ".join(f"{name}: the model has {expected[name].words()}; the core has {found[name].words()}" for name in found)
        if words := words or "; ".join(_not_running(replay, expected)):
            return Difference(path[:number], found, words)
    return None


def _not_running(replay: Replay, expected: dict[str, State]) -> Iterator[str]:
    for name, by_model in expected.items():
        if (running := replay.running(name)) != (spec := replay.spec(name, by_model.target)):
            yield f"{name}: {spec or 'nothing'} is target, and {running or 'nothing'} runs"
