"""Every command. Importing this registers them."""

from setpoint.control.commands import (
    adopt,
    apply,
    approvals,
    check,
    holds,
    marks,
    pins,
    promote,
    release,
    remove,
    retry,
    rollback,
    scopes,
    skip,
    tokens,
)

__all__ = [
    "adopt",
    "apply",
    "approvals",
    "check",
    "holds",
    "marks",
    "pins",
    "promote",
    "release",
    "remove",
    "retry",
    "rollback",
    "scopes",
    "skip",
    "tokens",
]
