"""Reads a configuration's directory: its documents, and the files that they name. Nothing outside of it is ever read."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

from setpoint.config.policies.builtins import BUILTINS
from setpoint.config.problems import ConfigurationError, ConfigurationProblem, Position, Problems
from setpoint.config.syntax import paths
from setpoint.config.syntax.left_out import is_left_out, is_secret
from setpoint.config.syntax.named import PATHS, static_part
from setpoint.config.syntax.trees import locations, named_by
from setpoint.config.syntax.yaml import MAX_BYTES, Mapping, Scalar, Sequence, place_of, read_documents

_COMMANDS = ("command", "apply", "fetch", "info", "remove")
"""Fields of blocks that are commands, but for those of processes."""
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


def gather(root: Path) -> tuple[dict[str, bytes], list[ConfigurationProblem]]:
    """As ``collect``, with what is wrong beside what could be read."""
    problems = Problems()
    root = root.resolve()
    if not root.is_dir():
        hint = (
            f"Name the directory that it stands in: {root.parent}."
            if root.is_file()
            else "Name the directory that has your *.setpoint.yaml files."
        )
        message = "this is a file: a configuration is a directory." if root.is_file() else "this directory does not exist."
        problems.add("no-directory", Position(str(root)), "", message, hint)
        return {}, problems.in_order()
    files = {
        path: content
        for path in _documents(root, problems)
        if (content := _read(root, path, problems, MAX_BYTES + 1)) is not None
    }
    trees = {document: read_documents(document, files[document], Problems())[0] for document in sorted(files)}
    uses = _builtins(tree for found in trees.values() for tree in found)
    for found in trees.values():
        _add_named(root, found, uses, files, problems)
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
        _leads_out(path, problems)
        return None
    if not real.is_file():
        problems.add("unreadable-file", Position(path), "", "this is not a readable file.", "Remove it, or put a file here.")
        return None
    try:
        with target.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if most == MAX_BYTES + 1 and size > MAX_BYTES:
                message = f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read."
                problems.add("file-too-large", Position(path), "", message, "Split it into several files.")
                return None
            return stream.read(most)
    except OSError as error:
        problems.add(
            "unreadable-file", Position(path), "", f"the file cannot be read: {error.strerror}.", "Correct its permissions."
        )
        return None


def _leads_out(path: str, problems: Problems) -> None:
    message = "this symbolic link leads out of the configuration's directory."
    problems.add("symlink-outside", Position(path), "", message, "Put the file itself here.")


def executables(root: Path, files: Iterable[str]) -> list[str]:
    """Those of the files collected below ``root`` that their owner may run."""
    return sorted(path for path in files if not paths.is_document(path) and _executable(root / path))


def _executable(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IXUSR)
    except OSError:
        return False  # it was there a moment ago: what was read of it counts


def _add_named(root: Path, trees: list[Any], uses: AnyMapping[str, str], files: dict[str, bytes], problems: Problems) -> None:
    """What one document's trees name. What cannot be found is left out: loading reports it, with its place."""
    reader = _NamedFiles(root, files, problems)
    for tree in trees:
        for kind, block in _blocks(tree):
            if kind in PATHS:
                reader.paths(kind, block)
            elif kind == "process":
                reader.process(block)
            else:
                reader.commands([block.get(name) for name in _COMMANDS], block)
        for builtin, arguments in _arguments(tree, uses):
            reader.arguments(builtin, arguments)
        for written in _entries(tree):
            reader.entries(_beside(written))


def _builtins(trees: Iterable[Any]) -> dict[str, str]:
    """Name of a Protection or Task -> the built-in that it comes to."""
    return {
        str(tree["name"]): str(tree["use"])
        for tree in trees
        if isinstance(tree, Mapping) and isinstance(tree.get("name"), Scalar) and tree.get("use") in BUILTINS
    }


def _arguments(tree: Any, uses: AnyMapping[str, str]) -> Iterator[tuple[str, Mapping]]:
    """Built-in -> ``with``, wherever one is used, and the organization's ``defaults``."""
    if isinstance(tree, Sequence):
        for item in tree:
            yield from _arguments(item, uses)
    if not isinstance(tree, Mapping):
        return
    use, arguments = tree.get("use"), tree.get("with")
    if isinstance(use, Scalar) and isinstance(arguments, Mapping):
        yield uses.get(str(use), str(use)), arguments
    for name, item in tree.items():
        if name in BUILTINS and isinstance(item, Mapping):
            yield str(name), item
        yield from _arguments(item, uses)


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
        for kind in ("process", "program", "custom", *PATHS):
            block = fields.get(kind) if isinstance(fields, Mapping) else None
            if isinstance(block, Mapping):
                yield kind, block


