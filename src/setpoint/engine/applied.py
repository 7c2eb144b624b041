"""The files that checks, tasks and custom runtimes are run with, laid out as they were applied (§10.6).

Each tree has a directory of its own below ``applied/`` in the data directory, named by its content and shared by all that run
with the same files. It is made when it is needed, and compared with its content before each use: what a program changed there, or
a crash left half written, is laid out again.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from setpoint.durable import files
from setpoint.model.checks import CheckDefinition
from setpoint.model.tasks import TaskDefinition
from setpoint.model.trees import Stored, Tree
from setpoint.plugins.errors import TerminalError, TransientError
from setpoint.programs import users
from setpoint.store.port import Content

KEPT = 100
"""So many trees are kept that nothing runs with at the moment."""
_APPLIED = "applied"
YOUNG = 24 * 3600.0
"""Seconds for which a tree is kept in any case after its last use: a custom runtime's command may run in it."""
Definition = TypeVar("Definition", CheckDefinition, TaskDefinition)
_Marks = dict[str, tuple[int, int, int, int]]


class AppliedTrees:
    """Lays trees out."""

    def __init__(self, home: Path, content: Content) -> None:
        self._home = home.absolute()
        self._content = content
        self._known: dict[Path, tuple[Tree, _Marks]] = {}
        """Directory -> what it was when it was last compared with its content."""
        self._in_use: Counter[Path] = Counter()
        self._making = asyncio.Lock()

    def path(self, tree: str) -> Path:
        """Where a tree lies, once it is laid out for programs of the engine's own user."""
        return self._home / _APPLIED / tree

    @asynccontextmanager
    async def used(self, definition: Definition) -> AsyncIterator[Definition]:
        """A definition whose paths are absolute and lead to its files, which stay there until the block ends.

        Raises:
            TerminalError: the files are not stored, or a path leads out of them. TransientError: the disk does not take them.
        """
        if not definition.tree:
            yield definition
            return
        path = await asyncio.to_thread(self._path_for, definition)
        self._in_use[path] += 1
        try:
            await self._ready(definition.tree, path)
            yield replace(definition, options=_placed(definition, path))
        finally:
            self._in_use[path] -= 1

    async def ready(self, tree: str) -> Path:
        """The directory of a tree, with everything in it as it was applied. Raises as ``used``."""
        path = self.path(tree)
        await self._ready(tree, path)
        return path

    def _path_for(self, definition: CheckDefinition | TaskDefinition) -> Path:
        """Where its tree lies: what runs as another user cannot enter the data directory."""
        user = str(definition.options.get("user", "")) if definition.use == "program" else ""
        if not user:
            return self.path(definition.tree)
        try:
            return users.directory_of(self._home, users.account_of(user), _APPLIED) / definition.tree
        except users.UserError as error:
            raise TerminalError(str(error)) from error
        except OSError as error:
            raise TransientError(f"the directory of {user} cannot be made: {error}") from error

    async def _ready(self, tree: str, path: Path) -> None:
        async with self._making:
            if not await asyncio.to_thread(self._unchanged, path):
                await self._make(tree, path)

    def _unchanged(self, path: Path) -> bool:
        if path not in self._known:
            return False
        found, marks = self._known[path]
        try:
            same = _marks_of(found, path) == marks
            files.touch(path)
        except OSError:
            return False
        return same

    async def _make(self, tree: str, path: Path) -> None:
        manifest = await self._stored(tree)
        try:
            found = Tree.decode(manifest)
        except msgspec.MsgspecError as error:
            raise TerminalError(f"the list of files {tree[:12]}… cannot be read: {error}") from error
        try:
            if not await asyncio.to_thread(_is_whole, found, path):
                contents = {name: await self._stored(one.sha256) for name, one in found.files.items()}
                await asyncio.to_thread(_lay_out, found, contents, path)
                await asyncio.to_thread(self._prune, path)
            self._known[path] = (found, await asyncio.to_thread(_marks_of, found, path))
        except OSError as error:
            raise TransientError(
                f"the files that were applied cannot be laid out in {path}: {error.strerror or error}"
            ) from error

    async def _stored(self, sha256: str) -> bytes:
        content = await self._content.file(sha256)
        if content is None:
            raise TerminalError(f"a file that was applied ({sha256[:12]}…) is not stored: apply the configuration again")
        return content

    def _prune(self, new: Path) -> None:
        """Remove what was not used for long; what is needed once more is laid out again."""
        now = time.time()
        trees = sorted((path.stat().st_mtime, path) for path in new.parent.iterdir())
        for used, path in trees[:-KEPT]:
            if path != new and not self._in_use[path] and now - used > YOUNG:
                self._known.pop(path, None)
                files.remove_tree(path)


def _placed(definition: CheckDefinition | TaskDefinition, root: Path) -> dict[str, Any]:
    """Options with absolute paths. Raises TerminalError for one that leads out."""
    options = dict(definition.options)
    for name in definition.paths:
        options[name] = str(root / _within(str(options[name])))
    command = options.get("command")
    if definition.use == "program" and isinstance(command, list) and command and "/" in str(command[0]):
        first = str(command[0])
        if not first.startswith("/"):
            _within(posixpath.join(str(definition.options["directory"]), first))
    return options


def _within(path: str) -> str:
    found = posixpath.normpath(path)
    if found.startswith(("/", "../")) or found == "..":
        raise TerminalError(f'"{path}" leads out of the files that were applied')
    return found


def _marks_of(tree: Tree, path: Path) -> _Marks:
    """Return what changes when a file is touched. Raises OSError where one is missing."""
    found: _Marks = {}
    for name in tree.files:
        seen = (path / name).lstat()
        found[name] = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_mode)
    for name in tree.directories:
        (path / name).lstat()
    return found


def _is_whole(tree: Tree, path: Path) -> bool:
    """Whether everything lies there as it was applied."""
    try:
        allowed = path.parent.stat().st_mode
        whole = all(_is(one, path / name, allowed) for name, one in tree.files.items())
        return whole and all((path / name).is_dir() for name in tree.directories)
    except OSError:
        return False


def _is(one: Stored, path: Path, allowed: int) -> bool:
    if path.is_symlink() or path.stat().st_mode & 0o777 != _mode(one, allowed):
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256


def _mode(one: Stored, allowed: int) -> int:
    """Others may read it where they may enter the directory above its tree, whose mode is ``allowed``."""
    return (0o555 if one.executable else 0o444) & allowed


def _lay_out(tree: Tree, contents: dict[str, bytes], path: Path) -> None:
    """Nothing is synced: what a loss of power leaves is compared with its content before it is used."""
    files.make_directory(path.parent)
    allowed = path.parent.stat().st_mode
    fresh = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        for name in (".", *tree.directories):
            files.make_directory(fresh / name, 0o755 & allowed)
        for name, one in tree.files.items():
            target = fresh / _within(name)
            files.make_directory(target.parent, 0o755 & allowed)
            files.create(target, [contents[name]])
            files.restrict(target, _mode(one, allowed))
        files.remove_tree(path)
        files.rename(fresh, path)
    finally:
        files.remove_tree(fresh)
