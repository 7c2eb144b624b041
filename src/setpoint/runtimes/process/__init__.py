"""The process runtime: instances as real processes on this machine. Needs nothing installed.

The engine talks to ``ProcessRuntime``; what runs is kept by a supervisor process (``supervisor``) that outlives the engine.
"""

from __future__ import annotations

from setpoint.runtimes.process.adapter import ProcessRuntime, Usage, shutdown

__all__ = ["ProcessRuntime", "Usage", "shutdown"]
