"""Records the histories of this directory: ``python -m tests.histories.record [NAME …]`` from the root of the repository.

Existing histories are not recorded again: they are what earlier versions decided. To record one again, which is right only where
its decisions are no longer right, remove its files first, and give the reason in the commit.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.histories import on_engines, on_worlds

from setpoint.core.recording import trace as traces

HERE = Path(__file__).parent


def names() -> list[str]:
    """Every scene that there is."""
    return [*on_engines.SCENES, *on_worlds.SCENES]


def files_of(name: str) -> list[Path]:
    """Histories of one scene that were recorded."""
    return sorted(HERE.glob(f"{name}.*.json"))


def record(name: str) -> None:
    """Play one scene and write its stories down."""
    traces_by_file = asyncio.run(on_engines.play(name)) if name in on_engines.SCENES else on_worlds.play(name)
    for file, story in traces_by_file.items():
        (HERE / file).write_text(traces.written(story))
        print(f"{file}: {len(story.turns)} turns")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or names():
        if not files_of(wanted):
            record(wanted)
