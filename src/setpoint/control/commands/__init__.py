"""Every command. Importing this registers them."""

from setpoint.control.commands import apply, approvals, holds, pins, release, retry, rollback, skip, tokens

__all__ = ["apply", "approvals", "holds", "pins", "release", "retry", "rollback", "skip", "tokens"]
