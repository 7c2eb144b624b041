"""Who am I, and what may I do."""

from __future__ import annotations

from setpoint.control.act import Act
from setpoint.control.commands.tokens import NoRequest
from setpoint.control.permissions import Permission, may
from setpoint.control.registry import Answer, query


class Me(Answer):
    """The person that a token stands for."""

    name: str
    groups: list[str]
    admin: bool
    may: list[str]


@query("whoami", Permission.VIEW, NoRequest, Me, "Who this token stands for, and what that person may do.")
async def whoami(act: Act, _: NoRequest) -> Me:
    """Rights as they are now."""
    person = act.person
    rights = [str(permission) for permission in Permission if may(person, permission)]
    return Me(name=person.name, groups=list(person.groups), admin=person.admin, may=rights)
