"""Orphans: what runs on although its configuration is gone."""

from __future__ import annotations

from setpoint.control.act import Act
from setpoint.control.leftovers import Leftover, leftovers
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, query


class OrphansRequest(Request):
    """Everything."""


class Orphans(Answer):
    """In order of names."""

    orphans: list[Leftover]


@query("orphans", Permission.VIEW, OrphansRequest, Orphans, "What runs on although it is no longer configured.")
async def orphans(act: Act, request: OrphansRequest) -> Orphans:  # noqa: ARG001 - it asks for everything
    """Nothing of it is looked at any more; it is told as it was seen last."""
    return Orphans(orphans=await leftovers(act))
