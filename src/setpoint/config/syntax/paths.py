"""Paths that documents name: relative to the document, never out of the directory, contents taken from the files given."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from pathlib import Path

from setpoint.config.syntax.left_out import is_left_out

MAX_FILES = 2_000
MAX_TOTAL = 64 << 20
"""Bytes of all files of one workload."""
IGNORED = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
"""Folders that change by themselves and never belong to a version."""
DOCUMENTS = (".setpoint.yaml", ".setpoint.yml")


class PathError(ValueError):
    """A path that cannot be used; ``code`` and ``hint`` are for a Problem."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


def is_document(path: str) -> bool:
    """Whether a file is read as configuration."""
    return posixpath.basename(path) in {"setpoint.yaml", "setpoint.yml"} or path.endswith(DOCUMENTS)


def beside(document: str, path: str) -> str:
    """A path written in a document, relative to the root; the root itself is ``.``.

    Raises:
        PathError: it leaves the directory.
    """
    found = posixpath.normpath(posixpath.join(posixpath.dirname(document), path))
    if found.startswith(("/", "../")) or found == "..":
        raise PathError(
            "path-outside",
            f'"{path}" leads out of the configuration\'s directory.',
            "Move the file below it, and write a path relative to this document.",
        )
    return found


def below(files: Mapping[str, bytes], directory: str) -> dict[str, bytes]:
    """The files of a directory that make up a version: all but documents, caches and what is left out.

    Raises:
        PathError: there are none, or more than a version may have.
    """
    prefix = "" if directory == "." else f"{directory}/"
    found = {
        path: content
        for path, content in files.items()
        if path.startswith(prefix) and belongs(path) and not is_left_out(path, content)
    }
    if not found:
        raise PathError(
            "missing-directory",
            f'the directory "{directory}" is not there, or has no files.',
            "Correct the path: it is relative to this document.",
        )
    check_bounds(directory, len(found), sum(len(content) for content in found.values()))
    return found


def check_bounds(directory: str, number: int, size: int) -> None:
    """Raises PathError beyond what a version may have."""
    if number > MAX_FILES or size > MAX_TOTAL:
        most = f"a version has at most {MAX_FILES:,} files with {MAX_TOTAL:,} bytes"
        message = f'"{directory}" has {number:,} files with {size:,} bytes; {most}.'
        raise PathError(
            "directory-too-large",
            message,
            "Name a smaller directory, or write `mutable: true` (a rollback then runs today's files).",
        )


def belongs(path: str) -> bool:
    """Whether a file is part of a version; ``.git`` is a file in a second working tree of a repository."""
    return not is_document(path) and not path.endswith(".pyc") and not IGNORED & set(path.split("/"))


def sha256(content: bytes) -> str:
    """Of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def absolute(root: Path, path: str) -> str:
    """A path relative to the root as one of this machine."""
    return str(root if path == "." else root / path)


def is_relative_program(word: str) -> bool:
    """Whether a command starts with the name of a file rather than of something on PATH."""
    return "/" in word and not word.startswith(("/", "${"))
