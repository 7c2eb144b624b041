"""The built-in ``version-policy``: a version is at least another one, or within a range. It needs no network."""

from __future__ import annotations

from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.grammars.versions import is_version_name, parse, parse_range
from setpoint.programs.text import printable
from setpoint.protections.options import Options, as_text, unresolved


class VersionPolicy:
    """Options: ``compare``, the version in question · ``atLeast`` a version, or ``range`` · ``prereleases``: they fit, too.

    A version that is not SemVer 2.0.0 is at least no other, and fits no range but ``*``: it fails, as it may be anything.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - the same every time
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        options = check.options
        compare = as_text(options["compare"])
        if options.get("atLeast") is not None:
            return _at_least(compare, as_text(options["atLeast"]))
        return _within(compare, as_text(options["range"]), options.get("prereleases") is True)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"compare", "atLeast", "range", "prereleases"})
        compare, least, within = read.text("compare", required=True), read.text("atLeast"), read.text("range")
        prereleases = read.flag("prereleases")
        if (options.get("atLeast") is None) == (options.get("range") is None):
            read.wrong.append("write either atLeast or range")
        if compare and not unresolved(compare) and not is_version_name(compare):
            read.wrong.append(f'compare is "{compare}", which is not a version')
        if options.get("atLeast") is not None and not unresolved(least) and parse(least) is None:
            read.wrong.append(f'atLeast is "{least}": only SemVer 2.0.0 versions such as 1.4.2 can be compared')
        if prereleases and least:
            read.wrong.append("prereleases goes with range: atLeast compares every version")
        return read.wrong + _range_mistakes(options.get("range"), within)


def _range_mistakes(written: object, text: str) -> list[str]:
    if written is None or unresolved(text):
        return []
    try:
        parse_range(text)
    except ValueError as error:
        return [f"range: {error}"]
    return []


def _at_least(compare: str, least: str) -> CheckResult:
    version, bound = parse(compare), parse(least)
    if version is None or bound is None:
        return _no(f"{compare} is not a SemVer version, so it is not known to be {least} or newer")
    if version < bound:
        return _no(f"{compare} is older than {least}")
    return CheckResult(Outcome.PASSING, printable(f"{compare} is {least} or newer"))


def _within(compare: str, text: str, prereleases: bool) -> CheckResult:
    bounds = parse_range(text)
    if bounds.contains(compare, prereleases=prereleases):
        return CheckResult(Outcome.PASSING, printable(f"{compare} is within {text}"))
    if parse(compare) is None:
        return _no(f"{compare} is not a SemVer version, so it fits no range but *, and not {text}")
    if bounds.contains(compare, prereleases=True):
        return _no(f"{compare} is a pre-release, which {text} admits only with prereleases: true")
    return _no(f"{compare} is not within {text}")


def _no(reason: str) -> CheckResult:
    return CheckResult(Outcome.BLOCKING, printable(reason))
