"""A version's own files, laid out as they were when it was made, so that a rollback runs what it ran then."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path, PurePosixPath

from setpoint.plugins.errors import TerminalError, TransientError

_PROGRAMS = (b"#!", b"\x7fELF")
_BLOCK = 1024 * 1024


def lay_out(files: dict[str, str], store: Path, tree: Path) -> None:
    """Make the directory ``tree`` with ``files`` (relative path -> SHA-256) from the content store, unless it is there already.

    Copies, not links: what a replica writes must not change the store. A file that begins like a program is executable.

    Raises:
        TerminalError: a file is not in the store, is not what its name says, or has an impossible path.
        TransientError: the disk does not take it.
    """
    if tree.is_dir():
        os.utime(tree)
        return
    tree.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = tree.parent / f".{tree.name}.{secrets.token_hex(4)}"
    try:
        for name, content in files.items():
            _copy(store / content, content, fresh / _checked(name))
        _publish(fresh, tree)
    except OSError as error:
        raise TransientError(f"the files of this version cannot be laid out: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _checked(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise TerminalError(f'the file "{name}" of this version does not lie below the root of its configuration')
    return path


def _publish(fresh: Path, tree: Path) -> None:
    fresh.mkdir(exist_ok=True)
    try:
        fresh.rename(tree)
    except OSError:
        if not tree.is_dir():  # else somebody else laid out the same
            raise


def _copy(source: Path, content: str, target: Path) -> None:
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    checksum = hashlib.sha256()
    try:
        reading = source.open("rb")
    except FileNotFoundError:
        raise TerminalError(f"the file {target.name} of this version is not in the store of contents: {source}") from None
    with reading, target.open("xb") as writing:
        first = reading.read(_BLOCK)
        block = first
        while block:
            checksum.update(block)
            writing.write(block)
            block = reading.read(_BLOCK)
    if checksum.hexdigest() != content:
        raise TerminalError(f"the file {target.name} in the store of contents is damaged: {source}")
    target.chmod(0o755 if first.startswith(_PROGRAMS) else 0o644)
