"""Releases: immutable, numbered requests to bring versions to channels."""

from __future__ import annotations

import msgspec

from setpoint.model.spec import Scalar, Source, Version
from setpoint.model.time import Instant


class Pair(msgspec.Struct, frozen=True, gc=False, order=True, array_like=True):
    """The two halves of an attempt: a version release, and the configuration that it comes with (§10.1).

    Pairs order as selection does: by version first. ``Pair()`` is false and stands for none.
    """

    release: int = 0
    """Number of the version release."""
    configured: int = 0
    """Applied revision that brought the configuration into force; 0: the one before the first change."""

    def __bool__(self) -> bool:
        return self.release > 0


class ServiceVersion(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One service's part of a release."""

    version: Version
    parameters: dict[str, Scalar] = {}
    source: Source = Source()
    images: dict[str, str] = {}
    """Image as the checks and the workload name it -> digest that its tag was resolved to at the release (§10.7)."""


class Release(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Who requested which version, where and why. Numbered per application, from 1."""

    application: str
    services: dict[str, ServiceVersion]
    number: int = 0
    channels: tuple[str, ...] = ()
    """Named by ``--to``; empty: every channel that does not mirror."""
    groups: tuple[str, ...] = ()
    """Groups among what was named by ``--to``: channels that join them later are named too."""
    author: str = ""
    reason: str = ""
    labels: dict[str, str] = {}
    urgent: bool = False
    automatic: bool = False
    """Made by a changed configuration, not by a person: lifts no veto."""
    revisions: dict[str, str] = {}
    """Of a release of kind *configuration*: service -> its new configuration revision. It has no versions (§10.1)."""
    alone: bool = False
    """A person releases only part of services that are ``together``, or wants each to move on its own: no set is formed."""
    together: bool = False
    """A person wants everything that it names in a channel to move as one, configured so or not."""
    adopt: bool = False
    """A person states that it runs there already: nothing is applied, and an observation must confirm it."""
    at: Instant = 0

    @property
    def configures(self) -> bool:
        """Whether it moves configurations; every other release moves versions."""
        return bool(self.revisions)


class Configuration(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A configuration release as one instance sees it."""

    release: int
    """Its number among the application's releases."""
    configured: int
    revision: str
    author: str = ""
    reason: str = ""
    at: Instant = 0
    after: dict[str, str] = {}
    """Instance of another service in the same channel and the same release that this one comes after -> its new revision."""
    set: str = ""
    """Entity of the set that takes it whole, each member with its *good*; empty: this instance takes it independently."""
    waves: str = ""
    """``application/group`` through whose waves it goes; empty: it waits for none."""


class RequiredVersion(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a release, or the latest one before it, requires of another service in the same channel."""

    release: int
    """Number of the release that requires it."""
    version: Version
    together: bool = False
    """Both are of one set, which starts them in order: neither waits for the other to be finalized."""


class Offer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one attempt of one instance would bring: a version release, in its own configuration or in a newer one."""

    release: int
    """Number of the version release; author, labels and all the rest but the spec are that release's."""
    version: Version
    """Its ``revision`` is that of the configuration it comes with."""
    spec: str
    """Digest of the compiled spec; the host keeps the spec itself, by content."""
    parameters: dict[str, Scalar] = {}
    source: Source = Source()
    images: dict[str, str] = {}
    """See ``ServiceVersion``: they stay with the version, whatever configuration it comes with."""
    author: str = ""
    reason: str = ""
    labels: dict[str, str] = {}
    urgent: bool = False
    automatic: bool = False
    addressed: bool = False
    """A person sent it to this very channel (``--to``, promote): lifts a hold."""
    at: Instant = 0
    beside: dict[str, RequiredVersion] = {}
    """Instance of another service in the same channel that this one comes after -> what is required of it; absent: nothing was
    released of it before this release."""
    set: str = ""
    """Entity of the set that this instance moves with; empty: it moves on its own."""
    waves: str = ""
    """``application/group`` through whose waves the release goes; empty: it waits for none."""
    not_below: str = ""
    """Never roll back to a version older than this one."""
    configured: int = 0
    """See ``Pair``."""
    configuration: Configuration | None = None
    """The configuration release that brings a newer configuration than the version release's own; None: it is its own."""

    @property
    def pair(self) -> Pair:
        """What identifies it at its instance."""
        return Pair(self.release, self.configured)

    def required_version(self, instance: str) -> Version:
        """The version that another instance must have finalized, if this release waits for it."""
        required = self.beside.get(instance)
        return required.version if required else self.version

    adopt: bool = False
    """A person states that it runs here already: it becomes *good* once an observation confirms it, and is never selected."""
