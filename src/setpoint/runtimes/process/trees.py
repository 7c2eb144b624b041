"""A version's own files, laid out as they were when it was made, so that a rollback runs what it ran then."""

from __future__ import annotations

import hashlib
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from setpoint.durable import files as durable
from setpoint.plugins.errors import TerminalError, TransientError

_PROGRAMS = (b"#!", b"\x7fELF")
_BLOCK = 1024 * 1024


def lay_out(files: dict[str, str], store: Path, tree: Path) -> None:
    """Make the directory ``tree`` with ``files`` (relative path -> SHA-256) from the content store, unless it is there already.

    Copies, not links: what a replica writes must not change the store. A file that begins like a program is executable.
    Others may read it where they may enter the parent of ``tree``.

    Raises:
        TerminalError: a file is not in the store, differs from its digest, or has an impossible path.
        TransientError: the disk does not take it.
    """
    fresh = tree.parent / f".{tree.name}.{secrets.token_hex(4)}"
    try:
        if tree.is_dir():
            durable.touch(tree)
            return
        durable.make_directory(tree.parent)
        allowed = stat.S_IMODE(tree.parent.stat().st_mode)
        for name, content in files.items():
            _copy(store / content, content, fresh / _checked(name), allowed)
        _publish(fresh, tree, allowed)
    except OSError as error:
        raise TransientError(f"the files of this version cannot be laid out: {error}") from error
    finally:
        durable.remove_tree(fresh)


def _checked(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise TerminalError(f'the file "{name}" of this version does not lie below the root of its configuration')
    return path


def _publish(fresh: Path, tree: Path, allowed: int) -> None:
    durable.make_directory(fresh, 0o755 & allowed)
    try:
        durable.rename(fresh, tree)
        durable.sync_directory(tree.parent)
    except OSError:
        if not tree.is_dir():  # else another writer laid out the same
            raise


def _copy(source: Path, content: str, target: Path, allowed: int) -> None:
    durable.make_directory(target.parent, 0o755 & allowed)
    try:
        reading = source.open("rb")
    except FileNotFoundError:
        raise TerminalError(f"the file {target.name} of this version is not in the store of contents: {source}") from None
    checksum = hashlib.sha256()
    with reading:
        first = reading.read(_BLOCK)
        durable.create(target, _summed(first, reading, checksum), sync=True)
    if checksum.hexdigest() != content:
        raise TerminalError(f"the file {target.name} in the store of contents is damaged: {source}")
    durable.restrict(target, (0o755 if first.startswith(_PROGRAMS) else 0o644) & allowed)


def _summed(block: bytes, reading: BinaryIO, checksum: Any) -> Iterator[bytes]:
    while block:
        checksum.update(block)
        yield block
        block = reading.read(_BLOCK)
