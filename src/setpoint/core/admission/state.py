"""What admission remembers: who holds what, who waits for it in which order, and how far releases got in their waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from setpoint.core.facts import MemberResult, Need
from setpoint.model.names import is_budget, occurrence_key
from setpoint.model.policy import GroupWaves
from setpoint.model.time import Instant

FIRST = 1 << 40
"""Taken off the order of who goes before everybody else."""


class RequestStage(StrEnum):
    """How far a request for admission has come."""

    WAITING = "waiting"
    RETURNED = "returned"
    """Other gates hold the attempt; the request keeps its order."""
    GRANTED = "granted"
    STARTED = "started"
    """The attempt has begun with what was granted."""


Line = tuple[tuple[int, str], ...]
"""(order, key of a place), ascending."""


class AdmissionRequest(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One attempt (or set) that asked, from its first asking until its leases are free again."""

    requester: str
    request_id: int
    """The last asking under which it is known; what was said about earlier ones counts no more."""
    attempt: int
    release: int
    needs: tuple[Need, ...]
    members: tuple[str, ...] = ()
    order: int = 0
    """Of its first asking: who asked earlier comes first."""
    requested_at: Instant = 0
    stage: RequestStage = RequestStage.WAITING
    since: Instant = 0
    """When it was granted, by the wall clock: it is only shown."""
    queue: str = ""
    """While it waits: those that need just the same."""
    queue_number: int = 0
    """Number of the last ``Queued``."""
    text_checksum: int = 0
    """Checksum of what that said."""


class Requester(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Somebody who asks, or did."""

    last_request_id: int = 0
    """Number of the last asking, return or end: an earlier asking that comes late is dropped."""
    keys: tuple[str, ...] = ()
    """Of the places it has: one that asks, and rollouts that hold leases."""
    returned: int = 0
    """Number of the last asking that was given back: one that comes later than this keeps its place, and waits for nothing."""


class Spent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Deployments that began in one occurrence of a window."""

    until: Instant
    count: int


class ReportedResult(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one instance said last about one release."""

    number: int
    state: MemberResult


class WaveProgress(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One release on its way through one group."""

    group: str
    release: int
    members: dict[str, tuple[str, ...]] = {}
    """Channel -> the instances that the release names there; empty: the line has not said so yet."""
    results: dict[str, ReportedResult] = {}
    """Instance -> what it said; who said nothing waits."""
    channels: dict[str, MemberResult] = {}
    """Channel -> ``out``, ``finalized`` or ``failed``; one that is not here is still to come."""
    pending: int = 0
    """Instances that are neither finalized nor failed nor out."""
    open: int = 1
    """So many waves may begin. One that has been opened stays open."""
    met: Instant = 0
    """Since when enough of the last open wave are finalized; 0: they are not."""
    stopped: Instant = 0
    """When too many had failed; 0: it goes on."""
    forgiven: tuple[str, ...] = ()
    """Channels whose failure a person has taken note of: they do not stop it again."""


class AdmissionState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Everything but ``places``, ``spent``, ``passages``, ``groups`` is an index: it only finds faster what these say."""

    orders: int = 0
    """The last order given."""
    requests: dict[str, AdmissionRequest] = {}
    """``asker#attempt`` -> its place."""
    requesters: dict[str, Requester] = {}
    queues: dict[str, Line] = {}
    """What is needed -> places that wait for just that."""
    holders: dict[str, tuple[str, ...]] = {}
    """Lease -> places that hold it; budget's occurrence -> places granted that have not begun."""
    spent: dict[str, Spent] = {}
    """Budget's occurrence -> how much of it is used."""
    configured: int = 0
    groups: dict[str, GroupWaves] = {}
    wave_progress: dict[str, WaveProgress] = {}
    """``application/group#release`` -> how far it got, until everybody in it is through."""
    through: dict[str, tuple[int, ...]] = {}
    """Group -> recent releases that are through: who still asks for one waits for no wave."""
    halted: dict[str, tuple[int, ...]] = {}
    """Group -> releases that failed long ago and were never through: nothing of them begins until a person lets them go on."""
    signals: tuple[str, ...] = ()
    """Identities of recent acts: one delivered again is dropped."""


class View(Protocol):
    """What questions are asked of: a state, or the draft of the next one."""

    @property
    def requests(self) -> Mapping[str, AdmissionRequest]: ...  # noqa: D102 - as in the state
    @property
    def holders(self) -> Mapping[str, tuple[str, ...]]: ...  # noqa: D102
    @property
    def spent(self) -> Mapping[str, Spent]: ...  # noqa: D102
    @property
    def groups(self) -> Mapping[str, GroupWaves]: ...  # noqa: D102
    @property
    def wave_progress(self) -> Mapping[str, WaveProgress]: ...  # noqa: D102
    @property
    def through(self) -> Mapping[str, tuple[int, ...]]: ...  # noqa: D102
    @property
    def halted(self) -> Mapping[str, tuple[int, ...]]: ...  # noqa: D102
    @property
    def queues(self) -> Mapping[str, Sequence[tuple[int, str]]]: ...  # noqa: D102


def unit_key(need: Need) -> str:
    """Under which holders of a lease, or of a budget's occurrence, are kept."""
    return occurrence_key(need.unit, need.occurrence) if is_budget(need.unit) else need.unit
