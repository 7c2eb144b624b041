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
    """An attempt whose other gates hold asks for everything that it needs. The same ask again is one."""

    requester: str
    request_id: int
    attempt: int
    release: int
    needs: tuple[Need, ...]
    members: tuple[str, ...] = ()
    """Of a set, which asks for all of them at once."""


class Granted(Fact, frozen=True, gc=False):
    """Admission's yes to everything that was asked for under this number, in one turn."""

    request_id: int


class Queued(Fact, frozen=True, gc=False):
    """Admission's not yet, and why; told again when it changes."""

    request_id: int
    number: int
    """Rises with each telling."""
    reasons: tuple[Reason, ...] = ()


class Returned(Fact, frozen=True, gc=False):
    """Another gate stopped holding, or the attempt ended before it began: the grant goes back, its place in the queue stays."""

    requester: str
    request_id: int
    gone: bool = False
    """It is not wanted any more: the place is given up too."""


class Began(Fact, frozen=True, gc=False):
    """Target moved: what was granted is used."""

    requester: str
    request_id: int


class Ended(Fact, frozen=True, gc=False):
    """The rollout left deployment, or its rollback ended: leases are free."""

    requester: str
    request_id: int


class WaveMembersNamed(Fact, frozen=True, gc=False):
    """From a line: these instances of a group that has waves are named by a release. Until it says so, none of them begins."""

    group: str
    release: int
    instances: tuple[str, ...]


class MemberResult(StrEnum):
    """How an instance, or a channel, of a group stands to a release that goes through the group's waves."""

    WAITING = "waiting"
    OUT = "out"
    """It does not take the release."""
    STARTED = "started"
    FINALIZED = "finalized"
    FAILED = "failed"


class WaveVote(Fact, frozen=True, gc=False):
    """How one member instance of a group stands to one release. A lower number than the last one seen is dropped."""

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
