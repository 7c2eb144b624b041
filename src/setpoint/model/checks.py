"""Checks: what a protection's program is to do, and its four possible results."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from setpoint.model.names import attachment_entity
from setpoint.model.spec import digest
from setpoint.model.time import MINUTE, SECOND, Duration


class Outcome(StrEnum):
    """The last two mean that the check could not run: they decide nothing. Exit codes: ``exits.outcome_of``."""

    PASSING = "passing"
    BLOCKING = "blocking"
    MISCONFIGURED = "misconfigured"
    UNAVAILABLE = "unavailable"


class CheckDefinition(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One protection with one set of arguments on one subject. Equal definitions are one attachment, run once for all."""

    protection: str
    """Name of the Protection document or built-in, for people."""
    use: str
    """The adapter: ``program``, ``http``, or a built-in's name such as ``alerts-not-firing``."""
    subject: str
    """``organization``, ``application:saas``, ``channel:saas/acme``, ``runtime:local``, ``instance:saas/web@acme``, or
    ``attempt:saas/web@acme`` for checks whose arguments look up ``version``, ``params``, ``release`` or ``attempt``."""
    options: dict[str, Any] = {}
    """The adapter's options, e.g. ``{"command": [...], "directory": ...}`` or the built-in's ``with``. In a policy, texts may
    still hold lookups of the attempt (``${version}``); in an attachment none is left."""
    env: dict[str, str] = {}
    facts: dict[str, Any] = {}
    """What is about to ship, given to programs as JSON on standard input, as far as the subject has it."""
    interval: Duration = 60 * SECOND
    timeout: Duration = 30 * SECOND
    max_age: Duration = 2 * MINUTE + 30 * SECOND
    tree: str = ""
    """SHA-256 of the files that it is run with, stored by content at ``apply`` (§10.6); empty: it needs none."""
    paths: tuple[str, ...] = ()
    """Options that are paths within the tree."""

    @property
    def attachment(self) -> str:
        """Entity id of the attachment that runs this definition."""
        return attachment_entity(self.protection, digest(self))


class CheckResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How one run of a check ended."""

    outcome: Outcome
    reason: str
    """One line for people: the last line the program wrote, or what went wrong."""
    output: str = ""
    """The captured output, capped; never in an actor's state."""
    code: int | None = None
    """A program's exit code; a signal's number, negative; None: it did not end by either."""
