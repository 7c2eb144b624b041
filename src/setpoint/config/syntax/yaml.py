"""YAML 1.2 as a tree in which every key and value knows its place and keeps the characters it was written with.

Nothing is interpreted here: whether ``1.10`` is a number or a text is decided by the field (see ``values``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from setpoint.config.problems import Position, Problems

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000
"""After aliases are followed."""
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CORE = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset({"", "!", "!!str", "!!map", "!!seq"})


class Scalar(str):
    """A scalar's own characters. ``plain`` is False when it was quoted (or a block): then it is text whatever it looks like."""

    __slots__ = ("plain", "position")
    position: Position
    plain: bool

    @classmethod
    def of(cls, text: str, position: Position, *, plain: bool = False) -> Scalar:
        """A scalar at a place."""
        scalar = cls(text)
        scalar.position = position
        scalar.plain = plain
        return scalar

    @property
    def null(self) -> bool:
        """Whether it is nothing at all."""
        return self.plain and str(self) in NULLS


class Mapping(dict[str, Any]):
    """A map from :class:`Scalar` keys to nodes, in the order written."""

    def __init__(self, items: dict[str, Any] | None = None, *, position: Position) -> None:
        super().__init__(items or {})
        self.position = position


class Sequence(list[Any]):
    """A list of nodes."""

    def __init__(self, items: list[Any] | None = None, *, position: Position) -> None:
        super().__init__(items or [])
        self.position = position


Node = Scalar | Mapping | Sequence


def position_of(node: Any) -> Position | None:
    """Where a node was written, if it was."""
    return getattr(node, "position", None)


def place_of(node: Any) -> Position:
    """Where a node was written; a place without a file for what Setpoint made itself."""
    return position_of(node) or Position("")


