"""The built-in protections by name: their arguments, and the phases they are used in by default. They run in ``protections``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from setpoint.config.problems import suggest
from setpoint.model.policy import Phase
from setpoint.model.time import MINUTE, Duration

SECONDARY_PHASES: Mapping[Phase, Duration] = {Phase.PRE_DEPLOYMENT: 0, Phase.POST_DEPLOYMENT: 10 * MINUTE}


@dataclass(frozen=True)
class Builtin:
    """One built-in."""

    arguments: Mapping[str, str]
    """Name -> ``text``, ``map``, ``number``, ``flag``, ``list``, ``value`` or a list of words separated by ``|``."""
    required: frozenset[str] = frozenset()
    one_of: tuple[str, ...] = ()
    """Exactly one of these is required."""
    at_least_one: tuple[str, ...] = ()
    phases: Mapping[Phase, Duration] = field(default_factory=lambda: {Phase.PRE_DEPLOYMENT: 0})
    """Default ``at``: phase -> ``for``."""
    paths: frozenset[str] = frozenset()
    """Arguments that are paths relative to the document."""


_HTTP = {"method": "text", "headers": "map", "body": "text", "status": "value", "followRedirects": "flag"}
BUILTINS: Mapping[str, Builtin] = {
    "alerts-not-firing": Builtin(
        {"url": "text", "matchers": "map", "kind": "alertmanager|prometheus", "query": "text", "headers": "map"},
        required=frozenset({"url"}),
        phases=SECONDARY_PHASES,
    ),
    "http-probe": Builtin({"url": "text", "path": "text", "contains": "text", **_HTTP}, one_of=("url", "path")),
    "sql-query": Builtin(
        {"url": "text", "query": "text", "expect": "value", "min": "number", "max": "number", "rows": "number"},
        required=frozenset({"url", "query"}),
        at_least_one=("expect", "min", "max", "rows"),
    ),
    "db-migrated": Builtin(
        {
            "tool": "alembic",
            "directory": "text",
            "config": "text",
            "url": "text",
            "versionTable": "text",
            "versionSchema": "text",
        },
        one_of=("directory", "config"),
        paths=frozenset({"directory", "config"}),
    ),
    "release-channel-stable": Builtin(
        {"channel": "text", "channels": "list", "soak": "text", "need": "value"}, one_of=("channel", "channels")
    ),
    "always": Builtin({"result": "passing|blocking|misconfigured|unavailable", "reason": "text"}),
}
LATER_BUILTINS = (
    "prometheus-query",
    "slo-burn",
    "image-exists",
    "image-signed",
    "commit-denied",
    "version-policy",
    "service-stable",
)


def argument_mistakes(name: str, arguments: Mapping[str, Any], *, partial: bool = False) -> list[tuple[str, str, str]]:
    """What is wrong with a built-in's ``with``: the argument ("" for the whole), a sentence, what to write.

    Texts that hold lookups count as right. ``partial``: arguments may be missing, because others are merged over these.
    """
    builtin = BUILTINS[name]
    wrong = [
        (key, f'"{name}" has no argument `{key}`.', suggest(key, builtin.arguments))
        for key in arguments
        if key not in builtin.arguments
    ]
    for key, value in arguments.items():
        wanted = builtin.arguments.get(key)
        if wanted and not _fits(value, wanted):
            wrong.append((key, f"`{key}` must be {_words(wanted)}.", f"Write {_words(wanted)} for `{key}`."))
    return wrong if partial else wrong + _missing(name, builtin, arguments)


def _missing(name: str, builtin: Builtin, arguments: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    wrong = [
        ("", f'"{name}" needs `{key}`.', f"Add `{key}` to `with`, or to the organization's `defaults`.")
        for key in sorted(builtin.required)
        if key not in arguments
    ]
    given = [key for key in builtin.one_of if key in arguments]
    choices = " or ".join(f"`{key}`" for key in builtin.one_of)
    if builtin.one_of and len(given) != 1:
        wrong.append(("", f'"{name}" needs either {choices}.', f"Write one of {choices} in `with`."))
    if builtin.at_least_one and not any(key in arguments for key in builtin.at_least_one):
        choices = ", ".join(f"`{key}`" for key in builtin.at_least_one)
        wrong.append(("", f'"{name}" does not say what to expect.', f"Write at least one of {choices} in `with`."))
    return wrong


def _fits(value: Any, wanted: str) -> bool:
    if isinstance(value, str) and "${" in value:
        return True
    kinds: dict[str, tuple[type, ...]] = {
        "text": (str, int, float),
        "number": (int, float),
        "flag": (bool,),
        "map": (dict,),
        "list": (list, str),
        "value": (str, int, float),
    }
    if wanted in kinds:
        return isinstance(value, kinds[wanted]) and (wanted != "number" or not isinstance(value, bool))
    return value in wanted.split("|")


def _words(wanted: str) -> str:
    names = {
        "text": "text",
        "number": "a number",
        "flag": "true or false",
        "map": "a map",
        "list": "a list",
        "value": "one value",
    }
    return names.get(wanted) or " or ".join(wanted.split("|"))
