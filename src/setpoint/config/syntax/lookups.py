"""Puts values in place of lookups in a tree, and reports each lookup that cannot be resolved, with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from typing import Any

from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import Mapping, Sequence, place_of
from setpoint.model.grammars import lookup
from setpoint.model.similar import suggest

Report = Callable[[str, Any, str], None]
"""Called for each error: code, the node, and the path or sentence."""
PLACEHOLDER = "0"
"""Stands in for what is missing while the rest is checked."""


class LookupFailedError(ValueError):
    """A lookup that leads nowhere when something is compiled for good."""


def strict(code: str, node: Any, detail: str) -> None:  # noqa: ARG001 - the shape of Report
    """A Report that raises.

    Raises:
        LookupFailedError: always.
    """
    raise LookupFailedError(f"${{{detail}}} is not defined here" if code == "missing-lookup" else detail)


MAX_TEXT = 64 << 10
"""Characters of one text once its lookups are followed."""
MAX_SIZE = 1 << 20
"""Characters and values of all that is resolved together: a few lines of lookups in lookups come to gigabytes."""


class Budget:
    """What may still come of lookups in everything that is resolved together."""

    def __init__(self) -> None:
        self.left = MAX_SIZE

    def take(self, value: Any) -> bool:
        """Count a value that a lookup put in, with all that it holds; whether there was room for it."""
        waiting = [value]
        while waiting and self.left > 0:
            found = waiting.pop()
            self.left -= 1 + (len(found) if isinstance(found, str) else 0)
            if isinstance(found, AnyMapping):
                waiting += found.values()
            elif isinstance(found, list | tuple):
                waiting += found
        return self.left > 0


def resolve_tree(
    value: Any, values: AnyMapping[str, Any], report: Report, *, keep: frozenset[str] = frozenset(), budget: Budget | None = None
) -> Any:
    """Like ``model.lookup.resolve``; what cannot be resolved is reported, and a placeholder stands in."""
    budget = budget or Budget()
    if isinstance(value, str):
        return _resolve_text(value, values, report, keep, budget)
    if isinstance(value, AnyMapping):
        found = {key: resolve_tree(item, values, report, keep=keep, budget=budget) for key, item in value.items()}
        return Mapping(found, position=place_of(value))
    if isinstance(value, list | tuple):
        items = [resolve_tree(item, values, report, keep=keep, budget=budget) for item in value]
        return Sequence(items, position=place_of(value))
    return value


def _resolve_text(text: str, values: AnyMapping[str, Any], report: Report, keep: frozenset[str], budget: Budget) -> Any:
    if "${" not in text:
        return text
    if budget.left <= 0:
        return PLACEHOLDER  # that was reported when it was used up
    try:
        found = lookup.resolve_text(text, values, keep, MAX_TEXT)
    except lookup.LookupMissing as missing:
        report("missing-lookup", text, missing.path)
    except lookup.TextTooLongError as error:
        report("lookup-too-large", text, str(error))
    except ValueError as error:
        report("lookup-not-text", text, str(error))
    else:
        if budget.take(found):
            return found
        report("lookup-too-large", text, f"more than {MAX_SIZE:,} characters and values come of the lookups here")
    return PLACEHOLDER


class Deferred:
    """Keeps texts that still hold lookups from being taken for finished ones while they are put into others."""

    def __init__(self) -> None:
        self._hidden: list[str] = []

    def hide(self, value: Any) -> Any:
        """The value with a token in place of each such text."""
        if isinstance(value, str) and "${" in value:
            self._hidden.append(value)
            return f"\ue000{len(self._hidden) - 1}\ue001"
        return self._each(value, self.hide)

    def show(self, value: Any) -> Any:
        """The value with the texts back in their places."""
        if isinstance(value, str):
            return _TOKEN.sub(lambda match: self._hidden[int(match[1])], value)
        return self._each(value, self.show)

    @staticmethod
    def _each(value: Any, change: Callable[[Any], Any]) -> Any:
        if isinstance(value, AnyMapping):
            return {key: change(item) for key, item in value.items()}
        return [change(item) for item in value] if isinstance(value, list | tuple) else value


_TOKEN = re.compile("\ue000(\\d+)\ue001")


class LookupReport:
    """Turns what ``resolve_tree`` reports into problems that list what could be looked up instead."""

    def __init__(
        self,
        problems: Problems,
        where_at: Callable[[Position], str],
        level: str,
        *,
        sound: bool,
        known: AnyMapping[str, Any],
        place: Position,
    ) -> None:
        self._problems, self._where_at, self._level, self._sound = problems, where_at, level, sound
        self._known, self._place, self._where = known, place, ""
        self.errors = 0
        """How many were reported, even if they had been before."""

    def __call__(self, code: str, node: Any, detail: str) -> None:
        """See ``Report``."""
        self.errors += 1
        place = getattr(node, "position", None) or self._place
        self._where = self._where_at(place)
        if code == "lookup-circle":
            self._problems.add(
                code, place, self._where, f"the constants {detail} look each other up.", "Write one of them without a lookup."
            )
        elif code == "lookup-too-large":
            self._problems.add(
                code, place, self._where, f"{detail}.", "Look up less, or write what is needed where it is needed."
            )
        elif code == "lookup-not-text":
            self._problems.add(code, place, self._where, f"{detail}.", "Look up a single value of it, or write the lookup alone.")
        else:
            self._missing(place, detail)

    def _missing(self, place: Position, path: str) -> None:
        root, _, rest = path.partition(".")
        if not self._sound and rest and root in {"constants", "params", "with", *NODE_ROOTS}:
            return
        if (root in NODE_ROOTS and root not in self._known) or (root == "channel" and self._level == "group"):
            article, lacks = "an" if self._level[0] in "aeiou" else "a", root if root not in self._known else path
            message = (
                f"`${{{path}}}` is not defined here: the subject of this check is {article} {self._level}, which has no {lacks}."
            )
            self._problems.add(
                "lookup-needs-per",
                place,
                self._where,
                message,
                "Add `per: instance`." if root == "service" else f"Add `per: {root}` or `per: instance`.",
            )
            return
        if root in lookup.ATTEMPT_ROOTS | {"with"} and root not in self._known:
            message = f"`${{{path}}}` means nothing here: {_PLACES.get(root, 'only an attempt has it')}."
            self._problems.add("lookup-not-here", place, self._where, message, "Look up something else, or write the value.")
            return
        channel = self._known.get("channel", {})
        whose = (
            f' for channel "{channel["name"]}"' if channel.get("group") and channel.get("name") and root == "constants" else ""
        )
        if not (whose and self._problems.has("missing-lookup", place)):
            self._problems.add("missing-lookup", place, self._where, f"`${{{path}}}` is not defined{whose}.", self._hint(path))

    def _hint(self, path: str) -> str:
        root, _, name = path.partition(".")
        if root == "params" and name in self._known.get("params", {}):
            return f"Give the parameter a `default`, make it `required`, or write `${{{path}:-…}}`."
        if root not in self._known and not name:
            return suggest(root, self._known, otherwise=f"A lookup starts with one of {', '.join(sorted(self._known))}.")
        known: Any = self._known
        before: list[str] = []
        for word in path.split("."):
            if not isinstance(known, AnyMapping):
                break
            if word not in known:
                prefix = ".".join(before)
                names = [f"{prefix}.{name}" if prefix else name for name in known]
                default = f"Define it, or give a default: `${{{path}:-…}}`."
                return suggest(".".join([*before, word]), names, otherwise=default)
            before.append(word)
            known = known[word]
        return f"Give a default: `${{{path}:-…}}`."


NODE_ROOTS = frozenset({"application", "service", "channel", "runtime"})
_PLACES = {
    "with": "arguments exist inside of a Protection and of a custom Runtime",
    "version": "only what runs and what is checked has a version",
    "params": "only what runs and what is checked has parameters",
    "good": "what runs may not depend on what changes without a release",
    "current": "what runs may not depend on what changes without a release",
    "release": "what runs may not depend on the release",
    "attempt": "what runs may not depend on the attempt",
}
