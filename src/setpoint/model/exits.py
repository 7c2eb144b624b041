"""What the end of a program means: the one place where exit codes of checks are decided (§10.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from setpoint.model.checks import Outcome

SIGNALLED = 128
"""A shell reports a command that a signal ended with this much more than the signal's number."""
SIGNALS = range(SIGNALLED + 1, SIGNALLED + 32)
NOT_RUN = frozenset({126, 127})
"""What shells and ``env`` report of a command that is not executable, or not found."""
TEMPORARY = 75
"""EX_TEMPFAIL of sysexits.h."""


class ExitCodes(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which codes of one program mean what; both empty: the usual meaning."""

    fail: tuple[int, ...] | None = None
    """These fail. Where there are any, a code without another meaning is unavailable."""
    unavailable: tuple[int, ...] = ()

    @classmethod
    def of(cls, options: dict[str, Any]) -> ExitCodes:
        """As the options of a check have them. Raises ``msgspec.ValidationError`` for what is not a list of codes."""
        return msgspec.convert(options.get("exitCodes") or {}, cls)


def outcome_of(code: int, codes: ExitCodes) -> Outcome:
    """What an exit code means; a negative one is a signal's number. A signal is looked up under the code that a shell reports."""
    if code == 0:
        return Outcome.PASSING
    reported = SIGNALLED - code if code < 0 else code
    if reported in (codes.fail or ()):
        return Outcome.BLOCKING
    if reported in codes.unavailable or code < 0 or code in SIGNALS or code == TEMPORARY:
        return Outcome.UNAVAILABLE
    if code in NOT_RUN:
        return Outcome.MISCONFIGURED
    return Outcome.BLOCKING if codes.fail is None else Outcome.UNAVAILABLE


def wrong_with(codes: ExitCodes) -> str:
    """Why a program cannot have these codes; empty: it can."""
    named = [*(codes.fail or ()), *codes.unavailable]
    outside = [code for code in named if not 0 <= code <= 255]
    both = sorted(set(codes.fail or ()) & set(codes.unavailable))
    if 0 in named:
        return "0 always passes"
    if outside:
        return f"{outside[0]} is not an exit code: they go from 1 to 255"
    return f"{both[0]} stands in `fail` and in `unavailable`" if both else ""
