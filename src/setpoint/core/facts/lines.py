"""What a line receives and publishes."""

from __future__ import annotations

import msgspec

from setpoint.core.facts.base import Fact, Signal, StandingOrder
from setpoint.model.release import Release
from setpoint.model.spec import Scalar, Version
from setpoint.model.time import Instant


class ReleaseRequested(Fact, frozen=True, gc=False):
    """A person, a source or a changed configuration requests versions in channels; the line gives the number."""

    request: str
    """Identity of the request: the same request twice is one release."""
    release: Release
    """Its number is 0 and is filled in."""
    specs: dict[str, str]
    """Instance -> digest of the spec compiled for it."""
    parameters: dict[str, dict[str, Scalar]] = {}
    """Instance -> every parameter's value there, defaults included; absent: those of the release for the service."""

    after: dict[str, tuple[str, ...]] = {}
    """Instance -> instances of other services in its channel that it comes after."""
    sets: dict[str, tuple[str, ...]] = {}
    """Name of a set, such as ``saas/production`` -> the instances that move as one; the release's number is added to the name."""
    floors: dict[str, str] = {}
    """Instance -> version that it is never rolled back below."""
    waves: dict[str, tuple[str, ...]] = {}
    """``application/group`` that has waves -> the instances that the release names there."""


class Part(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A version release compiled with a newer configuration than its own, for one instance."""

    version: Version
    spec: str
    """Digest of the compiled spec."""
    parameters: dict[str, Scalar] = {}
    not_below: str = ""


class ConfigurationRequested(Fact, frozen=True, gc=False):
    """An applied revision: changed configurations become a release of their own; new instances are offered what names them."""

    request: str
    """Identity of (application, applied revision): the same request twice is one release."""
    release: Release
    """Of kind configuration, without its number; ``revisions`` are those in force of every service that needs releases."""
    configured: int
    """The applied revision."""
    seen: int
    """Newest release that was compiled for. A version release numbered after it makes the request stale."""
    changed: tuple[str, ...] = ()
    """Services for which what runs changes somewhere, with all that move together with one of them."""
    parts: dict[str, dict[int, Part]] = {}
    """Instance -> version release -> that version in this configuration."""
    lacking: dict[str, dict[int, str]] = {}
    """Instance -> version release -> why it cannot come with this configuration."""
    extends: dict[str, tuple[int, ...]] = {}
    """New instance -> version releases that name it (they were sent everywhere, or to its group)."""
    after: dict[str, tuple[str, ...]] = {}
    """As in ``ReleaseRequested``."""
    sets: dict[str, tuple[str, ...]] = {}
    """Name of a set -> instances that take the configuration as one."""
    pairs: dict[int, dict[str, tuple[str, ...]]] = {}
    """Version release -> its sets: they move as one with this configuration as well."""
    waves: dict[str, tuple[str, ...]] = {}
    """As in ``ReleaseRequested``."""
    rides: bool = False
    """``onConfigChange: with-next``: in force from the next release on, and not released now."""


class Marked(Signal, frozen=True, gc=False, kw_only=True):
    """A version of a service is bad (every revision of it), or good again, which lifts its vetoes everywhere."""

    service: str
    version: str
    bad: bool


class Cancelled(Signal, frozen=True, gc=False, kw_only=True):
    """A release is cancelled everywhere: its candidates end, its rollouts go back to good."""

    release: int


class LineStatus(Fact, frozen=True, gc=False):
    """What a line publishes: which versions are bad, which were absolved, which releases were cancelled."""

    application: str
    number: int
    bad: dict[str, StandingOrder] = {}
    """``service/version`` -> who marked it."""
    absolved: dict[str, Instant] = {}
    """``service/version`` -> when: vetoes of it up to then are lifted."""
    cancelled: dict[int, StandingOrder] = {}
