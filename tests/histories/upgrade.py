"""Rewrite histories whose facts have an older form, decision for decision the same: ``python -m tests.histories.upgrade``.

Version and configuration became two axes: *good* is a pair, what failed or was revoked names its version, a wave its release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.histories.record import HERE

_INDENT = "    "


def main() -> None:
    """Upgrade every file in place; one that has today's form stays as it is."""
    for path in sorted(HERE.glob("*.json")):
        scene = path.name.partition(".")[0]
        text = path.read_text("utf-8")
        upgraded = _upgrade(text, _entity(path), _versions(scene))
        if upgraded != text:
            path.write_text(upgraded, "utf-8")
            print(f"upgraded {path.name}")


def _versions(scene: str) -> dict[tuple[str, int], dict[str, Any]]:
    """(service, release) -> version, as far as a scene offers it anywhere."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for path in HERE.glob(f"{scene}.*.json"):
        for given in _objects(json.loads(path.read_text("utf-8"))):
            instance = given.get("to", "") or _entity(path)
            offer = given.get("offer") or given.get("fact", {}).get("offer")
            if offer and instance.startswith("instance:"):
                found[_service(instance), offer["release"]] = offer["version"]
    return found


def _entity(path: Path) -> str:
    entity: str = json.loads(path.read_text("utf-8"))["entity"]
    return entity


def _service(instance: str) -> str:
    return instance.rpartition("/")[2].partition("@")[0]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _upgrade(text: str, entity: str, versions: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Line by line: each turn has its own, so that what does not change stays byte for byte."""
    lines = []
    for line in text.split("\n"):
        bare = line.strip().rstrip(",")
        if not bare.startswith('{"now"'):
            lines.append(_end(line))
            continue
        turn = json.loads(bare)
        before = json.dumps(turn)
        for one in _objects(turn):
            to = one.get("to", entity)
            if "fact" in one:
                _upgrade_one(one["fact"], versions, to)
            else:
                _upgrade_one(one, versions, to)
        changed = json.dumps(turn) != before
        comma = "," if line.rstrip().endswith(",") else ""
        lines.append(f"{_INDENT}{json.dumps(turn, separators=(',', ':'), ensure_ascii=False)}{comma}" if changed else line)
    return "\n".join(lines)


def _upgrade_one(fact: dict[str, Any], versions: dict[tuple[str, int], dict[str, Any]], to: str) -> None:
    if fact.get("type") == "Neighbour":
        if isinstance(fact.get("good"), int):
            fact["good"] = [fact["good"], 0]
        service = _service(fact["instance"])
        fact_failed = fact.get("rolled_back", [])
        if fact_failed and isinstance(fact_failed[0], int):
            fact["rolled_back"] = [{"pair": [one, 0], "version": versions[service, one]} for one in fact_failed]
        if fact.get("revoked") and "version" not in fact["revoked"][0]:
            fact["revoked"] = [{"version": one} for one in fact["revoked"]]
    if fact.get("type") == "AskAdmission" or (fact.get("type") == "SetVote" and fact.get("needs")):
        suffix = to.rpartition("#")[2]
        release = fact.get("release") or (int(suffix) if suffix.isdigit() else 0)
        fact["needs"] = [_need(need, release) for need in fact["needs"]]


def _need(need: list[Any], release: int) -> list[Any]:
    return [*need, release if need[0].startswith("wave:") else 0] if len(need) == 4 else need


def _end(line: str) -> str:
    """What it came to: a revoked version has a kind of its own."""
    bare = line.strip()
    if not bare.startswith('"ends"'):
        return line
    ends = json.loads("{" + bare.rstrip(",") + "}")["ends"]
    revoked = ends.get("revoked", [])
    if not revoked or revoked[0].get("is") != "Version":
        return line
    ends["revoked"] = [{"is": "Revoked", "version": one} for one in revoked]
    return f'  "ends": {json.dumps(ends, separators=(",", ":"), ensure_ascii=False)},'


if __name__ == "__main__":
    main()