class UnreadableError(Exception):
    """The rest of a file cannot be read."""

    def __init__(self, code: str, position: Position, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.position, self.message, self.hint = code, position, message, hint


def read_documents(file: str, data: bytes, problems: Problems) -> tuple[list[Node], bool]:
    """Every document of a file, and whether the file could be read to its end; what is wrong goes to ``problems``."""
    documents: list[Node] = []
    try:
        text = _decode(file, data)
        documents.extend(_Composer(file, text, problems).documents())
    except UnreadableError as error:
        problems.add(error.code, error.position, "", error.message, error.hint)
        return documents, False
    return documents, True


def _decode(file: str, data: bytes) -> str:
    start = Position(file)
    if len(data) > MAX_BYTES:
        raise UnreadableError(
            "file-too-large",
            start,
            f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read.",
            "Split it into several files.",
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError("encoding", start, "the file is UTF-16.", "Save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf")  # editors on Windows write it; it has no meaning
    if b"\0" in data:
        raise UnreadableError(
            "nul", _after(file, data[: data.index(b"\0")]), "the file contains a NUL character.", "Save it as UTF-8 text."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _after(file, data[: error.start])
        raise UnreadableError("encoding", place, "this file is not valid UTF-8.", "Save the file as UTF-8.") from None


def _after(file: str, before: bytes) -> Position:
    text = before.decode("utf-8", "replace")
    return Position(file, text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


class _Composer:
    """Builds the trees of one file from parser events; aliases are bounded, keys are checked."""

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self._file, self._text, self._problems = file, text, problems
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()
        self._nodes = 0

    def documents(self) -> Iterator[Node]:
        """Raises UnreadableError where the file stops being YAML."""
        for event in (events := self._events()):
            if isinstance(event, StreamStartEvent | StreamEndEvent | DocumentEndEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                self._anchors, self._open, self._nodes = {}, set(), 0
                continue
            yield self._node(event, events, 0)

    def _events(self) -> Iterator[Event]:
        try:
            yield from YAML(typ="safe", pure=True).parse(self._text)
        except MarkedYAMLError as error:
            raise self._syntax(error) from None
        except ReaderError as error:
            place = _after(self._file, self._text[: error.position].encode())
            raise UnreadableError(
                "control-character",
                place,
                "a control character stands here.",
                "Remove it, or write it as an escape inside double quotes.",
            ) from None
        except YAMLError as error:
            raise UnreadableError(
                "yaml-syntax", Position(self._file), f"this file is not valid YAML: {error}.", "Correct it here."
            ) from None

    def _syntax(self, error: MarkedYAMLError) -> UnreadableError:
        mark = error.problem_mark or error.context_mark
        if "<stream end>" in (error.problem or "") and error.context_mark:
            mark = error.context_mark
        problem = (
            (error.problem or "it cannot be read")
            .replace("<stream end>", "the end of the file")
            .replace("<", "")
            .replace(">", "")
        )
        context = f" ({error.context})" if error.context else ""
        hint = "Correct it here; the rest of the file was not read."
        if "\\t" in problem:
            hint = "Indent with spaces: YAML allows no tabs there. The rest of the file was not read."
        elif "a tag" in context:
            hint = 'Quote a text that starts with an exclamation mark, such as "!urgent". The rest of the file was not read.'
        elif "mapping values" in problem:
            hint = "Quote the text if its colon belongs to it, or check the indentation. The rest of the file was not read."
        return UnreadableError("yaml-syntax", self._at(mark), f"this file is not valid YAML: {problem}{context}.", hint)

    def _at(self, mark: StringMark | None) -> Position:
        return Position(self._file, mark.line + 1, mark.column + 1) if mark else Position(self._file)

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        position = self._at(event.start_mark)
        if isinstance(event, AliasEvent):
            return self._alias(event, position)
        if depth > MAX_DEPTH:
            raise UnreadableError(
                "too-deep",
                position,
                f"more than {MAX_DEPTH} levels lie inside each other.",
                "Nothing in a configuration needs that: make it flatter.",
            )
        self._count(1, position)
        before = self._nodes
        if anchor := getattr(event, "anchor", None):
            self._open.add(anchor)
        node = self._content(event, events, depth, position)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (node, self._nodes - before + 1)
        return node

    def _content(self, event: Event, events: Iterator[Event], depth: int, position: Position) -> Node:
        tag = self._foreign_tag(event, position)
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(following := next(events), SequenceEndEvent):
                items.append(self._node(following, events, depth + 1))
            return Sequence(items, position=position)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, depth, position)
        assert isinstance(event, ScalarEvent)  # noqa: S101 - the parser has no other event here
        if tag:
            return Scalar.of(f"{tag} {event.value}".strip(), position)
        return Scalar.of(self._sound(event.value, position), position, plain=not event.style and event.ctag is None)

    def _sound(self, text: str, position: Position) -> str:
        """A text that can be written out again: escapes can make NUL and halves of characters, as JSON writes them."""
        hint = "Write the character itself, or leave it out."
        if "\0" in text:
            self._problems.add("nul", position, "", "this text contains a NUL character.", hint)
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16").replace("\0", "")
        except UnicodeDecodeError:
            self._problems.add("bad-character", position, "", "an escape in this text is half a character.", hint)
            return text.encode("utf-8", "replace").decode()

    def _mapping(self, events: Iterator[Event], depth: int, position: Position) -> Mapping:
        own: dict[str, Any] = {}
        merged: list[Mapping] = []
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                at = position_of(key) or position
                self._problems.add(
                    "yaml-key",
                    at,
                    "",
                    "a map or a list cannot be a key.",
                    "Write a plain word before the colon; quote a text that starts with { or [.",
                )
            elif key == "<<" and key.plain:
                merged += self._merge_sources(value, key.position)
            elif key in own:
                first = next(k for k in own if k == key)
                line = first.position.line if isinstance(first, Scalar) else 0
                self._problems.add(
                    "duplicate-key",
                    key.position,
                    "",
                    f'"{key}" stands twice in this map, first on line {line}.',
                    "Remove one of the two.",
                )
            else:
                own[key] = value
        mapping = Mapping(position=position)
        for source in reversed(merged):
            mapping.update({k: v for k, v in source.items() if k not in own})
        mapping.update(own)
        return mapping

    def _merge_sources(self, value: Node, position: Position) -> list[Mapping]:
        sources = value if isinstance(value, Sequence) else [value]
        if all(isinstance(source, Mapping) for source in sources):
            return list(sources)
        self._problems.add(
            "yaml-key", position, "", "`<<` merges maps only.", "Write `<<: *anchor`, where the anchor stands on a map."
        )
        return []

    def _alias(self, event: AliasEvent, position: Position) -> Node:
        name = event.anchor
        if name in self._open:
            raise UnreadableError(
                "alias-circle", position, f'"*{name}" stands inside of what "&{name}" names.', "Write out what is meant."
            )
        if name not in self._anchors:
            raise UnreadableError(
                "unknown-alias",
                position,
                f'no anchor "&{name}" stands before this in the document.',
                "Anchors hold within one document; quote a text that starts with *.",
            )
        node, size = self._anchors[name]
        self._count(size, position)
        return node

    def _count(self, more: int, position: Position) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            raise UnreadableError(
                "alias-bomb",
                position,
                f"the document grows beyond {MAX_NODES:,} values when its aliases are followed.",
                "Use fewer or smaller anchors.",
            )

    def _foreign_tag(self, event: Event, position: Position) -> str:
        """A tag that is not YAML's own for text, map and list; most often a text that should have been quoted."""
        tag = getattr(event, "ctag", None)
        name = (str(tag) if tag is not None else "").replace(_CORE, "!!")
        if name in _KNOWN_TAGS:
            return ""
        written = f"{name} {event.value if isinstance(event, ScalarEvent) else ''}".strip()
        self._problems.add(
            "yaml-tag",
            position,
            "",
            f'YAML reads "{written}" as a tag, and tags mean nothing here.',
            f"Quote a text that starts with an exclamation mark: '{written}'.",
        )
        return name
