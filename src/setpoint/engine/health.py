"""How an engine is, for people and for monitoring. Reading it costs nothing."""

from __future__ import annotations

import msgspec


class Health(msgspec.Struct, frozen=True):
    """How the engine is."""

    status: str
    """``starting``, ``serving``, ``degraded`` or ``stopped``."""
    reason: str
    entities: int
    queued: int
    """Facts to decide upon, and turns decided but not durable yet."""
    operations: int
    """Open."""
    watched: int
    timers: int
    problems: int
    turns: int
    """Since the start, durable."""
    commits: int
    rows: int
    looks: int
