"""Every command. Importing this registers them."""

from setpoint.control.commands import (
    apply,
    approvals,
    holds,
    marks,
    observing,
    pins,
    promote,
    release,
    retry,
    rollback,
    scopes,
    skip,
    tokens,
)

__all__ = [
    "apply",
    "approvals",
    "holds",
    "marks",
    "observing",
    "pins",
    "promote",
    "release",
    "retry",
    "rollback",
    "scopes",
    "skip",
    "tokens",
]
