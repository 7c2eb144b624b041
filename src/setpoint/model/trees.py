"""Trees: the files that a check, a task or a custom runtime is run with, as they were at ``apply`` (§10.6)."""

from __future__ import annotations

import msgspec


class Stored(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One file."""

    sha256: str
    executable: bool = False


class Tree(msgspec.Struct, frozen=True, gc=False):
    """Laid out as they lie below the configuration's root. Stored by content itself: its SHA-256 stands for all of them."""

    files: dict[str, Stored] = {}
    """Path relative to the root -> content."""
    directories: tuple[str, ...] = ()
    """Those that are there although no file may be: working directories."""

    def encode(self) -> bytes:
        """The same bytes for the same files."""
        return msgspec.json.encode(self, order="deterministic")

    @staticmethod
    def decode(content: bytes) -> Tree:
        """Raises msgspec.MsgspecError."""
        return msgspec.json.decode(content, type=Tree)
