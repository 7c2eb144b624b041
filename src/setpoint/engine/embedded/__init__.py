"""The embedded engine: everything on one machine, in one process and one SQLite file."""

from setpoint.engine.embedded.host import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
