"""Reads a configuration's directory: its documents, and the files that they name. Nothing outside of it is ever read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setpoint.config import paths
from setpoint.config.named import PATHS, static_part
from setpoint.config.problems import ConfigurationError, Position, Problem, Problems
from setpoint.config.yaml import MAX_BYTES, Mapping, Scalar, Sequence, place_of, read_documents

MAX_DOCUMENTS = 5_000
"""Files of documents in one configuration."""


def collect(root: Path) -> dict[str, bytes]:
    """Relative path -> content of every document and every file that one names; all that loading needs.

    Raises:
        ConfigurationError: the directory or a file cannot be read, or a symbolic link leads out of it.
    """
    files, problems = gather(root)
    if problems:
        raise ConfigurationError(problems)
    return files


def gather(root: Path) -> tuple[dict[str, bytes], list[Problem]]:
    """As ``collect``, with what is wrong beside what could be read."""
    problems = Problems()
    root = root.resolve()
    if not root.is_dir():
        hint = "Name the directory that has your *.setpoint.yaml files."
        problems.add("no-directory", Position(str(root)), "", "there is no such directory.", hint)
        return {}, problems.in_order()
    files = {
        path: content
        for path in _documents(root, problems)
        if (content := _read(root, path, problems, MAX_BYTES + 1)) is not None
    }
    for document in sorted(files):
        _add_named(root, document, files, problems)
    return files, problems.in_order()


def _documents(root: Path, problems: Problems) -> Iterator[str]:
    found = 0
    for path in _walk(root, root):
        if not paths.is_document(path):
            continue
        found += 1
        if found > MAX_DOCUMENTS:
            problems.add(
                "too-many-files",
                Position(path),
                "",
                f"there are more than {MAX_DOCUMENTS:,} files of documents.",
                "Name the directory of one configuration.",
            )
            return
        yield path


def _walk(root: Path, top: Path) -> Iterator[str]:
    """Files below ``top``, relative to ``root``; folders behind symbolic links are not entered."""
    for folder, names, files in os.walk(top, followlinks=False):
        names[:] = sorted(name for name in names if name not in paths.IGNORED)
        for name in sorted(files):
            yield (Path(folder) / name).relative_to(root).as_posix()


def _read(root: Path, path: str, problems: Problems, most: int) -> bytes | None:
    """At most ``most`` bytes of a file, unless it is a link that leads out of the root or nowhere, or no file."""
    target = root / path
    real = Path(os.path.realpath(target))
    if not real.is_relative_to(root):
        problems.add(
            "symlink-outside",
            Position(path),
            "",
            "this symbolic link leads out of the configuration's directory.",
            "Put the file itself here.",
        )
        return None
    if not real.is_file():
        problems.add("unreadable-file", Position(path), "", "this is no file that can be read.", "Remove it, or put a file here.")
        return None
    try:
        with target.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        problems.add(
            "unreadable-file", Position(path), "", f"the file cannot be read: {error.strerror}.", "Correct its permissions."
        )
        return None


def _add_named(root: Path, document: str, files: dict[str, bytes], problems: Problems) -> None:
    """What cannot be found is left out: loading says so, with its place."""
    trees, _ = read_documents(document, files[document], Problems())
    for tree in trees:
        for kind, block in _blocks(tree):
            if kind in PATHS:
                _add_paths(root, kind, block, files, problems)
            elif kind == "process":
                _add_process(root, block, files, problems)
            else:
                _add_program(root, block, files)
        for written in _entries(tree):
            path = _beside(written)
            if path and path not in files and _inside(root, path) and (root / path).is_file():
                content = _read(root, path, problems, MAX_BYTES + 1)
                if content is not None:
                    files[path] = content


def _entries(tree: Any) -> Iterator[Any]:
    """The files that hold entries of channel groups: those of a Channel, and of channels in place."""
    if not isinstance(tree, Mapping):
        return
    written = tree.get("channels")
    for channel in (tree, *(written if isinstance(written, Sequence) else [written])):
        each = channel.get("each") if isinstance(channel, Mapping) else None
        if isinstance(each, Mapping) and "itemsFrom" in each:
            yield each["itemsFrom"]


def _blocks(tree: Any) -> Iterator[tuple[str, Mapping]]:
    """Every block of a document that may name files, also below ``perChannel``."""
    if not isinstance(tree, Mapping):
        return
    fragments = tree.get("perChannel")
    for fields in (tree, *(fragments.values() if isinstance(fragments, Mapping) else ())):
        for kind in ("process", "program", *PATHS):
            block = fields.get(kind) if isinstance(fields, Mapping) else None
            if isinstance(block, Mapping):
                yield kind, block


def _add_paths(root: Path, kind: str, block: Mapping, files: dict[str, bytes], problems: Problems) -> None:
    written = [block.get(field) for field in PATHS[kind]]
    for path in (one for value in written for one in (value if isinstance(value, Sequence) else [value])):
        if isinstance(path, Scalar):
            above = Scalar.of(static_part(path), path.position)
            there = _beside(above)
            if there and _inside(root, there) and (root / there).is_file():
                content = _read(root, there, problems, paths.MAX_TOTAL + 1)
                files |= {} if content is None or there in files else {there: content}
            else:
                _add_directory(root, above, files, problems)


def _add_process(root: Path, block: Mapping, files: dict[str, bytes], problems: Problems) -> None:
    directory = block.get("directory")
    if isinstance(directory, Scalar):
        if block.get("mutable") != "true":
            _add_directory(root, directory, files, problems)
        return
    health = block.get("health")
    for words in (block.get("command"), health.get("command") if isinstance(health, Mapping) else None):
        for word in words if isinstance(words, Sequence) else ():
            path = _beside(word)
            if path and path not in files and _inside(root, path) and (root / path).is_file():
                content = _read(root, path, problems, paths.MAX_TOTAL + 1)
                if content is not None:
                    files[path] = content


def _add_directory(root: Path, directory: Scalar, files: dict[str, bytes], problems: Problems) -> None:
    path = _beside(directory)
    if not path or not _inside(root, path) or not (root / path).is_dir():
        return
    number = size = 0
    for name in _walk(root, root / path):
        if not paths.belongs(name):
            continue
        content = files.get(name) or _read(root, name, problems, paths.MAX_TOTAL + 1 - size)
        number, size = number + 1, size + len(content or b"")
        if number > paths.MAX_FILES or size > paths.MAX_TOTAL:
            message = (
                f'"{directory}" has more than {paths.MAX_FILES:,} files or {paths.MAX_TOTAL:,} bytes, too much for a version.'
            )
            problems.add(
                "directory-too-large",
                directory.position,
                "",
                message,
                "Name a smaller directory, or say `mutable: true` (a rollback then runs today's files).",
            )
            return
        if content is not None:
            files[name] = content


def _add_program(root: Path, block: Mapping, files: dict[str, bytes]) -> None:
    """Programs of checks run where they are: only that they are there matters."""
    command, directory = block.get("command"), block.get("directory")
    word = command[0] if isinstance(command, Sequence) and command else None
    if not isinstance(word, Scalar) or not paths.is_relative_program(word):
        return
    document = word.position.file
    base = _beside(directory) if isinstance(directory, Scalar) else os.path.dirname(document)  # noqa: PTH120 - a POSIX path in the mapping
    try:
        path = paths.beside(f"{base}/_" if base else "_", word)
    except paths.PathError:
        return
    if path not in files and _inside(root, path) and (root / path).is_file():
        files[path] = b""


def _beside(word: Any) -> str:
    if not isinstance(word, Scalar) or not word or word.startswith(("-", "/")):
        return ""
    try:
        return paths.beside(place_of(word).file, word)
    except paths.PathError:
        return ""


def _inside(root: Path, path: str) -> bool:
    return Path(os.path.realpath(root / path)).is_relative_to(root)
