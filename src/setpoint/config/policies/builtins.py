"""The built-in protections by name: their arguments, and the phases they are used in by default. They run in ``protections``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from setpoint.config.syntax.arguments import ArgumentError, read_argument
from setpoint.model.policy import Phase
from setpoint.model.similar import suggest
from setpoint.model.time import MINUTE, Duration

SECONDARY_PHASES: Mapping[Phase, Duration] = {Phase.PRE_DEPLOYMENT: 0, Phase.POST_DEPLOYMENT: 10 * MINUTE}
CHANNEL_STABLE, SERVICE_STABLE = "release-channel-stable", "service-stable"
ORDERINGS = (CHANNEL_STABLE, SERVICE_STABLE)
"""Those that are ``after`` in other words: they become orderings, and nothing runs."""


@dataclass(frozen=True)
class Builtin:
    """One built-in."""

    arguments: Mapping[str, str]
    """Name -> one of ``arguments.KINDS``, or words separated by ``|``."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Defaults: the first that ``with`` is merged from."""
    required: frozenset[str] = frozenset()
    one_of: tuple[str, ...] = ()
    """Exactly one of these is required."""
    at_least_one: tuple[str, ...] = ()
    phases: Mapping[Phase, Duration] = field(default_factory=lambda: {Phase.PRE_DEPLOYMENT: 0})
    """Default ``at``: phase -> ``for``."""
    paths: frozenset[str] = frozenset()
    """Arguments that are paths relative to the document."""
    live: frozenset[str] = frozenset()
    """Those of them that are read where they lie: repositories of Git, whose content cannot change under a commit's name."""


_HTTP = {"method": "text", "headers": "map", "body": "text", "status": "value", "followRedirects": "flag"}
_PROMETHEUS = {"url": "url", "headers": "map", "emptyMeans": "blocking|passing"}
BUILTINS: Mapping[str, Builtin] = {
    "alerts-not-firing": Builtin(
        {"url": "url", "matchers": "map", "kind": "alertmanager|prometheus", "query": "text", "headers": "map"},
        required=frozenset({"url"}),
        phases=SECONDARY_PHASES,
    ),
    "prometheus-query": Builtin(
        {"query": "text", "min": "number", "max": "number", **_PROMETHEUS},
        required=frozenset({"url", "query"}),
        at_least_one=("max", "min"),
    ),
    "slo-burn": Builtin(
        {"objective": "objective", "errors": "series", "total": "series", "windows": "windows", **_PROMETHEUS},
        required=frozenset({"url", "objective", "errors", "total"}),
    ),
    "http-probe": Builtin({"url": "url", "path": "text", "contains": "text", **_HTTP}, one_of=("url", "path")),
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
            "mutable": "flag",
        },
        one_of=("directory", "config"),
        paths=frozenset({"directory", "config"}),
    ),
    "image-exists": Builtin({"image": "image", "plainHttp": "flag"}, required=frozenset({"image"})),
    "image-signed": Builtin(
        {"image": "image", "key": "text", "plainHttp": "flag", "mutable": "flag"},
        required=frozenset({"image", "key"}),
        paths=frozenset({"key"}),
    ),
    "commit-denied": Builtin(
        {"commits": "commits", "commit": "text", "directory": "text"},
        defaults={"commit": "${source.commit}"},
        required=frozenset({"commits", "commit"}),
        paths=frozenset({"directory"}),
        live=frozenset({"directory"}),
    ),
    "version-policy": Builtin(
        {"compare": "version", "atLeast": "comparable", "range": "range", "prereleases": "flag"},
        defaults={"compare": "${version}"},
        required=frozenset({"compare"}),
        one_of=("atLeast", "range"),
    ),
    CHANNEL_STABLE: Builtin(
        {"channel": "text", "channels": "list", "soak": "text", "need": "value", "allowEmpty": "flag"},
        one_of=("channel", "channels"),
    ),
    SERVICE_STABLE: Builtin({"service": "text", "services": "list", "version": "text"}, one_of=("service", "services")),
    "always": Builtin({"result": "passing|blocking|misconfigured|unavailable", "reason": "text"}),
}


def argument_errors(name: str, arguments: Mapping[str, Any], *, partial: bool = False) -> list[tuple[str, str, str]]:
    """What is wrong with a built-in's ``with``: the argument ("" for the whole), a sentence, what to write.

    Texts that hold lookups count as right. ``partial``: arguments may be missing, because others are merged over these.
    """
    builtin = BUILTINS[name]
    wrong = [
        (key, f'"{name}" has no argument `{key}`.', suggest(key, builtin.arguments))
        for key in arguments
        if key not in builtin.arguments
    ]
    for key in (key for key in arguments if key in builtin.arguments):
        try:
            read_argument(key, arguments[key], builtin.arguments[key])
        except ArgumentError as error:
            wrong.append((key, error.message, error.hint))
    return wrong if partial else wrong + _missing(name, builtin, arguments)


def argument_values(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A built-in's ``with`` as its adapter gets it; it has no errors."""
    kinds = BUILTINS[name].arguments
    return {str(key): read_argument(key, value, kinds[key]) for key, value in arguments.items()}


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
        wrong.append(("", f'"{name}" has no expectation.', f"Write at least one of {choices} in `with`."))
    return wrong
