"""One instance, and what happens to it in words: ``prod.offer(1, "1.0")``, ``prod.passing("alerts")``, ``prod.approve("ann")``.

A property such as ``prod.candidate`` is for a test that expects one, and fails where there is none; ``prod.maybe_candidate`` may
be None.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Self, TypeVar

from msgspec.structs import replace
from tests.core.dsl.builders import LEADS, NAME, START, short, spec_of, version, with_revision
from tests.core.dsl.decisions import F, G, of_kind, published, sent, state_of

from setpoint.core.decide import decide
from setpoint.core.facts import (
    AnyFact,
    Applied,
    CheckStatus,
    Configured,
    Finalization,
    Held,
    InstanceStatus,
    LineStatus,
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
    RunAssigned,
    RunRequested,
    Skipped,
    TopicStatus,
    Unobserved,
    Unpinned,
    Vote,
    Woken,
)
from setpoint.core.instance.explain import condition, desired, explain
from setpoint.core.instance.gates import approval as approvals_gate
from setpoint.core.instance.state import (
    Admission,
    Adopting,
    Applying,
    Attempt,
    Barrier,
    Breaker,
    Current,
    Failure,
    InstanceState,
    Life,
    Rollout,
    offer_of,
)
from setpoint.core.instructions import AnyInstruction, Apply, Event, Record, Send
from setpoint.model.checks import Outcome
from setpoint.model.observation import Object, Observation
from setpoint.model.people import By, Person
from setpoint.model.policy import CheckUse, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.spec import Scalar, Version
from setpoint.model.time import MINUTE, SECOND

T = TypeVar("T")


class Instance:
    """The instance, its clock, and stand-ins for its attachments."""

    def __init__(self, *, configured: bool = True, name: str = NAME, **policy: Any) -> None:
        self.name = name
        self.entity = f"instance:{name}"
        self.now = START
        self.state = InstanceState()
        self.out: list[AnyInstruction] = []
        """What the last turn led to."""
        self.history: list[str] = []
        self.events: list[Event] = []
        """What ``history`` is the text of."""
        self.applies: list[str] = []
        """Specs, in the order in which they were applied."""
        self.wake_at: int | None = None
        self.runs: dict[str, int] = defaultdict(int)
        self.failures_total: dict[str, int] = defaultdict(int)
        """Check -> how many failing results it had before this instance requested one."""
        self.looks = 0
        self.looked = 0
        self.votes: dict[str, tuple[Vote, ...]] = {}
        self.numbers: dict[str, int] = defaultdict(int)
        if configured:
            self.configure(**policy)

    # --- turns ------------------------------------------------------------------------------------------------------------

    def receive(self, *facts: AnyFact) -> Self:
        """One turn, of facts that happen now. An attachment answers in the same turn which run will count."""
        self.out = []
        self._turn(tuple(replace(fact, at=self.now) for fact in facts))
        return self

    def _turn(self, facts: tuple[AnyFact, ...]) -> None:
        decision = decide(self.entity, self.state, facts, max(fact.at for fact in facts))
        self.state, self.wake_at = state_of(decision, InstanceState), decision.wake_at
        self.out += decision.instructions
        answers = []
        for instruction in decision.instructions:
            match instruction:
                case Record(event):
                    self.history.append(event.text)
                    self.events.append(event)
                case Apply(spec=spec):
                    self.applies.append(spec)
                case Send(to, RunRequested(request_id=ask, definition=definition)):
                    run, nos = self.runs[definition.protection] + 1, self.failures_total[definition.protection]
                    answers.append(RunAssigned(attachment=to, request_id=ask, run=run, failures_total=nos, at=self.now))
        for answer in answers:
            self._turn((answer,))

    def wait(self, duration: int) -> Self:
        """Time passes; the instance is woken whenever it is due."""
        end = self.now + duration
        while self.wake_at is not None and self.wake_at <= end:
            self.now = max(self.now + 1, self.wake_at)
            self.receive(Woken())
        self.now = max(self.now, end)
        return self

    def configure(self, **policy: Any) -> Self:
        policy = {"progress_deadline": 2 * MINUTE, "grace": 10 * SECOND, "poll_settled": 5 * MINUTE, **policy}
        return self.receive(Configured(policy=Policy(self.name, {"channel": "production"}, **policy)))

    def offer(self, release: int, name: str, **more: Any) -> Self:
        return self.receive(Offered(offer=self.make(release, name, **more)))

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
    ) -> Self:
        """A configuration release: every version release that is known here is compiled with it, or those in ``parts``. Nothing
        would change for the ``unchanged`` ones.
        """
        revision = revision or f"R{configured}"
        known = {offer.release: offer for offer in reversed(self.offers)}
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
        return self.receive(Reconfigured(configuration=configuration, parts=compiled, lacking=lacking or {}))

    # --- the runtime ------------------------------------------------------------------------------------------------------

    def applied(self, error: str = "", *, terminal: bool = False) -> Self:
        return self.receive(Applied(operation=self.applying.operation, error=error, terminal=terminal))

    def look(self, name: str = "", *, healthy: bool | None = True, complete: bool | None = None, **more: Any) -> Observed:
        """A look that shows one version (empty: nothing runs)."""
        self.looks += 1
        gap, self.looked = self.now - self.looked if self.looked else 0, self.now
        things = tuple(Object("1", f"spec-{each}", each.partition("/")[0], healthy=healthy) for each in name.split("+") if each)
        observation = Observation(things, complete=bool(healthy and name) if complete is None else complete, **more)
        return Observed(watch=self.applying.watch, look=self.looks, observation=observation, gap=gap)

    def look_at(self, spec: str, name: str) -> Observed:
        """A look that shows one healthy object of a spec that was not made of its version's name."""
        look = self.look(name)
        return replace(look, observation=replace(look.observation, objects=(Object("1", spec, name, healthy=True),)))

    def observed(self, name: str = "", **more: Any) -> Self:
        return self.receive(self.look(name, **more))

    def unobserved(self, message: str = "no route to it") -> Self:
        self.looks, self.looked = self.looks + 1, self.now
        return self.receive(Unobserved(watch=self.applying.watch, look=self.looks, message=message))

    def comes_up(self, name: str) -> Self:
        """The apply ends and everything is healthy."""
        return self.applied().observed(name)

    def with_good(self, release: int, name: str) -> Self:
        """A release that is finalized."""
        self.offer(release, name)
        if self.applying.operation:
            self.comes_up(name)
        assert self.good == name, self.reasons
        return self

    def fails(self, back_to: str = "") -> Self:
        """The runtime refuses what is rolled out, and what ran before comes up again."""
        self.applied("refused", terminal=True)
        return self.comes_up(back_to) if back_to else self

    # --- checks, people, other instances ----------------------------------------------------------------------------------

    def result(self, name: str, outcome: Outcome, *, run: int = 0, **more: Any) -> Self:
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
        return self.receive(status)

    def _asked(self, use: CheckUse) -> str:
        attempts = [self.maybe_candidate, self.maybe_rollout.attempt if self.maybe_rollout else None]
        found = [attempt.gates[use.name].attachment for attempt in attempts if attempt and use.name in attempt.gates]
        return found[-1] if found else use.check.attachment

    def passing(self, name: str, **more: Any) -> Self:
        return self.result(name, Outcome.PASSING, **more)

    def blocking(self, name: str, **more: Any) -> Self:
        return self.result(name, Outcome.BLOCKING, **{"failures_total": 1, **more})

    def vote(self, person: str | Person, *, yes: bool = True, release: int = 0, why: str = "", change: int = 0) -> Self:
        who = LEADS.get(person, Person(person)) if isinstance(person, str) else person
        release = release or (self.maybe_candidate.release if self.maybe_candidate else 0)
        topic = approvals_gate.topic(self.policy.approvals[0], release, change)
        self.votes[topic] = (*self.votes.get(topic, ()), Vote(who, yes, self.now, why))
        return self.receive(TopicStatus(topic=topic, number=len(self.votes[topic]), votes=self.votes[topic]))

    def approve(self, person: str | Person, **more: Any) -> Self:
        return self.vote(person, **more)

    def reject(self, person: str | Person, **more: Any) -> Self:
        return self.vote(person, yes=False, **more)

    def upstream(self, channel: str, *names: str, number: int = 0, **more: Any) -> Self:
        """Another channel publishes which versions it has finalized (just now, or ``at``)."""
        instance = f"app/web@{channel}"
        self.numbers[instance] = number or self.numbers[instance] + 1
        at = more.pop("at", self.now)
        done = tuple(Finalization(version(name), index, at) for index, name in enumerate(names, 1))
        return self.receive(InstanceStatus(instance=instance, number=self.numbers[instance], finalized=done, **short(more)))

    def hold(self, person: str = "ann", why: str = "") -> Self:
        return self.receive(Held(by=By(person, why)))

    def resume(self, person: str = "ann") -> Self:
        return self.receive(Resumed(by=By(person)))

    def pin(self, release: int, name: str) -> Self:
        return self.receive(Pinned(by=By("ann"), offer=self.make(release, name)))

    def unpin(self) -> Self:
        return self.receive(Unpinned(by=By("ann")))

    def roll_back(self, offer: Offer | None = None, **more: Any) -> Self:
        return self.receive(RolledBack(by=By("ann", "it is slow"), offer=offer, **more))

    def retry(self, release: int = 0) -> Self:
        return self.receive(Retried(by=By("ann"), release=release))

    def skip(self, release: int, gate: str) -> Self:
        return self.receive(Skipped(by=By("ann", "I know better"), release=release, gate=gate))

    def remove(self) -> Self:
        return self.receive(Removed())

    # --- what it is -------------------------------------------------------------------------------------------------------

    @property
    def life(self) -> Life:
        return self.state.life

    @property
    def policy(self) -> Policy:
        return _there(self.state.policy)

    @property
    def due(self) -> int:
        """When it is woken next."""
        return _there(self.wake_at)

    @property
    def applying(self) -> Applying:
        return self.life.applying

    @property
    def candidate(self) -> Attempt:
        return _there(self.maybe_candidate)

    @property
    def maybe_candidate(self) -> Attempt | None:
        return self.life.candidate

    @property
    def admission(self) -> Admission:
        """What the candidate and admission know of each other."""
        return _there(self.candidate.admission)

    @property
    def rollout(self) -> Rollout:
        return _there(self.maybe_rollout)

    @property
    def maybe_rollout(self) -> Rollout | None:
        return self.life.rollout

    @property
    def current(self) -> Current:
        """What was observed last."""
        return _there(self.life.current)

    @property
    def breaker(self) -> Breaker:
        return _there(self.maybe_breaker)

    @property
    def maybe_breaker(self) -> Breaker | None:
        return self.life.breaker

    @property
    def barrier(self) -> Barrier:
        """What an irreversible task that has started keeps it from going below."""
        return _there(self.life.irreversible)

    @property
    def adopting(self) -> Adopting:
        return _there(self.maybe_adopting)

    @property
    def maybe_adopting(self) -> Adopting | None:
        return self.life.adopting

    @property
    def maybe_failure(self) -> Failure | None:
        return self.life.failure

    @property
    def held(self) -> bool:
        return self.life.hold is not None

    @property
    def line(self) -> LineStatus:
        """What the line of its application published last."""
        return _there(self.life.line)

    @property
    def held_by(self) -> By:
        return _there(self.life.hold).by

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Those that it still keeps, ascending."""
        return self.life.offers

    @property
    def goods(self) -> tuple[Pair, ...]:
        return self.life.goods

    @property
    def finalized(self) -> tuple[Finalization, ...]:
        return self.life.finalized

    @property
    def revoked(self) -> tuple[Revoked, ...]:
        return self.life.revoked

    @property
    def frontier(self) -> int:
        return self.life.frontier

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
        return self._name(self.maybe_candidate.pair) if self.maybe_candidate else ""

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
        return with_revision(offer_of(self.life, self.maybe_candidate.pair)) if self.maybe_candidate else ""

    @property
    def desired(self) -> str:
        offer = desired(self.state, self.now)
        return offer.version.name if offer else ""

    @property
    def condition(self) -> str:
        return condition(self.state, self.now)

    @property
    def explained(self) -> list[Reason]:
        """Why it is not where it is to be."""
        return list(explain(self.state, self.now))

    @property
    def reasons(self) -> list[str]:
        return [reason.text for reason in self.explained]

    @property
    def codes(self) -> list[str]:
        return [reason.code for reason in self.explained]

    def waits_for(self, words: str) -> bool:
        return any(words in reason for reason in self.reasons)

    @property
    def vetoed(self) -> set[int]:
        return {veto.release for veto in self.life.vetoes}

    @property
    def published(self) -> InstanceStatus:
        """What the last turn published."""
        return _there(self.maybe_published)

    @property
    def maybe_published(self) -> InstanceStatus | None:
        return next(reversed(published(self.out, InstanceStatus)), None)

    def sent(self, kind: type[F]) -> list[F]:
        """Facts of a kind that the last turn sent."""
        return sent(self.out, kind)

    def gave(self, kind: type[G]) -> list[G]:
        """Instructions of a kind that the last turn gave."""
        return of_kind(self.out, kind)


def _there(found: T | None) -> T:
    assert found is not None
    return found
