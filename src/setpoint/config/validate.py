"""From a tree to a document: every mistake in it is found, and what is left is still read, so that later checks can go on."""

from __future__ import annotations

import copy
from collections.abc import Sequence as AnySequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from setpoint.config.documents.base import Stray
from setpoint.config.problems import Position, Problems
from setpoint.config.yaml import Mapping, Scalar, Sequence, place_of, position_of

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
MOST_REPAIRS = 200


def read_model(model: type[M], tree: Mapping, label: str, problems: Problems) -> tuple[M | None, bool]:
    """The document, and whether it is sound; where something is wrong, it is read without the wrong parts (None: nothing is left)."""
    before = len(problems)
    remaining = tree
    first = True
    for _ in range(MOST_REPAIRS):
        strays: list[Stray] = []
        try:
            document = model.model_validate(remaining, context=strays)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            _report_strays(strays, tree, label, problems)
            for detail in details:
                if first or detail["type"] != "missing":
                    _report(detail, tree, label, problems)
            remaining = _without(remaining, [detail["loc"] for detail in details])
            first = False
            if not remaining:
                return None, False
        else:
            _report_strays(strays, tree, label, problems)
            return document, len(problems) == before
    return None, False


def _report_strays(strays: list[Stray], tree: Mapping, label: str, problems: Problems) -> None:
    for stray in strays:
        key = next(key for key in stray.parent if key == stray.key)
        path = path_of(tree, stray.parent) or ()
        problems.add(stray.code, place_of(key), where(tree, path, label), stray.message, stray.hint)


def _report(detail: ErrorDetails, tree: Mapping, label: str, problems: Problems) -> None:
    context = detail.get("ctx", {})
    path: Path = detail["loc"]
    if detail["type"] == "missing":
        key = path[-1]
        holder = locate(tree, path[:-1])
        problems.add("missing-key", holder, where(tree, path[:-1], label), f"`{key}` is missing.", f"Add `{key}: …`.")
        return
    if "message" not in context:
        field = field_name(path)
        problems.add("expected-map", locate(tree, path), where(tree, path, label), f"{field}expected a map.", "Write keys and values, such as `{key: value}`.")
        return
    path = (*path, context["key"]) if context["key"] else path
    problems.add(detail["type"], locate(tree, path), where(tree, path, label), field_name(path) + context["message"], context["hint"])


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
        place = _key_place(node, step) if is_key and _points_at_key(child, path, number) else place_of(child)
        node = child
    return place


def _points_at_key(child: Any, path: Path, number: int) -> bool:
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
        if isinstance(step, int) and isinstance(child, dict | Scalar):
            name = _name_of(child)
            parts.append(f'{pending}[{step}] "{name}"' if name else f"{pending}[{step}]")
        node = child
    return " ".join(parts if parts and parts[0].startswith("channels[") else [label, *parts])


def _name_of(node: Any) -> str:
    if isinstance(node, dict):
        return next((str(node[key]) for key in ("name", "use", "topic") if isinstance(node.get(key), Scalar)), "")
    return ""


def path_of(tree: Any, wanted: Any) -> Path | None:
    """How to get to a node; None if it is not there (a short form was written out)."""
    if tree is wanted:
        return ()
    steps: AnySequence[tuple[str | int, Any]] = []
    if isinstance(tree, dict):
        steps = list(tree.items())
    elif isinstance(tree, list):
        steps = list(enumerate(tree))
    for step, child in steps:
        if (below := path_of(child, wanted)) is not None:
            return (step, *below)
    return None


def _without(tree: Mapping, paths: AnySequence[Path]) -> Mapping:
    """A copy without the wrong parts; where a required key is missing, without its holder."""
    result = _copy(tree)
    for path in sorted(paths, key=lambda p: [str(step) if isinstance(step, str) else f"{step:06d}" for step in p], reverse=True):
        _remove(result, tuple(step for step in path if step != "[key]"))
    return result


def _copy(node: Any) -> Any:
    if isinstance(node, Mapping):
        return Mapping({key: _copy(value) for key, value in node.items()}, position=node.position)
    if isinstance(node, Sequence):
        return Sequence([_copy(item) for item in node], position=node.position)
    return copy.copy(node) if not isinstance(node, Scalar) else node


def _remove(tree: Any, path: Path) -> None:
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
        del holder[step]
    elif isinstance(tree, dict):
        tree.clear()
