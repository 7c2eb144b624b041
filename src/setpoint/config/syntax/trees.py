"""The files that documents name for their programs, keys and migrations: which they are, and trees of them by content (§10.6)."""

from __future__ import annotations

import configparser
import posixpath
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Mapping as AnyMapping

from setpoint.config.syntax import paths
from setpoint.config.syntax.named import static_part
from setpoint.model.trees import Stored, Tree


class Trees:
    """Makes trees of one configuration's files; each is made once."""

    def __init__(self, files: AnyMapping[str, bytes], executable: Collection[str]) -> None:
        self.files = files
        self.contents: dict[str, bytes] = {}
        """SHA-256 -> what is to be stored for a tree, besides the files themselves."""
        self.executable = frozenset(executable)
        self._hashes: dict[str, str] = {}
        self._folders = {folder for name in files for folder in _above(name)}
        self._below: dict[str, set[str]] = {}
        self._made: dict[tuple[frozenset[str], str], str] = {}

    def tree(self, names: Iterable[str], directory: str = ".") -> str:
        """SHA-256 of the tree with these files, and a working directory that is there in any case."""
        key = (frozenset(names), directory)
        if key not in self._made:
            content = Tree({name: self._stored(name) for name in sorted(key[0])}, (directory,)).encode()
            self._made[key] = paths.sha256(content)
            self.contents[self._made[key]] = content
        return self._made[key]

    def shown(self, tree: str) -> dict[str, str]:
        """Path -> what stands for its content, for people; empty for a tree of another configuration."""
        if tree not in self.contents:
            return {}
        found = Tree.decode(self.contents[tree]).files
        return {path: f"{one.sha256[:8]}{', executable' if one.executable else ''}" for path, one in found.items()}

    def _stored(self, name: str) -> Stored:
        if name not in self._hashes:
            self._hashes[name] = paths.sha256(self.files[name])
        return Stored(self._hashes[name], name in self.executable)

    # --- which files are named

    def of_program(self, commands: Iterable[Iterable[str]], directory: str, *, whole: bool) -> set[str]:
        """Files that words of commands name, seen from their directory; ``whole``: everything in it, too.

        Raises:
            PathError: the directory is not there, or there is more in it than is stored.
        """
        found = set(self._all(directory)) if whole else set()
        for word in (word for command in commands for word in command):
            for path in named_by(word, directory):
                found |= self._at(path, directory_too="/" in word)
        paths.check_bounds(directory, len(found), sum(len(self.files[name]) for name in found))
        return found

    def of_path(self, path: str) -> set[str]:
        """The file or the directory at a path; where a release sets the rest of it, all that lies above that.

        Raises:
            PathError: it is not there, or there is more in it than is stored.
        """
        above = static_part(path)
        if above in self.files:
            return {above}
        if above not in self._folders:
            raise paths.PathError(
                "missing-file", f'"{above}" is not there.', "Correct the path: it is relative to this document."
            )
        return set(self._all(above))

    def of_migrations(self, path: str) -> set[str]:
        """As ``of_path``, with the directories of scripts that each alembic.ini among them names."""
        found = self.of_path(path)
        for name in sorted(found):
            for place in locations(name, self.files[name]):
                found |= self._at(place, directory_too=True)
        return found

    def _at(self, path: str, *, directory_too: bool) -> set[str]:
        if path in self.files:
            return {path}
        return self._all(path) if directory_too and path != "." and path in self._folders else set()

    def _all(self, directory: str) -> set[str]:
        """What is stored of a directory. Raises PathError."""
        if directory not in self._below:
            self._below[directory] = set(paths.below(self.files, directory))
        return self._below[directory]


def _above(path: str) -> Iterator[str]:
    """Every directory that a file lies in, the root too."""
    while path:
        path = posixpath.dirname(path)
        yield path or "."


def named_by(word: str, directory: str) -> Iterator[str]:
    """Paths that an argument of a command may mean: itself, or what stands behind ``=`` of an option."""
    text = word.partition("=")[2] if word.startswith("-") else word
    if not text or text.startswith(("/", "${")) or "\0" in text:
        return
    try:
        yield paths.beside(f"{directory}/_", static_part(text))
    except paths.PathError:
        return  # a word that leads out of the directory names nothing that could be stored


def locations(path: str, content: bytes) -> list[str]:
    """Directories of scripts that an alembic.ini names, relative to the root; empty for any other file."""
    if not path.endswith(".ini"):
        return []
    parser = configparser.ConfigParser({"here": "."}, interpolation=configparser.BasicInterpolation())
    try:
        parser.read_string(content.decode())
        section = dict(parser["alembic"]) if parser.has_section("alembic") else {}
    except (configparser.Error, UnicodeDecodeError):
        return []  # the check itself reports what is wrong with it
    written = [section.get("script_location", ""), *_several(section)]
    found = []
    for place in written:
        if place and ":" not in place and not place.startswith("/"):
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), place))
            if not joined.startswith("../") and joined not in {"..", "."}:
                found.append(joined)
    return found


def _several(section: AnyMapping[str, str]) -> list[str]:
    """``version_locations``, split as Alembic does."""
    written = section.get("version_locations", "")
    separators = {"space": None, "newline": "\n", "os": ":", ":": ":", ";": ";"}
    how = section.get("path_separator", section.get("version_path_separator", "space"))
    separator = separators.get(how)
    return [place.strip() for place in (written.split(separator) if separator else written.replace(",", " ").split())]
