"""Where the engine's own log goes: standard error, one line an event, no secrets."""

from __future__ import annotations

import logging
import sys


def configure() -> None:
    """Warnings of everybody, news of Setpoint and its HTTP server."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("setpoint").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
