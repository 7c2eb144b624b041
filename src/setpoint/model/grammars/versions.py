"""Version names, ranges and steps: SemVer 2.0.0 where a name parses as it, plain names otherwise.

Names are parsed by ``semver``, which knows no ranges. Those are parsed here: npm's dialect, and a switch admits pre-releases.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
import semver

Step = Literal["major", "minor", "patch", "prerelease", "none", "back", "unknown"]
Core = tuple[int, int, int]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", re.ASCII)
_LONGEST_RANGE = 500
_CACHED = 16_384
_STEPS: tuple[Step, Step, Step] = ("major", "minor", "patch")


class Parsed(NamedTuple):
    """A version name as numbers; compares by SemVer precedence, build metadata and a leading ``v`` aside."""

    core: Core
    release: bool
    """False for a pre-release, which comes before its release."""
    identifiers: tuple[tuple[int, int, str], ...] = ()
    """Of a pre-release: numbers before words, as the precedence rules want them."""


def is_version_name(text: str) -> bool:
    """Whether a text may name a version at all."""
    return _NAME.fullmatch(text) is not None


@lru_cache(maxsize=_CACHED)
def parse(name: str) -> Parsed | None:
    """The SemVer 2.0.0 meaning of a name, or None: ``v1.4.2+build`` parses, ``1.4`` and ``nightly`` do not."""
    if not is_version_name(name):
        return None
    try:
        found = semver.Version.parse(name.removeprefix("v"))
    except ValueError:
        return None
    return Parsed((found.major, found.minor, found.patch), not found.prerelease, _identifiers(found.prerelease or ""))


def _identifiers(prerelease: str) -> tuple[tuple[int, int, str], ...]:
    parts = prerelease.split(".") if prerelease else []
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


@lru_cache(maxsize=_CACHED)
def step(old: str, new: str) -> Step:
    """How far ``new`` is from ``old``: the first of major, minor, patch that rose, ``back`` when it is lower.

    ``prerelease`` when only the pre-release part rose (``1.2.0-rc.1`` to ``1.2.0``); ``none`` for the same version;
    ``unknown`` when one of two different names is not a SemVer version.
    """
    if old == new:
        return "none"
    before, after = parse(old), parse(new)
    if before is None or after is None:
        return "unknown"
    if after <= before:
        return "none" if after == before else "back"
    for name, one, other in zip(_STEPS, before.core, after.core, strict=True):
        if one != other:
            return name
    return "prerelease"


class Range(msgspec.Struct, frozen=True, gc=False):
    """A set of versions such as ``^1.4``, ``>=2 <4 || 6.x`` or ``*``.

    Raises:
        ValueError: when made with a text that is not a range; the message has what to write instead.
    """

    text: str

    def __post_init__(self) -> None:
        _alternatives(self.text)

    def contains(self, name: str, *, prereleases: bool = False) -> bool:
        """Whether a version fits.

        A pre-release fits only where the same alternative names one of its major.minor.patch, or with ``prereleases``.
        A name that is not a SemVer version fits ``*`` alone.
        """
        return _contains(self.text, name, prereleases)


@lru_cache(maxsize=_CACHED)
def parse_range(text: str) -> Range:
    """A range from its text: ``^1.4`` ``~1.4.2`` ``>=2 <4`` ``1.x`` ``*``; space is and, ``||`` is or, missing parts are any.

    Raises:
        ValueError: saying what is wrong and what to write instead.
    """
    return Range(text.strip())


class _Bounds(NamedTuple):
    """One alternative: everything between two versions."""

    low: Parsed | None
    low_included: bool
    high: Parsed | None
    high_included: bool
    named: frozenset[Core]
    """major.minor.patch of every pre-release that the alternative names."""

    def hold(self, version: Parsed) -> bool:
        if self.low is not None and (version < self.low or (version == self.low and not self.low_included)):
            return False
        return self.high is None or version < self.high or (version == self.high and self.high_included)


@lru_cache(maxsize=_CACHED)
def _contains(text: str, name: str, prereleases: bool) -> bool:
    version = parse(name)
    alternatives = _alternatives(text)
    if version is None:
        return any(bounds.low is None and bounds.high is None for bounds in alternatives)
    return any(bounds.hold(version) for bounds in alternatives if version.release or prereleases or version.core in bounds.named)


_COMPARISON = re.compile(
    r"(?P<operator>\^|~|>=|<=|>|<|=|)\s*v?"
    r"(?P<major>\d+|[xX*])(?:\.(?P<minor>\d+|[xX*]))?(?:\.(?P<patch>\d+|[xX*]))?"
    r"(?:-(?P<prerelease>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?(?=\s|$)\s*",
    re.ASCII,
)


@lru_cache(maxsize=_CACHED)
def _alternatives(text: str) -> tuple[_Bounds, ...]:
    if not text.strip():
        raise ValueError('an empty range fits nothing: write "*" for every version')
    if len(text) > _LONGEST_RANGE:
        raise ValueError(f"a range of {len(text)} characters is too long: at most {_LONGEST_RANGE}")
    return tuple(_bounds(part, text) for part in (one.strip() for one in text.split("||")))


def _bounds(part: str, text: str) -> _Bounds:
    bounds = _Bounds(None, False, None, False, frozenset())
    position = 0
    while position < len(part) or not part:
        match = _COMPARISON.match(part, position)
        if match is None:
            raise ValueError(f'"{text}" is not a valid range of versions: {_advice(part, position)}')
        bounds = _both(bounds, _compared(match, text))
        position = match.end()
    if bounds.low and bounds.high and not (bounds.low < bounds.high or (bounds.low_included and bounds.hold(bounds.low))):
        raise ValueError(f'no version fits "{part}": its lower bound is not below its upper one; for either-or write "||"')
    return bounds


def _advice(part: str, position: int) -> str:
    rest = part[position:]
    if not part:
        return 'nothing stands on one side of "||"'
    if "," in rest:
        return 'separate comparisons by a space (and) or "||" (or), not by a comma'
    if rest.startswith("- "):
        return 'write ">=1.2 <=2.3" for "1.2 - 2.3"'
    if "|" in rest:
        return 'write "||" for or'
    if rest.startswith(("!", "==", "~>", "=>", "=<")):
        return "the operators are ^ ~ = < <= > >="
    return f'expected such as "^1.4", "~1.4.2", ">=2 <4", "1.x" or "*" at "{rest}"'


def _both(one: _Bounds, other: _Bounds) -> _Bounds:
    """The versions within both."""
    low, low_included = one.low, one.low_included
    if other.low and (low is None or other.low > low or (other.low == low and not other.low_included)):
        low, low_included = other.low, other.low_included
    high, high_included = one.high, one.high_included
    if other.high and (high is None or other.high < high or (other.high == high and not other.high_included)):
        high, high_included = other.high, other.high_included
    return _Bounds(low, low_included, high, high_included, one.named | other.named)


def _compared(match: re.Match[str], text: str) -> _Bounds:
    operator = match["operator"] or "="
    numbers = _numbers(match, text)
    if not numbers:
        if operator in ("<", ">"):
            raise ValueError(
                f'"{text}" is not a valid range of versions: nothing is before or after any version; write "*" or a number'
            )
        return _Bounds(None, False, None, False, frozenset())
    if len(numbers) < 3:
        return _partial(operator, numbers)
    exact = parse(match.group().strip().lstrip("^~<>= \t\n"))
    if exact is None:
        raise ValueError(f'"{text}" is not a valid range of versions: "{match.group().strip()}" is not a SemVer 2.0.0 version')
    return _exact(operator, exact)


def _numbers(match: re.Match[str], text: str) -> tuple[int, ...]:
    """The leading numbers given; what is missing or ``x`` counts as any."""
    parts = [match[part] for part in ("major", "minor", "patch")]
    given = [part for part in parts if part is not None and part not in "xX*"]
    if given != parts[: len(given)]:
        raise ValueError(f'"{text}" is not a valid range of versions: no number can follow an "x" in "{match.group().strip()}"')
    if match["prerelease"] and len(given) < 3:
        raise ValueError(
            f'"{text}" is not a valid range of versions: a pre-release needs major.minor.patch, such as "1.4.0-rc.1"'
        )
    for part in given:
        if len(part) > 20 or (part[0] == "0" and part != "0"):
            raise ValueError(f'"{text}" is not a valid range of versions: write "{part.lstrip("0")[:20] or "0"}" for "{part}"')
    return tuple(int(part) for part in given)


def _partial(operator: str, numbers: tuple[int, ...]) -> _Bounds:
    first = _before(numbers)
    beyond = _before((*numbers[:-1], numbers[-1] + 1))
    if operator == "^" and numbers[0]:
        beyond = _before((numbers[0] + 1,))
    low = {">": beyond, "<": None, "<=": None}.get(operator, first)
    high = {">": None, ">=": None, "<": first}.get(operator, beyond)
    return _Bounds(low, True, high, False, frozenset())


def _exact(operator: str, version: Parsed) -> _Bounds:
    named = frozenset() if version.release else frozenset({version.core})
    if operator == "=":
        return _Bounds(version, True, version, True, named)
    if operator.startswith(">"):
        return _Bounds(version, operator == ">=", None, False, named)
    if operator.startswith("<"):
        return _Bounds(None, False, version, operator == "<=", named)
    major, minor, patch = version.core
    if operator == "~":
        return _Bounds(version, True, _before((major, minor + 1)), False, named)
    beyond = (major + 1,) if major else (0, minor + 1) if minor else (0, 0, patch + 1)
    return _Bounds(version, True, _before(beyond), False, named)


def _before(numbers: tuple[int, ...]) -> Parsed:
    """The very first pre-release of a version: a bound that leaves all its pre-releases on one side."""
    major, minor, patch = (*numbers, 0, 0)[:3]
    return Parsed((major, minor, patch), release=False, identifiers=((0, 0, ""),))
