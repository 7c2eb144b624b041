"""State of admission: holders, requests in their order, and how far releases got in their waves."""

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
"""Subtracted from the order of a request that goes before all others."""


class RequestStage(StrEnum):
    """How far a request for admission has come."""

    WAITING = "waiting"
    RETURNED = "returned"
    """Other gates hold the attempt; the request keeps its order."""
    GRANTED = "granted"
    STARTED = "started"
    """The attempt started with what was granted."""


Line = tuple[tuple[int, str], ...]
"""(order, key of a request), ascending."""


class AdmissionRequest(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The request of one attempt (or set), from when it first arrived until its leases are free again."""

    requester: str
    request_id: int
    """Id of its latest version; facts about earlier ones are dropped."""
    attempt: int
    release: int
    needs: tuple[Need, ...]
    members: tuple[str, ...] = ()
    order: int = 0
    """Position, from its first version: lower comes first."""
    requested_at: Instant = 0
    stage: RequestStage = RequestStage.WAITING
    since: Instant = 0
    """When it was granted, by the wall clock; only for display."""
    queue: str = ""
    """While it waits: key of the queue of requests with the same needs."""
    queue_number: int = 0
    """Number of the last ``Queued``."""
    text_checksum: int = 0
    """Checksum of its text."""


class Requester(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An entity with requests, now or earlier."""

    last_request_id: int = 0
    """Id of the last request, return or end: an earlier request that arrives late is dropped."""
    keys: tuple[str, ...] = ()
    """Of its requests: one that waits, and those of rollouts that hold leases."""
    returned: int = 0
    """Id of the last returned request: if the request arrives after this, it keeps its position, and waits for nothing."""


class Spent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Deployments that started in one occurrence of a window."""

    until: Instant
    count: int


class ReportedResult(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one instance reported last about one release."""

    number: int
    state: MemberResult


class WaveProgress(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How far one release got in one group."""

    group: str
    release: int
    members: dict[str, tuple[str, ...]] = {}
    """Channel -> the instances that the release names there; empty: not known yet."""
    results: dict[str, ReportedResult] = {}
    """Instance -> what it reported; one without a report is waiting."""
    channels: dict[str, MemberResult] = {}
    """Channel -> ``out``, ``finalized`` or ``failed``; one that is not here is still to come."""
    pending: int = 0
    """Instances that are neither finalized nor failed nor out."""
    open: int = 1
    """Number of waves that may start. One that has been opened stays open."""
    met: Instant = 0
    """Since when enough of the last open wave are finalized; 0: they are not."""
    stopped: Instant = 0
    """When too many had failed; 0: it is not stopped."""
    forgiven: tuple[str, ...] = ()
    """Channels whose failure a person accepted: they do not stop it again."""


class AdmissionState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Everything but ``requests``, ``spent``, ``wave_progress``, ``groups`` is an index over these."""

    orders: int = 0
    """The last order given."""
    requests: dict[str, AdmissionRequest] = {}
    """``requester#attempt`` -> its request."""
    requesters: dict[str, Requester] = {}
    queues: dict[str, Line] = {}
    """What is needed -> requests that wait for exactly that."""
    holders: dict[str, tuple[str, ...]] = {}
    """Lease -> requests that hold it; budget's occurrence -> granted requests that have not started."""
    spent: dict[str, Spent] = {}
    """Budget's occurrence -> how much of it is used."""
    configured: int = 0
    groups: dict[str, GroupWaves] = {}
    wave_progress: dict[str, WaveProgress] = {}
    """``application/group#release`` -> how far it got, until every instance in it is finished."""
    through: dict[str, tuple[int, ...]] = {}
    """Group -> recent releases that are finished there: later requests for one wait for no wave."""
    halted: dict[str, tuple[int, ...]] = {}
    """Group -> releases that failed long ago and never finished: nothing of them starts until a person resumes them."""
    signals: tuple[str, ...] = ()
    """Identities of recent acts: one delivered again is dropped."""


class View(Protocol):
    """What is evaluated: a state, or the draft of the next one."""

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
    """Return the key of the holders of a lease, or of a budget's occurrence."""
    return occurrence_key(need.unit, need.occurrence) if is_budget(need.unit) else need.unit
