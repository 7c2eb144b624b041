"""Admission alone, in words: ``office.ask("ann", "x", "y")``, ``office.ends("ann")``, ``office.granted``."""

from __future__ import annotations

from typing import Any, Self

from msgspec.structs import replace
from tests.core.dsl.builders import START
from tests.core.dsl.decisions import state_of

from setpoint.core.admission import ENTITY, AdmissionState, decide, why
from setpoint.core.facts import (
    AdmissionRequested,
    AnyFact,
    Began,
    Ended,
    Granted,
    LimitsConfigured,
    MemberResult,
    Need,
    Queued,
    Returned,
    WaveMembersNamed,
    WavesResumed,
    WaveVote,
    Woken,
)
from setpoint.core.instructions import Event, Record, Send
from setpoint.model.names import request_key
from setpoint.model.people import By
from setpoint.model.policy import GroupWaves, Wave
from setpoint.model.reasons import Reason

GROUP = "saas/tenants"


class AdmissionDsl:
    """Admission, its clock, and what it sent to each instance."""

    def __init__(self, **limits: int) -> None:
        self.limits = limits
        """Unit -> how many may have it together; 1 for one that is not named."""
        self.now = START
        self.state: AdmissionState | None = None
        self.wake_at: int | None = None
        self.granted: list[str] = []
        """Names, in the order of their grants."""
        self.queued: dict[str, tuple[Reason, ...]] = {}
        self.messages = 0
        self.sent: list[tuple[str, AnyFact]] = []
        """Who was sent what in the last turn."""
        self.events: list[Event] = []
        """What ``history`` is the text of."""
        self.history: list[str] = []
        self.last_request_ids: dict[str, int] = {}
        self.attempts: dict[str, int] = {}
        self.votes = 0

    def receive(self, *facts: AnyFact) -> Self:
        """One turn."""
        decision = decide(ENTITY, self.state, tuple(replace(fact, at=self.now) for fact in facts), self.now)
        self.state, self.wake_at = state_of(decision, AdmissionState), decision.wake_at
        self.sent = [(name(given.to), given.fact) for given in decision.instructions if isinstance(given, Send)]
        for instruction in decision.instructions:
            match instruction:
                case Send(to, Granted()):
                    self.granted.append(name(to))
                case Send(to, Queued(reasons=reasons)):
                    self.queued[name(to)] = reasons
                case Record(event):
                    self.history.append(event.text)
                    self.events.append(event)
            self.messages += isinstance(instruction, Send)
        return self

    def wait(self, duration: int) -> Self:
        """Time passes; admission is woken whenever it is due."""
        end = self.now + duration
        while self.wake_at is not None and self.wake_at <= end:
            self.now = self.wake_at
            self.receive(Woken())
        self.now = end
        return self

    # --- requests ---------------------------------------------------------------------------------------------------------

    def request(self, who: str, *units: str | Need, release: int = 1, again: bool = False) -> AdmissionRequested:
        """The next request of ``who``: of a new attempt, or of the same one ``again``."""
        self.last_request_ids[who] = self.last_request_ids.get(who, 0) + 1
        self.attempts[who] = self.attempts.get(who, 0) + (0 if again else 1)
        return AdmissionRequested(
            requester=entity(who),
            request_id=self.last_request_ids[who],
            attempt=self.attempts[who],
            release=release,
            needs=tuple(self.of_release(unit, release) if isinstance(unit, Need) else self.need(unit) for unit in units),
        )

    @staticmethod
    def of_release(need: Need, release: int) -> Need:
        """A wave is that of the release."""
        return replace(need, release=release) if need.unit.startswith("wave:") else need

    def need(self, unit: str) -> Need:
        return Need(f"lease:{unit}", self.limits.get(unit, 1))

    def ask(self, who: str, *units: str | Need, **more: Any) -> Self:
        return self.receive(self.request(who, *units, **more))

    def returns(self, who: str, *, request_id: int = 0, gone: bool = False) -> Self:
        return self.receive(Returned(requester=entity(who), request_id=request_id or self.last_request_ids[who], gone=gone))

    def begins(self, who: str, *, request_id: int = 0) -> Self:
        return self.receive(Began(requester=entity(who), request_id=request_id or self.last_request_ids[who]))

    def ends(self, who: str, *, request_id: int = 0) -> Self:
        return self.receive(Ended(requester=entity(who), request_id=request_id or self.last_request_ids[who]))

    def holders(self, unit: str) -> list[str]:
        """Instances that have a unit, granted or begun."""
        return [name(key.partition("#")[0]) for key in self.remembered.holders.get(f"lease:{unit}", ())]

    @property
    def remembered(self) -> AdmissionState:
        return self.state or AdmissionState()

    @property
    def empty(self) -> bool:
        """Whether there is neither a queue nor a holder."""
        return not (self.remembered.requests or self.remembered.queues or self.remembered.holders)

    def reasons(self, who: str) -> list[str]:
        """What ``who`` waits for at this moment."""
        place = self.remembered.requests[request_key(entity(who), self.attempts[who])]
        return [reason.text for reason in why(self.remembered, place, self.now)]

    # --- waves ------------------------------------------------------------------------------------------------------------

    def group(self, *waves: Wave, max_failures: str = "1", number: int = 1) -> Self:
        return self.receive(LimitsConfigured(number=number, groups={GROUP: GroupWaves(GROUP, waves, max_failures)}))

    def roster(self, *channels: str, release: int = 1, services: tuple[str, ...] = ("web",), group: str = GROUP) -> Self:
        instances = tuple(f"saas/{service}@{channel}" for channel in channels for service in services)
        return self.receive(WaveMembersNamed(group=group, release=release, instances=instances))

    def votes_that(
        self, channel: str, state: str, *, release: int = 1, service: str = "web", number: int = 0, group: str = GROUP
    ) -> Self:
        self.votes += 1
        instance = f"saas/{service}@{channel}"
        return self.receive(
            WaveVote(instance=instance, group=group, release=release, number=number or self.votes, state=MemberResult(state))
        )

    def wave(self, number: int, group: str = GROUP) -> Need:
        return Need(f"wave:{group}", number)

    def resumes(self, release: int = 1, *, why: str = "seen to it", identity: str = "", group: str = GROUP) -> Self:
        return self.receive(WavesResumed(by=By("ann", why), group=group, release=release, id=identity))


def entity(who: str) -> str:
    return f"instance:saas/web@{who}"


def name(to: str) -> str:
    return to.rpartition("@")[2]


def budget(until: int, limit: int = 2) -> Need:
    return Need("budget:weekly", limit, occurrence=START, until=until)
