"""The embedded engine: everything on one machine, in one process and one SQLite file."""

from setpoint.engine.embedded.host import EmbeddedEngine, Health

__all__ = ["EmbeddedEngine", "Health"]
