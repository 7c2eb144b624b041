"""Every query. Importing this registers them."""

from setpoint.control.queries import (
    checking,
    doctor,
    explain,
    history,
    invariants,
    logs,
    people,
    preview,
    releases,
    rollup,
    status,
    story,
    timeline,
)

__all__ = [
    "checking",
    "doctor",
    "explain",
    "history",
    "invariants",
    "logs",
    "people",
    "preview",
    "releases",
    "rollup",
    "status",
    "story",
    "timeline",
]
