"""Every query. Importing this registers them."""

from setpoint.control.queries import (
    audit,
    checking,
    doctor,
    explain,
    history,
    invariants,
    logs,
    orphans,
    preview,
    releases,
    rollup,
    status,
    story,
    timeline,
    whoami,
)

__all__ = [
    "audit",
    "checking",
    "doctor",
    "explain",
    "history",
    "invariants",
    "logs",
    "orphans",
    "preview",
    "releases",
    "rollup",
    "status",
    "story",
    "timeline",
    "whoami",
]
