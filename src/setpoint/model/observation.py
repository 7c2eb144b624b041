"""What a runtime was seen to run: the only source of an instance's *current*."""

from __future__ import annotations

import msgspec


class Object(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that runs: a replica, a pod, a unit."""

    name: str
    digest: str
    """Digest of the spec it was started from; empty when the runtime does not report it."""
    version: str = ""
    """Name of the version, for people."""
    healthy: bool | None = None
    """None while health is not known yet."""
    active: bool = True
    """Whether it takes traffic (or work). Old replicas that only drain are not active."""
    message: str = ""


class Observation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One successful look at one instance. An unreachable runtime gives no observation at all."""

    objects: tuple[Object, ...] = ()
    complete: bool = False
    """The objects are, in number and kind, just those that the expected spec requires, and nothing old is left active."""
    difference: str = ""
    """Canonical hash of the drifted paths and values; empty without drift. Starting or restarting is not drift."""
    message: str = ""
    """One sentence for people about the difference or what is missing."""
    links: dict[str, str] = {}
    """Name -> URL or address to show; the address of a process instance is ``address``."""

    @property
    def versions(self) -> tuple[str, ...]:
        """Names of the versions that are active, sorted."""
        return tuple(sorted({o.version for o in self.objects if o.active}))
