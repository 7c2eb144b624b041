"""Names of container images: ``[registry/]repository[:tag][@digest]``, as the distribution specification reads them."""

from __future__ import annotations

import re

import msgspec

HUB = "registry-1.docker.io"
"""Where images live whose name has no registry, or ``docker.io``."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_LONGEST_REPOSITORY = 255


class Image(msgspec.Struct, frozen=True, gc=False):
    """One image in one registry. With a digest, the tag is for people only."""

    registry: str
    """Host, and port if any."""
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def reference(self) -> str:
        """What the registry is asked for: the digest, or the tag, which is ``latest`` where nothing else is said."""
        return self.digest or self.tag or "latest"


def parse_image(text: str) -> Image:
    """An image from its name; as everywhere, the first part is a registry if it has a dot or a port, or is ``localhost``.

    Raises:
        ValueError: saying what is wrong and what to write instead.
    """
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _no_image(text, 'a digest is "sha256:" and 64 hexadecimal digits')
    registry, repository = _split(name)
    repository, colon, tag = repository.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _no_image(text, "a tag has letters, digits and . _ - only, 128 at most")
    if not _REGISTRY.fullmatch(registry):
        raise _no_image(text, "write the registry as host or host:port, without a scheme")
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST_REPOSITORY:
        raise _no_image(text, 'write it such as "registry.example/team/web", in lower case')
    if registry == HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Image(registry, repository, tag, digest)


def _split(name: str) -> tuple[str, str]:
    """Registry and the rest."""
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or any(mark in first for mark in ".:[")):
        return HUB, name
    return (HUB if first in {"docker.io", "index.docker.io"} else first), rest


def _no_image(text: str, way_out: str) -> ValueError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return ValueError(f'"{shown}" names no image: {way_out}')
