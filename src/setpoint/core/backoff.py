"""How long to wait before trying again: longer each time, and never all at one moment."""

from __future__ import annotations

import zlib

from setpoint.model.time import MINUTE, SECOND, Duration

FIRST: Duration = SECOND
LONGEST: Duration = 5 * MINUTE


def backoff(errors: int, salt: str, first: Duration = FIRST) -> Duration:
    """Exponential in the number of errors so far, with up to a quarter of jitter that is the same at every replay."""
    plain = min(first << min(errors - 1, 20), LONGEST)
    return plain + plain * (zlib.crc32(f"{salt}/{errors}".encode()) % 256) // 1024
