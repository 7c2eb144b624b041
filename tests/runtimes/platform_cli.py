"""A platform of somebody's own, driven by commands: it keeps one JSON file for each instance in the directory named first.

``platform_cli.py DIRECTORY fetch|list|apply|remove|info [WISH]`` – a wish (or ``with.wish`` of the spec) makes it misbehave.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> int:
    directory, action, *words = sys.argv[1:]
    spec = json.load(sys.stdin)
    wish = words[0] if words else spec["workload"].get("options", {}).get("with", {}).get("wish", "")
    place = Path(directory) / (spec["instance"].replace("/", "_") + ".json")
    with (Path(directory) / "calls").open("a") as calls:
        calls.write(f"{action} {os.environ['SETPOINT_VERSION']} {os.environ['SETPOINT_OPERATION_ID']}\n")
    runs = json.loads(place.read_text()) if place.exists() else None
    if wish == "hang":
        time.sleep(60)
    if wish.isdigit():
        print(f"told to exit with {wish}", file=sys.stderr)
        return int(wish)
    return ACTIONS[action](place, spec, runs, wish)


def apply(place: Path, spec: dict[str, Any], runs: dict[str, Any] | None, wish: str) -> int:
    place.write_text(json.dumps({"digest": spec["digest"], "version": spec["version"]["name"], "wish": wish}))
    print(f"deployed {spec['version']['name']}")
    return 0


def remove(place: Path, spec: dict[str, Any], runs: dict[str, Any] | None, wish: str) -> int:
    place.unlink(missing_ok=True)
    return 0


def fetch(place: Path, spec: dict[str, Any], runs: dict[str, Any] | None, wish: str) -> int:
    if runs is None or runs["digest"] != spec["digest"]:
        print(f"runs {runs['version'] if runs else 'nothing'}")
        return 2
    return 1 if runs["wish"] == "ill" else 0


def report(place: Path, spec: dict[str, Any], runs: dict[str, Any] | None, wish: str) -> int:
    if wish == "garbage":
        print("no JSON")
        return 0
    objects = (
        [{"name": f"task-{n}", "version": runs["version"], "healthy": runs["wish"] != "ill"} for n in (1, 2)] if runs else []
    )
    if wish == "drifted":
        objects[0] |= {"drifted": True, "message": "somebody changed its memory"}
    print(json.dumps({"objects": objects}))
    return 0


def info(place: Path, spec: dict[str, Any], runs: dict[str, Any] | None, wish: str) -> int:
    print(json.dumps({"links": {"console": f"https://console.example/{os.environ['SETPOINT_SERVICE']}"}, "region": "eu"}))
    return 0


ACTIONS = {"apply": apply, "fetch": fetch, "list": report, "remove": remove, "info": info}
sys.exit(main())
