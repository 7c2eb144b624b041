"""From a tree to a document: every error in it is found, and what is left is still read, so that later checks can go on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from collections.abc import Sequence as AnySequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from setpoint.config.documents.base import Stray
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import Mapping, Scalar, Sequence, place_of, position_of

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
MOST_REPAIRS = 200


def read_model(model: type[M], tree: Mapping, label: str, problems: Problems) -> tuple[M | None, bool]:
    """The document, and whether it is sound; what is wrong is left out of it (None: nothing is left)."""
    before = len(problems)
    remaining = tree
    touched: set[Position] = set()
    for _ in range(MOST_REPAIRS):
        strays: list[Stray] = []
        try:
            document = model.model_validate(remaining, context=strays)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            _report_strays(strays, tree, label, problems)
            meant = {(place_of(stray.parent), stray.hint) for stray in strays}
            for detail in details:
                if not _follows(detail, remaining, touched, meant):
                    _report(detail, remaining, tree, label, problems)
            remaining = _without(remaining, [detail["loc"] for detail in details], touched)
            if not remaining:
                return None, False
        else:
            _report_strays(strays, tree, label, problems)
            return document, len(problems) == before
    return None, False


def _report_strays(strays: list[Stray], tree: Mapping, label: str, problems: Problems) -> None:
    paths: dict[Position, Path] = {}
    for place, found in places_in(tree) if strays else ():
        paths.setdefault(place, found)
    for stray in strays:
        key = next(key for key in stray.parent if key == stray.key)
        path = paths.get(place_of(key), ())[:-1]
        holder = path[-1] if path and isinstance(path[-1], str) else ""
        message = stray.message.replace("unknown key `", f"`{holder}`: unknown key `", 1) if holder else stray.message
        problems.add(stray.code, place_of(key), where(tree, path, label), message, stray.hint)


def _follows(detail: ErrorDetails, tree: Mapping, touched: set[Position], meant: set[tuple[Position, str]]) -> bool:
    """Whether an error only follows from another: something was taken out there, or a misspelt key is what is missing."""
    missing = detail["type"] == "missing"
    path: Path = detail["loc"][:-1] if missing else detail["loc"]
    holder = locate(tree, path)
    return holder in touched or (missing and (holder, f'Did you mean "{detail["loc"][-1]}"?') in meant)


def _report(detail: ErrorDetails, remaining: Mapping, tree: Mapping, label: str, problems: Problems) -> None:
    context = detail.get("ctx", {})
    path: Path = _original(detail["loc"], remaining, tree)
    if detail["type"] == "missing":
        key = path[-1]
        holder = locate(tree, path[:-1])
        problems.add("missing-key", holder, where(tree, path[:-1], label), f"`{key}` is missing.", f"Add `{key}: …`.")
        return
    if "message" not in context:
        field = field_name(path)
        problems.add(
            "expected-map",
            locate(tree, path),
            where(tree, path, label),
            f"{field}expected a map.",
            "Write keys and values, such as `{key: value}`.",
        )
        return
    path = path if context["key"] is None else (*path, context["key"])
    prefix = "" if context["message"].startswith("`") else field_name(path)
    problems.add(detail["type"], locate(tree, path), where(tree, path, label), prefix + context["message"], context["hint"])


def _original(path: Path, remaining: Mapping, tree: Mapping) -> Path:
    """A path in what is left as the path in the whole tree: items before it may have gone."""
    result: list[str | int] = []
    left: Any = remaining
    whole: Any = tree
    for step in path:
        following = _child(left, step)
        number = step
        if isinstance(whole, list) and following is not _NOWHERE:
            number = next((at for at, item in enumerate(whole) if place_of(item) == place_of(following)), step)
        result.append(number)
        same = _child(whole, number)
        if following is not _NOWHERE and same is not _NOWHERE:
            left, whole = following, same
    return tuple(result)


def field_name(path: Path) -> str:
    """The last key of a path, as it leads a message."""
    names = [step for step in path if isinstance(step, str) and step != "[key]"]
    return f"`{names[-1]}`: " if names else ""


def locate(tree: Any, path: Path) -> Position:
    """The place of what a path leads to, or of the last thing on the way that is there."""
    node, place = tree, place_of(tree)
    for number, step in enumerate(path):
        if step == "[key]":
            break
        child = _child(node, step)
        if child is _NOWHERE:
            continue
        is_key = isinstance(node, dict) and (number == len(path) - 1 or path[number + 1] == "[key]")
        place = _key_place(node, step) if is_key and _points_at_key(child, path) else place_of(child)
        node = child
    return place


def _points_at_key(child: Any, path: Path) -> bool:
    return path[-1] == "[key]" or position_of(child) is None or (isinstance(child, Scalar) and child.null)


_NOWHERE = object()


def _child(node: Any, step: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(step, _NOWHERE) if isinstance(step, str) else _NOWHERE
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return node[step]
    return _NOWHERE


def _key_place(node: dict[str, Any], step: str | int) -> Position:
    return next((place_of(key) for key in node if key == step), place_of(node))


def where(tree: Any, path: Path, label: str) -> str:
    """``channels[1] "production"``: the named things a path leads through, or the document."""
    parts, node, pending = [], tree, ""
    for step in path:
        child = _child(node, step)
        if isinstance(step, str):
            pending = step
        if child is _NOWHERE:
            continue
        if isinstance(step, int) and isinstance(child, dict):
            name = _name_of(child)
            parts.append(f'{pending}[{step}] "{name}"' if name else f"{pending}[{step}]")
        node = child
    in_place = path[:1] == ("channels",) and label.startswith("Application")
    return " ".join(parts if parts and in_place else [label, *parts])


def _name_of(node: Any) -> str:
    if isinstance(node, dict):
        return next(
            (str(name) for key in ("name", "use", "topic") if isinstance(name := node.get(key), Scalar) and not name.null), ""
        )
    return ""


def places_in(tree: Any, path: Path = ()) -> Iterator[tuple[Position, Path]]:
    """Every place of a tree, be it a key's or a value's, and how to get there: what is deeper comes first."""
    steps: AnySequence[tuple[str | int, Any]] = (
        list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    )
    for step, child in steps:
        if (place := position_of(step)) is not None:
            yield place, (*path, step)
        yield from places_in(child, (*path, step))
    yield place_of(tree), path


def _without(tree: Mapping, paths: AnySequence[Path], touched: set[Position]) -> Mapping:
    """A copy without the wrong parts; where a required key is missing, without its holder. Maps that lose a key are noted."""
    result: Mapping = _copy(tree)
    for path in sorted(paths, key=lambda p: [str(step) if isinstance(step, str) else f"{step:06d}" for step in p], reverse=True):
        _remove(result, tuple(step for step in path if step != "[key]"), touched)
    return result


def _copy(node: Any) -> Any:
    if isinstance(node, Mapping):
        return Mapping({key: _copy(value) for key, value in node.items()}, position=node.position)
    if isinstance(node, Sequence):
        return Sequence([_copy(item) for item in node], position=node.position)
    return copy.copy(node) if not isinstance(node, Scalar) else node


def _remove(tree: Any, path: Path, touched: set[Position]) -> None:
    """The deepest part of a path that is there goes away; nothing left to remove empties the tree."""
    trail: list[tuple[Any, str | int]] = []
    node = tree
    for step in path:
        child = _child(node, step)
        if child is _NOWHERE:
            if isinstance(step, int):
                continue
            break
        trail.append((node, step))
        node = child
    if trail:
        holder, step = trail[-1]
        if isinstance(holder, dict):
            touched.add(place_of(holder))
        del holder[step]
    elif isinstance(tree, dict):
        tree.clear()
