"""The data directory of an engine: where it is by default, and the name of the lock that its engine holds."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "SETPOINT_HOME"
LOCK_FILE = "engine.lock"


def default_home() -> Path:
    """Return ``SETPOINT_HOME``, or ``~/.local/share/setpoint``."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".local/share/setpoint")
