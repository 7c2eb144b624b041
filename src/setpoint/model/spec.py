"""What runs: a version by its identity, and the compiled spec that a runtime applies."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

Scalar = str | int | bool
_canonical = msgspec.json.Encoder(order="deterministic")


def digest(value: object) -> str:
    """16 hexadecimal characters of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(_canonical.encode(value)).hexdigest()[:16]


class Source(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a version came from; every part is optional text."""

    repository: str = ""
    commit: str = ""
    author: str = ""


class Version(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An immutable version of one service, the same in every channel.

    Orderings, vetoes, soak, mirrors and *good* compare all parts; ``mark-bad 1.4.2`` covers every ``name``.
    """

    name: str
    parameters: str = ""
    """Digest of the release's parameters."""
    revision: str = ""
    """Configuration revision: digest of the service's documents that define what runs, over all channels."""
    digest: str = ""
    """Digest of what the tags of its images were resolved to at the release (§10.7); empty: no tag was resolved."""

    def same(self, other: Version) -> bool:
        """Whether both are one version, in whatever configuration (§10.1)."""
        return self.name == other.name and self.parameters == other.parameters and self.digest == other.digest


class Workload(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One workload block of a service, every lookup resolved; ``options`` is JSON-able and belongs to the adapter."""

    kind: str
    """``process``, ``custom``, ``fake`` …"""
    options: dict[str, Any] = {}


class RolloutSettings(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How replicas are replaced. Both are counts (integer) or percentages of the replicas (text such as ``25%``)."""

    max_unavailable: int | str = 0
    max_surge: int | str = 1


class Secret(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A reference to a secret: never what it stands for."""

    name: str
    store: str = ""
    """Empty: the default one."""


class Spec(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one instance is to run: everything a runtime adapter needs, and nothing about when. Compiled once, never changed."""

    instance: str
    """``application/service@channel``."""
    runtime: str
    version: Version
    workload: Workload
    env: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    """Variable of the environment -> the secret that it takes its value from, when it is applied."""
    rollout: RolloutSettings = RolloutSettings()
    parameters: dict[str, Scalar] = {}
    files: dict[str, str] = {}
    """Path relative to the configuration's root -> SHA-256 of its content, stored with the version."""
    images: dict[str, str] = {}
    """Image as it is named -> digest that its tag was resolved to. Wherever it is named in ``workload`` and ``env``, the digest
    stands beside the tag (``registry/web:1.4.2@sha256:…``)."""
    digest: str = ""
    """Of everything above: two specs with the same digest run the same thing."""

    def sealed(self) -> Spec:
        """This spec with its digest filled in.

        Of the version only the name counts: a configuration revision that changes another channel changes nothing that runs here.
        """
        bare = msgspec.structs.replace(self, version=Version(self.version.name), digest="")
        return msgspec.structs.replace(self, digest=digest(bare))
