"""Whom the configuration lets approve or skip, in words."""

from __future__ import annotations

from collections.abc import Sequence

from setpoint.model.people import Person


def matches(person: Person, principals: Sequence[str] | None) -> bool:
    """Whether somebody is among those named; None: everybody who has the right at all."""
    return principals is None or any(person.matches(principal) for principal in principals)


def listing(principals: Sequence[str]) -> str:
    """``group:leads or user:ann``; of none: ``nobody``."""
    return " or ".join(principals) or "nobody"