class _NamedFiles:
    """Reads what documents name into ``files``."""

    def __init__(self, root: Path, files: dict[str, bytes], problems: Problems) -> None:
        self._root, self._files, self._problems = root, files, problems

    def entries(self, path: str) -> None:
        """A file of a channel group's entries; loading reports when it is too large."""
        if path and path not in self._files and self._is_file(path):
            content = _read(self._root, path, self._problems, MAX_BYTES + 1)
            self._files |= {} if content is None else {path: content}

    def file(self, path: str) -> bool:
        """Whether there is one; a pipe or a device is an error."""
        if not path or (path in self._files and not is_left_out(path, self._files[path])):
            return bool(path)
        there = self._root / path
        if not os.path.lexists(there) or there.is_dir():
            return False
        content = _read(self._root, path, self._problems, paths.MAX_TOTAL + 1)
        if content is not None and len(content) > paths.MAX_TOTAL:
            self._too_large(Scalar.of(path, Position(path)))
        elif content is not None:
            self._files[path] = content
        return True

    def paths(self, kind: str, block: Mapping) -> None:
        """Of a workload that is made of files."""
        written = [block.get(field) for field in PATHS[kind]]
        for path in (one for value in written for one in (value if isinstance(value, Sequence) else [value])):
            self._path(path)

    def _path(self, path: Any) -> None:
        """A file, or a directory; what lies above it where a release sets the rest."""
        if not isinstance(path, Scalar):
            return
        above = Scalar.of(static_part(path), path.position)
        if not self.file(_beside(above)):
            self.directory(above)

    def process(self, block: Mapping) -> None:
        """Of a process: its directory, or the files that its commands name."""
        directory = block.get("directory")
        if isinstance(directory, Scalar):
            if block.get("mutable") != "true":
                self.directory(directory)
                self._named_below(_beside(directory), block)
            return
        health = block.get("health")
        for words in (block.get("command"), health.get("command") if isinstance(health, Mapping) else None):
            for word in words if isinstance(words, Sequence) else ():
                self.file(_beside(word))

    def _named_below(self, directory: str, block: Mapping) -> None:
        """Files that a process's command names from within its directory: those are meant, whatever their names."""
        command = block.get("command")
        for word in command if isinstance(command, Sequence) else ():
            for path in named_by(word, directory) if directory and isinstance(word, Scalar) else ():
                if path.startswith("" if directory == "." else f"{directory}/"):
                    self.file(path)

    def commands(self, commands: Iterable[Any], block: Mapping) -> None:
        """Of programs: the files and directories that words of their commands name, and their directory."""
        directory, mutable = block.get("directory"), block.get("mutable") == "true"
        if isinstance(directory, Scalar) and not mutable:
            self.directory(directory)
        for command in (command for command in commands if isinstance(command, Sequence)):
            words = [word for word in command if isinstance(word, Scalar)]
            for word in words[:1] if mutable else words:
                base = _beside(directory) if isinstance(directory, Scalar) else posixpath.dirname(word.position.file) or "."
                for path in named_by(word, base):
                    if mutable and self._is_file(path):
                        self._files.setdefault(path, b"")  # only that it is there matters
                    elif not mutable and not self.file(path) and "/" in word and path != ".":
                        self.directory(Scalar.of(path, word.position), of_root=True)

    def arguments(self, builtin: str, arguments: Mapping) -> None:
        """Of a built-in: its files, and the scripts that an alembic.ini among them names."""
        if builtin not in BUILTINS or arguments.get("mutable") == "true":
            return
        before = set(self._files)
        for name in sorted(BUILTINS[builtin].paths - BUILTINS[builtin].live):
            written = arguments.get(name)
            self._path(written)
            above = _beside(Scalar.of(static_part(written), written.position)) if isinstance(written, Scalar) else ""
            for path in {path for path in self._files if path not in before or path == above}:
                for place in locations(path, self._files[path]) if builtin == "db-migrated" else ():
                    self.directory(Scalar.of(place, Position(path)), of_root=True)

    def directory(self, directory: Scalar, *, of_root: bool = False) -> None:
        """All files of a directory, which is relative to the document or to the root."""
        path = str(directory) if of_root else _beside(directory)
        if not path or not (self._root / path).is_dir():
            return
        if not _inside(self._root, path):
            _leads_out(path, self._problems)
            return
        number = size = 0
        for name in _walk(self._root, self._root / path):
            if not paths.belongs(name):
                continue
            content = self._files.get(name) or self._found(name, paths.MAX_TOTAL + 1 - size)
            number, size = number + 1, size + len(content or b"")
            if number > paths.MAX_FILES or size > paths.MAX_TOTAL:
                self._too_large(directory)
                return
            if content is not None:
                self._files[name] = content

    def _found(self, name: str, most: int) -> bytes | None:
        """Of a file that is found in a directory: what usually holds secrets is left out (``left_out``)."""
        content = _read(self._root, name, self._problems, most)
        return b"" if content is not None and is_secret(name, content) else content

    def _too_large(self, what: Scalar) -> None:
        message = f'"{what}" has more than {paths.MAX_FILES:,} files or {paths.MAX_TOTAL:,} bytes, too much to be stored.'
        hint = "Name a smaller one, or write `mutable: true` (what lies there at that moment is then run, after a rollback too)."
        self._problems.add("directory-too-large", what.position, "", message, hint)

    def _is_file(self, path: str) -> bool:
        return _inside(self._root, path) and (self._root / path).is_file()


def _beside(word: Any) -> str:
    if not isinstance(word, Scalar) or not word or word.startswith(("-", "/")):
        return ""
    try:
        return paths.beside(place_of(word).file, word)
    except paths.PathError:
        return ""


def _inside(root: Path, path: str) -> bool:
    return Path(os.path.realpath(root / path)).is_relative_to(root)
