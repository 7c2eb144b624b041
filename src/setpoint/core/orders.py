"""Standing orders of people: what repeating one brings, and how they are shown (§10.8, §10.10)."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.facts import Order
from setpoint.model.people import By
from setpoint.model.time import Instant, format_instant

KEPT = 100
"""So many acts of people an entity remembers: one that is delivered again after so many others still changes nothing."""


def remember(known: tuple[str, ...], act: str) -> tuple[str, ...] | None:
    """Return the ids of the acts that are remembered with ``act``; None: it was delivered before, and is dropped.

    An act without an id is never dropped, and not remembered.
    """
    if not act:
        return known
    return None if act in known else (*known, act)[-KEPT:]


def restates(order: Order, by: By, until: Instant) -> bool:
    """Whether an order that stands already (``by``, ``until``) gets a new reason, a new link or another end."""
    return restated(order, by) != replace(by, person=order.by.person) or order.until != until


def restated(order: Order, by: By) -> By:
    """Whose the order is from then on; a reason or link that is not given stays."""
    return By(order.by.person, order.by.why or by.why, order.by.link or by.link)


def ending(until: Instant) -> str:
    """`` until 2026-12-01T18:00:00Z``; empty without an end."""
    return f" until {format_instant(until)}" if until else ""
