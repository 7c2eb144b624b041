"""Who may do what, until roles exist: everybody with a token works, only administrators change the house."""

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
    PIN = "pin"
    HOLD = "hold"
    ROLLBACK = "rollback"
    RETRY = "retry"
    MARK = "mark"
    PAUSE = "pause"
    STOP = "stop"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


ADMINISTRATORS_ONLY = frozenset({Permission.CONFIGURE, Permission.ADMINISTER})


def may(person: Person, permission: Permission) -> bool:
    """Whether somebody has a right."""
    return person.admin or permission not in ADMINISTRATORS_ONLY


def require(person: Person, permission: Permission, what: str) -> None:
    """Raises Forbidden, saying who could."""
    if not may(person, permission):
        hint = f"Ask somebody with an administrator's token: the right needed is `{permission}`."
        raise Forbidden(f"{person.name} may not {what}.", hint)
