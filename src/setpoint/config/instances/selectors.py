"""Selectors that require what occurs nowhere are errors; those that match nothing now are notices (§10.5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import BaseModel

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import ChannelFields, ServiceDocument
from setpoint.config.documents.base import RESERVED_LABELS
from setpoint.config.instances.conditions import FACTS, is_fact
from setpoint.config.instances.labels import Labels, data_of, labels_of
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import Mapping, Scalar
from setpoint.model.grammars.selector import Selector, Term, parse_selector
from setpoint.model.similar import closest, listing, suggest

FACT_VALUES = {
    "change": ("version", "config"),
    "step": ("major", "minor", "patch", "prerelease", "none", "back", "unknown"),
    "by": ("person", "source", "configuration"),
}
FIELDS = ("select", "when", "runtimes")
"""Keys whose values are selectors."""


class SelectorUse(NamedTuple):
    """One selector of a document."""

    entry: CatalogEntry[Any]
    selector: Selector
    place: Position
    field: str
    """``select``, ``when`` or ``runtimes``."""
    application: str | None
    """Whose labels it sees; None: those of every application."""
    lenient: bool
    """Whether it has ``allowEmpty``, or picks among channels that come from data."""


def check_selectors(catalog: Catalog, problems: Problems) -> list[str]:
    """Errors go to ``problems``. Returns notices: what may still come with data, and names that a negation excludes in vain."""
    labels, notices = labels_of(catalog), dict[str, None]()
    for use in selectors(catalog):
        for term in (term for terms in use.selector.alternatives for term in terms):
            if use.field == "when" and term.key not in RESERVED_LABELS:
                _check_fact(term, labels, use, problems)
            elif term.key in FACTS and term.key not in labels.values:
                message = f"`{term.key}` is a fact of a deployment: `select` sees labels only."
                problems.add("fact-in-select", use.place, use.entry.label, message, "Use it in `when`.")
            elif catalog.complete and (lacking := labels.missing(term)):
                _missing(lacking, term, labels, use, problems, notices)
    return list(notices)


def _missing(
    lacking: tuple[str, str], term: Term, labels: Labels, use: SelectorUse, problems: Problems, notices: dict[str, None]
) -> None:
    key, value = lacking
    message, hint = _said(key, value, labels)
    if term.negated and key not in RESERVED_LABELS:
        return
    may_come = use.field != "runtimes" and labels.may_come(key, value, use.application)
    if term.negated or use.lenient or may_come:
        excludes = " Nothing is excluded by it." if term.negated else ""
        notices[f"{use.place}  {use.entry.label}: {message}{excludes} {hint if hint.startswith('Did') else ''}".rstrip()] = None
        return
    problems.add(
        "unknown-in-selector" if value or key in labels.names else "unknown-label", use.place, use.entry.label, message, hint
    )


def _said(key: str, value: str, labels: Labels) -> tuple[str, str]:
    """The fault, and the way out."""
    if key in labels.names:
        group = key == "channel" and value in labels.names["group"]
        hint = f"It is a group: write group={value}." if group else suggest(value, labels.names[key] - {""})
        return f'no {key} is named "{value}".', hint
    if key not in labels.values:
        known = sorted(labels.values)
        near = closest(key, [*known, *RESERVED_LABELS])
        found = f"Labels are: {listing(known)}." if known else "Set it under `labels`, or use a name such as channel or service."
        return f'no label is named "{key}".', f'Did you mean "{near}"?' if near else found
    elsewhere = sorted(other for other, values in labels.values.items() if value in values)
    otherwise = f'"{value}" is a value of {listing(elsewhere)}.' if elsewhere else ""
    return f'no label is "{key}={value}".', suggest(value, labels.values[key], otherwise=otherwise)


def _check_fact(term: Term, labels: Labels, use: SelectorUse, problems: Problems) -> None:
    """``when`` sees more than labels: only names, and keys that look misspelt, are checked."""
    known = {*labels.values, *RESERVED_LABELS, *FACTS}
    if term.key not in known and not is_fact(term.key):
        if near := closest(term.key, known):
            message, hint = f'no label is named "{term.key}".', f'Did you mean "{near}"?'
            problems.add("unknown-label", use.place, use.entry.label, message, hint)
        return
    allowed = FACT_VALUES.get(term.key)
    for value in term.values or () if allowed else ():
        if value not in (allowed or ()):
            message = f'`{term.key}` is never "{value}".'
            problems.add("unknown-in-selector", use.place, use.entry.label, message, suggest(value, allowed or ()))


# --- where selectors are -------------------------------------------------------------------------------------------------


def selectors(catalog: Catalog) -> Iterator[SelectorUse]:
    """Each selector of each document, once where channels have it of their group."""
    seen: set[tuple[Position, str]] = set()
    data = {id(group.entry) for below in catalog.below.values() for group in below.groups.values() if data_of(group.entry.tree)}
    for entry in catalog.entries():
        if entry.model is None:
            continue
        below = isinstance(entry.model, ChannelFields | ServiceDocument)
        application = catalog.application_of(entry) if below else None
        found = [*_found(entry.model, data=id(entry) in data), *_of_fragments(entry.tree.get("perChannel"))]
        for selector, field, empty, own in found:
            place = find_selector(entry.tree, selector.text, field) or entry.tree.position
            if (place, selector.text) not in seen:
                seen.add((place, selector.text))
                yield SelectorUse(entry, selector, place, field, application, empty or own)


def _found(model: Any, *, data: bool, own: bool = False) -> Iterator[tuple[Selector, str, bool, bool]]:
    """Selector, key, whether an empty match is allowed, and whether it picks among channels that come from data."""
    empty = bool(getattr(model, "allow_empty", False))
    for name, value in model if isinstance(model, BaseModel) else ():
        if isinstance(value, Selector):
            yield value, name, empty and name != "when", own
        elif name == "overrides":
            yield from ((parse_selector(str(override["select"])), "select", False, data) for override in value)
        elif name != "channels" and isinstance(value, BaseModel | tuple):
            for item in value if isinstance(value, tuple) else (value,):
                yield from _found(item, data=data, own=data and name in {"limits", "waves"})


def _of_fragments(tree: Any, key: str = "") -> Iterator[tuple[Selector, str, bool, bool]]:
    """Those that a service has for some of its channels; what is not a selector is reported where the fragment is read."""
    if isinstance(tree, Scalar) and key in {"when", "select"}:
        with suppress(ValueError):
            yield parse_selector(tree), key, False, False
    elif isinstance(tree, Mapping):
        for name, child in tree.items():
            if name not in {"with", "constants", "env"}:
                yield from _of_fragments(child, str(name))
    elif isinstance(tree, list):
        for item in tree:
            yield from _of_fragments(item, key)


def find_selector(tree: Any, text: str, field: str) -> Position | None:
    """Where a selector was written: the value of its key, or the first text that is the same."""
    return _under(tree, text, field) or _under(tree, text, "")


def _under(tree: Any, text: str, field: str, key: str = "") -> Position | None:
    if isinstance(tree, Scalar):
        return tree.position if tree.strip() == text and field in {"", key} else None
    children = tree.items() if isinstance(tree, Mapping) else ((key, item) for item in tree) if isinstance(tree, list) else ()
    return next((place for name, child in children if (place := _under(child, text, field, str(name)))), None)
