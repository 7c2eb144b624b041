"""Names of container images: ``[registry/]repository[:tag][@digest]``, as the distribution specification reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

HUB = "registry-1.docker.io"
"""Where images live whose name has no registry, or ``docker.io``."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_LONGEST_REPOSITORY = 255
_OF_A_NAME = r"[A-Za-z0-9_./:@-]"
ABOUT_IMAGES = frozenset({"image-exists", "image-signed"})
"""Built-in checks with an argument ``image``."""


class Unresolved(ValueError):  # noqa: N818 - named after what happened
    """An image that is named by a tag, although its version was released without resolving it."""


class Image(msgspec.Struct, frozen=True, gc=False):
    """One image in one registry. With a digest, the tag is for people only."""

    registry: str
    """Host, and port if any."""
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def reference(self) -> str:
        """What is requested from the registry: the digest, or the tag, by default ``latest``."""
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


def by_tag(names: Iterable[str]) -> list[str]:
    """Those that a registry may change its mind about: names without a digest, sorted."""
    return sorted({name for name in names if "@" not in name})


def pinned(name: str, images: Mapping[str, str], version: str) -> str:
    """The image with the digest that its tag was resolved to when ``version`` was released (§10.7).

    A configuration may name the image of the same version differently, such as in a registry near by: where all images of the
    version have one digest, that is the one.

    Raises:
        Unresolved: it has none.
    """
    if "@" in name:
        return name
    digests = set(images.values())
    digest = images.get(name) or (digests.pop() if len(digests) == 1 else "")
    if not digest:
        raise Unresolved(f"{name} was not resolved to a digest when {version} was released: release {version} again")
    return f"{name}@{digest}"


def digest_of(name: str) -> str:
    """``sha256:…`` of an image with a digest."""
    return name.rpartition("@")[2]


def pin(value: Any, images: Mapping[str, str]) -> Any:
    """A JSON-like value in whose texts each of ``images`` stands with its digest beside the tag.

    In longer texts only names with a tag are found: ``web`` may be any word. Such a name counts as the whole text.
    """
    if not images:
        return value
    if isinstance(value, str):
        return _pinned_text(value, images)
    if isinstance(value, Mapping):
        return {key: pin(item, images) for key, item in value.items()}
    return [pin(item, images) for item in value] if isinstance(value, list | tuple) else value


def _pinned_text(text: str, images: Mapping[str, str]) -> str:
    for name, digest in images.items():
        if text == name and "/" in name:
            return f"{name}@{digest}"
        if ":" in name.rpartition("/")[2] and name in text:
            whole = rf"(?:(?<=://)|(?<!{_OF_A_NAME})){re.escape(name)}(?!{_OF_A_NAME})"
            text = re.sub(whole, f"{name}@{digest}", text)
    return text
