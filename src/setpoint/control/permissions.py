"""Who may do what until roles exist. Every person with a token views and releases, and approves and skips where the configuration
names that person; everything else needs the token of an administrator.
"""

from __future__ import annotations

from enum import StrEnum

from setpoint.control.errors import Forbidden
from setpoint.model.people import Person


class Permission(StrEnum):
    """One right. Some commands ask the configuration besides: ``from`` of an approval, ``override`` of a gate."""

    VIEW = "view"
    RELEASE = "release"
    APPROVE = "approve"
    SKIP = "skip"
    ADOPT = "adopt"
    PIN = "pin"
    HOLD = "hold"
    ROLLBACK = "rollback"
    RETRY = "retry"
    MARK = "mark"
    PAUSE = "pause"
    STOP = "stop"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


OF_EVERY_PERSON = frozenset({Permission.VIEW, Permission.RELEASE, Permission.APPROVE, Permission.SKIP})
"""Rights that every token has; the others are an administrator's."""


def may(person: Person, permission: Permission) -> bool:
    """Return whether a person has a right."""
    return person.admin or permission in OF_EVERY_PERSON


def require(person: Person, permission: Permission, what: str) -> None:
    """Raises Forbidden, saying who could."""
    if not may(person, permission):
        hint = f"Ask a person with an administrator's token: the right needed is `{permission}`."
        raise Forbidden(f"{person.name} may not {what}.", hint)
