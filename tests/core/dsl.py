"""One instance, told what happens in words: ``prod.offer(1, "1.0")``, ``prod.passing("alerts")``, ``prod.approve("ann")``."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from setpoint.core.decide import decide
from setpoint.core.facts import (
    Applied,
    Ask,
    CheckStatus,
    Configured,
    Fact,
    Failed,
    Finalization,
    From,
    Held,
    Neighbour,
    Observed,
    Offered,
    Part,
    Pinned,
    Reconfigured,
    Removed,
    Resumed,
    Retried,
    Revoked,
    RolledBack,
    Skipped,
    TopicStatus,
    Unobserved,
    Unpinned,
    Vote,
    Woken,
)
from setpoint.core.instance.explain import condition, desired, explain
from setpoint.core.instance.gates import approval as approvals_gate
from setpoint.core.instance.state import InstanceState, Life, offer_of
from setpoint.core.instructions import AnyInstruction, Apply, Event, Publish, Record, Send
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.observation import Object, Observation
from setpoint.model.people import By, Person
from setpoint.model.policy import ApprovalUse, CalendarUse, CheckUse, Ordering, Phase, Policy
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.spec import Scalar, Version
from setpoint.model.time import MINUTE, SECOND

START = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
NAME = "app/web@production"
LEADS = {name: Person(name, ("leads",)) for name in ("ann", "bob", "cleo")}


def check(name: str, phase: Phase = Phase.PRE_DEPLOYMENT, *, subject: str = "channel:app/production", **more: Any) -> CheckUse:
    """One use of a check that runs every 20 s and is fresh for 45 s."""
    options = more.pop("options", {})
    definition = CheckDefinition(name, "program", subject, options, interval=20 * SECOND, timeout=5 * SECOND, max_age=45 * SECOND)
    return CheckUse(name, phase, definition, **more)


def after(channel: str = "staging", **more: Any) -> Ordering:
    """Ordered after another channel."""
    return Ordering("after", (f"app/web@{channel}",), (channel,), **more)


def approval(**more: Any) -> ApprovalUse:
    """One topic, asked for this channel."""
    return ApprovalUse("release-manager", "release-manager", "channel:app/production", **more)


def hours(start: int, end: int) -> CalendarUse:
    """Open between two hours of the day, UTC."""
    return CalendarUse("hours", Calendar("hours", open=(Window(hours=(start * 60, end * 60)),)), "UTC")


def version(name: str) -> Version:
    """``1.0``, or with the revision of a newer configuration: ``1.0/R1``."""
    name, _, revision = name.partition("/")
    return Version(name, revision=revision)


def spec_of(name: str, revision: str = "") -> str:
    """Digest of the spec that runs a version in a configuration."""
    return f"spec-{name}/{revision}" if revision else f"spec-{name}"


def with_revision(offer: Offer | None) -> str:
    """``1.0/R1`` of what runs 1.0 in the configuration R1; ``1.0`` in the one before the first change."""
    version = offer.version if offer else Version("")
    return f"{version.name}/{version.revision}" if version.revision else version.name


def short(status: dict[str, Any]) -> dict[str, Any]:
    """Parts of a status, where a number stands for a version release in its own configuration, and a version for all of it."""
    good, rolled_back, revoked = status.get("good"), status.get("rolled_back", ()), status.get("revoked", ())
    found = {"rolled_back": tuple(failed(one) if isinstance(one, int) else one for one in rolled_back)} if rolled_back else {}
    found |= {"revoked": tuple(Revoked(one) if isinstance(one, Version) else one for one in revoked)} if revoked else {}
    return {**status, **found} | ({"good": Pair(good)} if isinstance(good, int) else {})


def failed(release: int, name: str = "", configured: int = 0, **more: Any) -> Failed:
    """A version release that failed, in its own configuration or in a newer one."""
    return Failed(Pair(release, configured), version(name), **more)


class Instance:
    """The instance, its clock, and stand-ins for the attachments that it asks."""

    def __init__(self, *, configured: bool = True, name: str = NAME, **policy: Any) -> None:
        self.name = name
        self.entity = f"instance:{name}"
        self.now = START
        self.state = InstanceState()
        self.out: list[AnyInstruction] = []
        """What the last telling led to."""
        self.history: list[str] = []
        self.events: list[Event] = []
        """What ``history`` tells, whole."""
        self.applies: list[str] = []
        """Specs, in the order in which they were applied."""
        self.wake_at: int | None = None
        self.runs: dict[str, int] = defaultdict(int)
        self.nos: dict[str, int] = defaultdict(int)
        """Check -> how often it had said no when somebody asks."""
        self.looks = 0
        self.looked = 0
        self.votes: dict[str, tuple[Vote, ...]] = {}
        self.numbers: dict[str, int] = defaultdict(int)
        if configured:
            self.configure(**policy)

    # --- telling ----------------------------------------------------------------------------------------------------------

    def tell(self, *facts: Fact) -> Instance:
        """One turn. Attachments that are asked answer at once which run will count."""
        self.out = []
        self._turn(tuple(replace(fact, at=self.now) for fact in facts))
        return self

    def _turn(self, facts: tuple[Any, ...]) -> None:
        decision = decide(self.entity, self.state, facts, max(fact.at for fact in facts))
        assert isinstance(decision.state, InstanceState)
        self.state, self.wake_at = decision.state, decision.wake_at
        self.out += decision.instructions
        answers = []
        for instruction in decision.instructions:
            match instruction:
                case Record(event):
                    self.history.append(event.text)
                    self.events.append(event)
                case Apply(spec=spec):
                    self.applies.append(spec)
                case Send(to, Ask(ask=ask, definition=definition)):
                    run, nos = self.runs[definition.protection] + 1, self.nos[definition.protection]
                    answers.append(From(attachment=to, ask=ask, run=run, nos=nos, at=self.now))
        for answer in answers:
            self._turn((answer,))

    def wait(self, duration: int) -> Instance:
        """Time passes; the engine wakes when it asked to."""
        end = self.now + duration
        while self.wake_at is not None and self.wake_at <= end:
            self.now = max(self.now + 1, self.wake_at)
            self.tell(Woken())
        self.now = max(self.now, end)
        return self

    def configure(self, **policy: Any) -> Instance:
        policy = {"progress_deadline": 2 * MINUTE, "grace": 10 * SECOND, "poll_settled": 5 * MINUTE, **policy}
        return self.tell(Configured(policy=Policy(self.name, {"channel": "production"}, **policy)))

    def offer(self, release: int, name: str, **more: Any) -> Instance:
        return self.tell(Offered(offer=self.make(release, name, **more)))

    def make(self, release: int, name: str, *, spec: str = "", author: str = "zoe", **more: Any) -> Offer:
        """``name`` may carry a revision: ``make(4, "6.0/R1", configured=1)`` is a version released after R1 came into force."""
        return Offer(release, version(name), spec or f"spec-{name}", author=author, **more)

    def reconfigure(
        self,
        release: int,
        configured: int,
        *,
        revision: str = "",
        unchanged: tuple[int, ...] = (),
        parts: dict[int, str] | None = None,
        parameters: dict[str, Scalar] | None = None,
        lacking: dict[int, str] | None = None,
        author: str = "cora",
        **more: Any,
    ) -> Instance:
        """A configuration release: every version release that is known here is compiled with it, or those in ``parts``. Nothing
        would change for the ``unchanged`` ones.
        """
        revision = revision or f"R{configured}"
        known = {offer.release: offer for offer in reversed(self.life.offers)}
        found = parts if parts is not None else {number: offer.version.name for number, offer in known.items()}
        compiled = {
            number: Part(
                replace(known[number].version, revision=revision) if number in known else Version(name, revision=revision),
                known[number].spec if number in unchanged else spec_of(name, revision),
                parameters or {},
            )
            for number, name in found.items()
            if number not in (lacking or {})
        }
        configuration = Configuration(release, configured, revision, author=author, at=self.now, **more)
        return self.tell(Reconfigured(configuration=configuration, parts=compiled, lacking=lacking or {}))

    # --- the runtime ------------------------------------------------------------------------------------------------------

    def applied(self, error: str = "", *, terminal: bool = False) -> Instance:
        return self.tell(Applied(operation=self.life.applying.operation, error=error, terminal=terminal))

    def look(self, name: str = "", *, healthy: bool | None = True, complete: bool | None = None, **more: Any) -> Observed:
        """A look that shows one version (empty: nothing runs)."""
        self.looks += 1
        gap, self.looked = self.now - self.looked if self.looked else 0, self.now
        things = tuple(Object("1", f"spec-{each}", each.partition("/")[0], healthy=healthy) for each in name.split("+") if each)
        observation = Observation(things, complete=bool(healthy and name) if complete is None else complete, **more)
        return Observed(watch=self.life.applying.watch, look=self.looks, observation=observation, gap=gap)

    def look_at(self, spec: str, name: str) -> Observed:
        """A look that shows one healthy object of a spec that was not made of its version's name."""
        look = self.look(name)
        return replace(look, observation=replace(look.observation, objects=(Object("1", spec, name, healthy=True),)))

    def observed(self, name: str = "", **more: Any) -> Instance:
        return self.tell(self.look(name, **more))

    def unobserved(self, message: str = "no route to it") -> Instance:
        self.looks, self.looked = self.looks + 1, self.now
        return self.tell(Unobserved(watch=self.life.applying.watch, look=self.looks, message=message))

    def comes_up(self, name: str) -> Instance:
        """The apply ends and everything is healthy."""
        return self.applied().observed(name)

    def with_good(self, release: int, name: str) -> Instance:
        """A release that is finalized."""
        self.offer(release, name)
        if self.life.applying.operation:
            self.comes_up(name)
        assert self.good == name, self.reasons
        return self

    def fails(self, back_to: str = "") -> Instance:
        """The runtime refuses what is rolled out, and what ran before comes up again."""
        self.applied("refused", terminal=True)
        return self.comes_up(back_to) if back_to else self

    # --- checks, people, other instances ----------------------------------------------------------------------------------

    def result(self, name: str, outcome: Outcome, *, run: int = 0, **more: Any) -> Instance:
        if not run:
            self.runs[name] += 1
        use = next(use for use in self.policy.checks if use.name == name)
        attachment = more.pop("attachment", "") or self._asked(use)
        passes = {"covered": self.now, "answered": self.now} if outcome is Outcome.PASSING else {}
        number = run or self.runs[name]
        status = CheckStatus(
            attachment=attachment,
            run=number,
            outcome=outcome,
            reason=more.pop("reason", f"{name} is {outcome}"),
            ended=self.now,
            **{**passes, **more},
        )
        return self.tell(status)

    def _asked(self, use: CheckUse) -> str:
        attempts = [self.life.candidate, self.life.rollout.attempt if self.life.rollout else None]
        found = [attempt.gates[use.name].attachment for attempt in attempts if attempt and use.name in attempt.gates]
        return found[-1] if found else use.check.attachment

    def passing(self, name: str, **more: Any) -> Instance:
        return self.result(name, Outcome.PASSING, **more)

    def blocking(self, name: str, **more: Any) -> Instance:
        return self.result(name, Outcome.BLOCKING, **{"nos": 1, **more})

    def vote(self, person: str | Person, *, yes: bool = True, release: int = 0, why: str = "", change: int = 0) -> Instance:
        who = LEADS.get(person, Person(person)) if isinstance(person, str) else person
        release = release or (self.life.candidate.release if self.life.candidate else 0)
        topic = approvals_gate.topic(self.policy.approvals[0], release, change)
        self.votes[topic] = (*self.votes.get(topic, ()), Vote(who, yes, self.now, why))
        return self.tell(TopicStatus(topic=topic, number=len(self.votes[topic]), votes=self.votes[topic]))

    def approve(self, person: str | Person, **more: Any) -> Instance:
        return self.vote(person, **more)

    def reject(self, person: str | Person, **more: Any) -> Instance:
        return self.vote(person, yes=False, **more)

    def neighbour(self, channel: str, *names: str, number: int = 0, **more: Any) -> Instance:
        """Another channel says which versions it has finalized (just now, unless ``at`` says when)."""
        instance = f"app/web@{channel}"
        self.numbers[instance] = number or self.numbers[instance] + 1
        at = more.pop("at", self.now)
        done = tuple(Finalization(version(name), index, at) for index, name in enumerate(names, 1))
        return self.tell(Neighbour(instance=instance, number=self.numbers[instance], finalized=done, **short(more)))

    def hold(self, person: str = "ann", why: str = "") -> Instance:
        return self.tell(Held(by=By(person, why)))

    def resume(self, person: str = "ann") -> Instance:
        return self.tell(Resumed(by=By(person)))

    def pin(self, release: int, name: str) -> Instance:
        return self.tell(Pinned(by=By("ann"), offer=self.make(release, name)))

    def unpin(self) -> Instance:
        return self.tell(Unpinned(by=By("ann")))

    def roll_back(self, offer: Offer | None = None, **more: Any) -> Instance:
        return self.tell(RolledBack(by=By("ann", "it is slow"), offer=offer, **more))

    def retry(self, release: int = 0) -> Instance:
        return self.tell(Retried(by=By("ann"), release=release))

    def skip(self, release: int, gate: str) -> Instance:
        return self.tell(Skipped(by=By("ann", "I know better"), release=release, gate=gate))

    def remove(self) -> Instance:
        return self.tell(Removed())

    # --- asking -----------------------------------------------------------------------------------------------------------

    @property
    def life(self) -> Life:
        return self.state.life

    @property
    def policy(self) -> Policy:
        assert self.state.policy is not None
        return self.state.policy

    def _name(self, pair: Pair) -> str:
        offer = offer_of(self.life, pair)
        return offer.version.name if offer else ""

    @property
    def target(self) -> str:
        return self._name(self.life.target)

    @property
    def good(self) -> str:
        return self._name(self.life.good)

    @property
    def wanted(self) -> str:
        """The candidate's version."""
        return self._name(self.life.candidate.pair) if self.life.candidate else ""

    @property
    def target_in(self) -> str:
        """Target with its configuration: ``1.0/R1``."""
        return with_revision(offer_of(self.life, self.life.target))

    @property
    def good_in(self) -> str:
        """*Good* with its configuration."""
        return with_revision(offer_of(self.life, self.life.good))

    @property
    def wanted_in(self) -> str:
        """The candidate with its configuration."""
        return with_revision(offer_of(self.life, self.life.candidate.pair)) if self.life.candidate else ""

    @property
    def desired(self) -> str:
        offer = desired(self.state, self.now)
        return offer.version.name if offer else ""

    @property
    def condition(self) -> str:
        return condition(self.state, self.now)

    @property
    def reasons(self) -> list[str]:
        return [reason.text for reason in explain(self.state, self.now)]

    @property
    def codes(self) -> list[str]:
        return [reason.code for reason in explain(self.state, self.now)]

    def waits_for(self, words: str) -> bool:
        return any(words in reason for reason in self.reasons)

    @property
    def vetoed(self) -> set[int]:
        return {veto.release for veto in self.life.vetoes}

    @property
    def published(self) -> Neighbour | None:
        """What the last telling published."""
        found = [given.fact for given in self.out if isinstance(given, Publish)]
        return found[-1] if found else None  # type: ignore[return-value]

    def sent(self, kind: type) -> list[Any]:
        """Facts of a kind that the last telling sent."""
        return [given.fact for given in self.out if isinstance(given, Send) and isinstance(given.fact, kind)]

    def gave(self, kind: type) -> list[Any]:
        """Instructions of a kind that the last telling gave."""
        return [given for given in self.out if isinstance(given, kind)]
