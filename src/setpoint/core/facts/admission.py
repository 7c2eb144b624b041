"""What passes between attempts and admission: leases, waves, budgets."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from setpoint.core.facts.base import Fact, Signal
from setpoint.model.policy import GroupWaves
from setpoint.model.reasons import Reason
from setpoint.model.time import Instant


class LimitsConfigured(Fact, frozen=True, gc=False):
    """The waves of every group that has some."""

    number: int
    groups: dict[str, GroupWaves] = {}
    """``application/group`` -> its waves."""


class Need(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One unit that an attempt needs. A set names a unit as often as members need it."""

    unit: str
    """``lease:runtime:k8s``, ``wave:saas/tenants`` or ``budget:application:shop/office-hours``."""
    limit: int = 0
    """Of a lease or budget."""
    occurrence: Instant = 0
    """Of a budget: start of the window's occurrence."""
    until: Instant = 0
    """Of a budget: when that occurrence ends."""
    release: int = 0
    """Of a wave: the release that goes through it. An attempt of two releases needs a wave of each (§10.1)."""


class AdmissionRequested(Fact, frozen=True, gc=False):
    """An attempt whose other gates pass requests everything that it needs. The same request twice is one."""

    requester: str
    request_id: int
    attempt: int
    release: int
    needs: tuple[Need, ...]
    members: tuple[str, ...] = ()
    """Of a set, which requests for all of them together."""


class Granted(Fact, frozen=True, gc=False):
    """Admission grants everything in the request with this id, in one turn."""

    request_id: int


class Queued(Fact, frozen=True, gc=False):
    """The request waits, and why; sent again when that changes."""

    request_id: int
    number: int
    """Rises with each message."""
    reasons: tuple[Reason, ...] = ()


class Returned(Fact, frozen=True, gc=False):
    """Another gate stopped holding, or the attempt ended before it began: the grant goes back, its place in the queue stays."""

    requester: str
    request_id: int
    gone: bool = False
    """It is not wanted any more: its place in the queue is given up too."""


class Began(Fact, frozen=True, gc=False):
    """Target moved: what was granted is used."""

    requester: str
    request_id: int


class Ended(Fact, frozen=True, gc=False):
    """The rollout left deployment, or its rollback ended: leases are free."""

    requester: str
    request_id: int


class WaveMembersNamed(Fact, frozen=True, gc=False):
    """Instances of a group with waves that a release names; from its line. None of them starts before this arrives."""

    group: str
    release: int
    instances: tuple[str, ...]


class MemberResult(StrEnum):
    """Result of an instance, or a channel, of a group for a release that goes through the group's waves."""

    WAITING = "waiting"
    OUT = "out"
    """It does not take the release."""
    STARTED = "started"
    FINALIZED = "finalized"
    FAILED = "failed"


class WaveVote(Fact, frozen=True, gc=False):
    """Result of one member instance of a group for one release. A lower number than the last one seen is dropped."""

    instance: str
    group: str
    release: int
    number: int
    state: MemberResult
    """An instance that has not voted is waiting."""


class WavesResumed(Signal, frozen=True, gc=False, kw_only=True):
    """A person lets a release go on that stopped in a group because too many members failed; those are forgiven."""

    group: str
    release: int
