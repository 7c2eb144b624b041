"""Error budgets: what an objective allows to fail, and how fast it is being used up.

The budget of an objective of 99.9% is 0.1% of all requests. A burn rate of 1 uses it up exactly within the objective's period;
one of 14.4, kept up for an hour, uses 2% of what a period of 30 days allows. A burn counts if it shows in a long window, so that
it is not a blip, and in a short one, so that it is not over already. Source: "The Site Reliability Workbook", chapter 5
(multiwindow, multi-burn-rate alerts), whose table the default windows are from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from setpoint.model.time import HOUR, MINUTE, Duration, parse_duration

_PERCENTAGE = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,8})?%", re.ASCII)
_STRING = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"""
_LABEL = rf"(?:[A-Za-z_][A-Za-z0-9_]*|{_STRING})\s*(?:=~|!~|!=|=)\s*{_STRING}"
_MATCHERS = rf"\{{\s*(?:(?:{_LABEL}|{_STRING})\s*(?:,\s*|(?=\}})))*\}}"
_SERIES = re.compile(rf"\s*(?:[A-Za-z_:][A-Za-z0-9_:]*\s*(?:{_MATCHERS})?|{_MATCHERS})\s*", re.ASCII)
_FIELDS = {"long", "short", "burn"}


class Windows(msgspec.Struct, frozen=True, gc=False):
    """A burn above ``burn`` in both windows is too fast."""

    long: Duration
    short: Duration
    burn: float


DEFAULT_WINDOWS = (Windows(HOUR, 5 * MINUTE, 14.4), Windows(6 * HOUR, 30 * MINUTE, 6))


def parse_objective(text: str) -> float:
    """The budget that an objective such as ``99.9%`` leaves, as a share: 0.001.

    Raises:
        ValueError: saying what to write instead.
    """
    if not _PERCENTAGE.fullmatch(text) or not 0 < (share := Decimal(text[:-1])) < 100:
        raise ValueError(f'"{text[:40]}" is not a valid objective: write a percentage above 0% and below 100%, such as "99.9%"')
    return float(1 - share / 100)


def parse_series(text: str) -> str:
    """A selector of counters in Prometheus' language: a metric, labels in braces, or both; ``rate`` is put around it.

    Raises:
        ValueError: saying what to write instead.
    """
    if not _SERIES.fullmatch(text) or re.fullmatch(r"\s*\{\s*\}\s*", text):
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        advice = """write the metric and its labels alone, such as http_requests_total{job="web"}, without rate, sum and window"""
        raise ValueError(f"{shown} selects no counters: {advice}")
    return text.strip()


def parse_windows(written: Iterable[Any]) -> tuple[Windows, ...]:
    """Pairs of windows from maps with ``long``, ``short`` (durations) and ``burn`` (a number).

    Raises:
        ValueError: saying what to write instead.
    """
    pairs = tuple(_pair(one) for one in written)
    if not pairs:
        raise ValueError("`windows` is empty: write at least one, or remove it for the default windows")
    return pairs


def _pair(written: Any) -> Windows:
    if not isinstance(written, dict) or set(written) != _FIELDS:
        raise ValueError("a pair of windows lacks something or has too much: write each as {long: 1h, short: 5m, burn: 14.4}")
    long, short = (parse_duration(str(written[name])) for name in ("long", "short"))
    burn = written["burn"]
    if isinstance(burn, bool) or not isinstance(burn, int | float) or not 0 < burn < float("inf"):
        raise ValueError(f"burn is {burn}: write a number above 0")
    if not 0 < short < long:
        raise ValueError("the short window is not shorter than the long one: a twelfth of it is usual")
    return Windows(long, short, float(burn))
