"""Rewrite histories that have older names of facts and fields: ``python -m tests.histories.upgrade``.

Recorded facts and instructions keep their values; only names change. A state's digest is recorded by the version that decided it,
and stays.
"""

from __future__ import annotations

import json
from typing import Any

from tests.histories.record import HERE

from setpoint.core.recording.trace import laid_out

_KINDS = {
    "Ask": "RunRequested",
    "AskAdmission": "AdmissionRequested",
    "AskFinalized": "FinalizationRequested",
    "Asker": "Requester",
    "From": "RunAssigned",
    "Move": "TargetChange",
    "Neighbour": "InstanceStatus",
    "Passage": "WaveProgress",
    "Place": "AdmissionRequest",
    "Rostered": "WaveMembersNamed",
    "Stance": "ReportedResult",
    "Standing": "StandingOrder",
    "ToldFinalized": "FinalizationReported",
}
_FIELDS = {
    "ask": "request_id",
    "asker": "requester",
    "askers": "requesters",
    "asks": "last_request_id",
    "begun": "configuration_frontier",
    "heard": "last_request_id",
    "nos": "failures_total",
    "passages": "wave_progress",
    "place": "requested",
    "places": "requests",
    "stances": "results",
}
_OWNERS = frozenset(
    {"AdmissionState", "CheckStatus", "Granted", "Queued", "Returned", "Began", "Ended", "SetState", "TaskWanted", "TaskLeft"}
)
"""Kinds that keep their name and have a field with an older one."""


def main() -> None:
    """Upgrade every file in place; one that has today's form stays as it is."""
    for path in sorted(HERE.glob("*.json")):
        text = path.read_text("utf-8")
        upgraded = laid_out(_upgraded(json.loads(text)))
        if upgraded != text:
            path.write_text(upgraded, "utf-8")
            print(f"upgraded {path.name}")


def _upgraded(value: Any) -> Any:
    if isinstance(value, list):
        return [_upgraded(one) for one in value]
    if not isinstance(value, dict):
        return value
    tag = "type" if "type" in value else "is"
    kind = value.get(tag)
    renamed = isinstance(kind, str) and (kind in _KINDS or kind in _OWNERS)
    found = {(_FIELDS.get(name, name) if renamed else name): _upgraded(one) for name, one in value.items()}
    if renamed:
        found[tag] = _KINDS.get(str(kind), kind)
    if found.get("state") == "begun":
        found["state"] = "started"
    return found


if __name__ == "__main__":
    main()
