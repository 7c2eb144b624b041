"""How the command line ends: the exit codes that scripts rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    ERROR = 1
    FAILED = 2
    """The release, check or replay failed, or was rolled back."""
    TIMED_OUT = 3
    REFUSED = 4


REFUSALS = frozenset({"refused", "decided", "in-flight", "forbidden", "unauthenticated"})
"""Codes of the API for a request that is valid but not allowed."""


class Quit(Exception):  # noqa: N818 - also ends a command without an error
    """Stop here with this status; ``message`` and ``hint`` are shown on standard error."""

    def __init__(self, code: ExitCode, message: str = "", hint: str = "", details: list[str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details or []
