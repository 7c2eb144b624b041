"""Selectors that ask for something that no label or name can be: most often a slip of the pen."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from setpoint.config.catalog import Catalog, Entry
from setpoint.config.conditions import FACTS, is_fact
from setpoint.config.documents.base import RESERVED_LABELS
from setpoint.config.problems import Position, Problems, suggest
from setpoint.config.yaml import Mapping, Scalar
from setpoint.model.selector import Selector, Term, parse_selector

FACT_VALUES = {"change": ("version", "config"), "step": ("major", "minor", "patch", "prerelease", "none", "back", "unknown")}


def check_selectors(catalog: Catalog, problems: Problems) -> None:
    """Unknown names of channels, services … and keys that look like a misspelt one go to ``problems``."""
    names = _names(catalog)
    labels = {str(key) for entry in catalog.entries() if entry.model for key in entry.model.labels}
    for entry in catalog.entries():
        if entry.model is None:
            continue
        for selector, facts in _selectors(entry.model):
            place = _find(entry.tree, selector.text) or entry.tree.position
            for term in (term for terms in selector.alternatives for term in terms):
                _check_key(term, facts, labels, entry, place, problems)
                if catalog.complete:
                    _check_values(term, names, entry, place, problems)


def _names(catalog: Catalog) -> dict[str, set[str]]:
    return {
        "application": set(catalog.applications),
        "channel": {name for below in catalog.below.values() for name in below.channels},
        "group": {"", *(name for below in catalog.below.values() for name in below.groups)},
        "service": {name for below in catalog.below.values() for name in below.services},
        "runtime": {"local", *catalog.runtimes},
    }


def _selectors(model: Any) -> Iterator[tuple[Selector, bool]]:
    """Each selector of a document, and whether it sees the facts of an attempt."""
    for name, value in model if isinstance(model, BaseModel) else ():
        if isinstance(value, Selector):
            yield value, name == "when"
        elif name == "overrides":
            yield from ((parse_selector(str(override["select"])), False) for override in value)
        elif name != "channels" and isinstance(value, BaseModel | tuple):
            for item in value if isinstance(value, tuple) else (value,):
                yield from _selectors(item)
        elif name == "channels" and isinstance(value, tuple):
            continue


def _check_key(term: Term, facts: bool, labels: set[str], entry: Entry[Any], place: Position, problems: Problems) -> None:
    known = {*labels, *RESERVED_LABELS, *(FACTS if facts else ())}
    if term.key in known or (facts and is_fact(term.key)):
        return
    if term.key in FACTS:
        problems.add(
            "fact-in-select",
            place,
            entry.label,
            f"`{term.key}` is a fact of a deployment: `select` sees labels only.",
            "Use it in `when`.",
        )
    elif close := difflib.get_close_matches(term.key, sorted(known), n=1, cutoff=0.75):
        problems.add("unknown-label", place, entry.label, f'no label is named "{term.key}".', f'Did you mean "{close[0]}"?')


def _check_values(term: Term, names: dict[str, set[str]], entry: Entry[Any], place: Position, problems: Problems) -> None:
    allowed = names.get(term.key) or FACT_VALUES.get(term.key)
    if not allowed or term.values is None:
        return
    for value in term.values:
        if value not in allowed:
            what = f"no {term.key} is named" if term.key in names else f"`{term.key}` is never"
            group = term.key == "channel" and value in names["group"]
            hint = f"It is a group: write group={value}." if group else suggest(value, allowed)
            problems.add("unknown-in-selector", place, entry.label, f'{what} "{value}".', hint)


def _find(tree: Any, text: str) -> Position | None:
    """Where a selector was written."""
    if isinstance(tree, Scalar):
        return tree.position if tree.strip() == text else None
    children = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return next((place for child in children if (place := _find(child, text))), None)
