"""The built-in ``slo-burn``: an error budget is not being used up too fast, as a Prometheus counts it.

All windows are fetched in one query, so that they end at one moment. Errors that were never counted are none; without any
request counted nothing is known; where there were series but no requests, nothing was used up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from setpoint.model.burn import DEFAULT_WINDOWS, Windows, parse_objective, parse_series, parse_windows
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import Duration, format_duration
from setpoint.programs.text import printable
from setpoint.protections.options import Options, unresolved
from setpoint.protections.prometheus import Sample, instant, number, server_mistakes, without_data

_LABEL = "setpoint_window"
_Burns = Mapping[Duration, float]
"""Length of a window → how fast the budget was used up in it; windows without data are not there."""


class SloBurn:
    """Options: ``url`` of the server · ``objective`` (99.9%) · ``errors`` and ``total``, selectors of counters · ``windows`` ·
    ``emptyMeans`` · ``headers``. Each pair of ``windows`` has ``long``, ``short`` and the ``burn`` it allows at most.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a query may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        pairs = _pairs(check.options)
        errors, total = (parse_series(str(check.options[name])) for name in ("errors", "total"))
        samples = await instant(question(errors, total, _lengths(pairs)), check)
        if isinstance(samples, CheckResult):
            return samples
        objective = str(check.options["objective"])
        return _judge(_burns(samples, parse_objective(objective)), pairs, objective, check)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"url", "objective", "errors", "total", "windows", "emptyMeans", "headers"})
        server_mistakes(read)
        for name, parse in (("objective", parse_objective), ("errors", parse_series), ("total", parse_series)):
            text = read.text(name, required=True)
            if text and not unresolved(text):
                read.wrong += _mistake(name, parse, text)
        windows = options.get("windows")
        if windows is not None and not unresolved(windows):
            read.wrong += _mistake("windows", parse_windows, windows if isinstance(windows, list) else [windows])
        return read.wrong


def _mistake(name: str, parse: Any, value: Any) -> list[str]:
    try:
        parse(value)
    except ValueError as error:
        return [f"{name}: {error}"]
    return []


def _pairs(options: dict[str, Any]) -> tuple[Windows, ...]:
    windows = options.get("windows")
    return DEFAULT_WINDOWS if windows is None else parse_windows(windows if isinstance(windows, list) else [windows])


def _lengths(pairs: tuple[Windows, ...]) -> list[Duration]:
    return sorted({length for pair in pairs for length in (pair.long, pair.short)})


def question(errors: str, total: str, lengths: list[Duration]) -> str:
    """The share of errors in each window, distinguished by a label with the window's length in milliseconds."""
    ratios = []
    for length in lengths:
        failed, all_of_them = (f"sum(rate({series}[{format_duration(length)}]))" for series in (errors, total))
        ratios.append(f'label_replace(({failed} or vector(0)) / {all_of_them}, "{_LABEL}", "{length}", "", "")')
    return " or ".join(ratios)


def _burns(samples: list[Sample], budget: float) -> _Burns:
    """No request divides nothing by nothing: nothing is used up."""
    shares = {int(sample.labels[_LABEL]): sample.value for sample in samples if sample.labels.get(_LABEL, "").isdecimal()}
    return {length: 0.0 if math.isnan(share) else share / budget for length, share in shares.items()}


def _judge(burns: _Burns, pairs: tuple[Windows, ...], objective: str, check: CheckDefinition) -> CheckResult:
    details = "\n".join(f"over {format_duration(length)}: {number(burns[length])}×" for length in sorted(burns))
    budget = f"error budget of {objective} burns at"
    for pair in pairs:
        if _burn(burns, pair) > pair.burn:
            reason = f"{budget} {_described(burns, pair)}, more than {number(pair.burn)}×"
            return CheckResult(Outcome.BLOCKING, printable(reason), details)
    missing = [format_duration(length) for length in _lengths(pairs) if length not in burns]
    if missing:
        return without_data(check, f"nothing was counted over {', '.join(missing)}")
    fastest = max(pairs, key=lambda pair: _burn(burns, pair) / pair.burn)
    reason = f"{budget} {_described(burns, fastest)}, no more than {number(fastest.burn)}×"
    return CheckResult(Outcome.PASSING, printable(reason), details)


def _burn(burns: _Burns, pair: Windows) -> float:
    """What shows in both windows; nothing while one has no data."""
    return min(burns.get(pair.long, 0.0), burns.get(pair.short, 0.0))


def _described(burns: _Burns, pair: Windows) -> str:
    return " and ".join(f"{number(burns[length])}× over {format_duration(length)}" for length in (pair.long, pair.short))
