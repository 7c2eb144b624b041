"""What every gate has in common: its name, by which a person may skip it for one release."""

from __future__ import annotations

from setpoint.core.instance.state import Life

EVERY_GATE = "*"


def skipped(life: Life, release: int, gate: str) -> bool:
    """Whether a person said that this gate of this release does not count here."""
    return bool(life.skips) and any(skip.release == release and skip.gate in {gate, EVERY_GATE} for skip in life.skips)


def channel_of(instance: str) -> str:
    """The channel in ``application/service@channel``."""
    return instance.rpartition("@")[2]


def service_of(instance: str) -> str:
    """The service in ``application/service@channel``."""
    return instance.partition("/")[2].rpartition("@")[0]
