"""Rewrite histories whose facts have an older form, decision for decision the same: ``python -m tests.histories.upgrade``.

Codes of reasons became noun phrases (``setpoint.model.reasons.Code``), and what only a person clears says so. A mark names the
service whose version is marked; what fails an attempt is a field of the event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.histories.record import HERE

_INDENT = "    "
_CAUSES = (
    (re.compile(r"its set goes back: "), "set-failed"),
    (re.compile(r"no progress for "), "not-healthy-yet"),
    (re.compile(r"unhealthy after "), "unhealthy"),
    (re.compile(r": (\S+) says no: "), "check-failing"),
    (re.compile(r" rejected it for (\S+): "), "approval-rejected"),
)
_MARK = re.compile(r" marks (\S+) \S+ (?:bad|good)\b")
_CODES = {"lease": "lease-taken", "budget": "budget-used", "wave": "wave-not-open"}


def main() -> None:
    """Upgrade every file in place; one that has today's form stays as it is."""
    for path in sorted(HERE.glob("*.json")):
        text = path.read_text("utf-8")
        upgraded = "\n".join(_upgraded(line) for line in text.split("\n"))
        if upgraded != text:
            path.write_text(upgraded, "utf-8")
            print(f"upgraded {path.name}")


def _upgraded(line: str) -> str:
    """Each turn has a line of its own, so that what does not change stays byte for byte."""
    bare = line.strip().rstrip(",")
    if not bare.startswith('{"now"'):
        return line
    turn = json.loads(bare)
    reasons = [one for one in _objects(turn) if one.get("code") in _CODES]
    for reason in reasons:
        _upgrade(reason)
    marks = [one for one in _objects(turn) if one.get("kind") == "signal" and "service" not in one and _MARK.search(one["text"])]
    for mark in marks:
        mark["service"] = _MARK.findall(mark["text"])[0]
    failed = [
        one for one in _objects(turn) if one.get("kind") in {"failed", "rolling-back", "attempt-ended"} and "cause" not in one
    ]
    for event in failed:
        _give_cause(event)
    comma = "," if line.rstrip().endswith(",") else ""
    return (
        f"{_INDENT}{json.dumps(turn, separators=(',', ':'), ensure_ascii=False)}{comma}" if reasons or marks or failed else line
    )


def _give_cause(event: dict[str, Any]) -> None:
    """What failed is a code and the name of a gate."""
    if event.get("outcome") in {"replaced", "cancelled"}:
        return
    for pattern, code in _CAUSES:
        if found := pattern.search(event["text"]):
            event |= {"cause": code} | ({"gate": found[1]} if pattern.groups else {})
            return


def _upgrade(reason: dict[str, Any]) -> None:
    reason["code"] = _CODES[reason["code"]]
    if reason["code"] == "wave-not-open" and reason.get("awaits") == "resume":
        reason |= {"code": "wave-stopped", "person": True}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


if __name__ == "__main__":
    main()
