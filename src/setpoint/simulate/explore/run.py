"""``python -m setpoint.simulate.explore.run [SECONDS]``: explores every small world, on all cores, within a time for all.

A world that begins may take its part of the time that is left; what it does not need is left to those after it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from functools import partial

from setpoint.simulate.explore.explorer import Explored, explore
from setpoint.simulate.explore.small_worlds import WORLDS

SECONDS = 570.0
"""For all worlds together: with what comes before and after, ten minutes."""
YOUNG = 50_000
"""Objects made until garbage is looked for: worlds are many small objects, most of which are dropped immediately."""


def one(place: int, *, until: float, workers: int) -> Explored:
    """One of the worlds, in its part of the time."""
    gc.set_threshold(YOUNG, 20, 100)
    left = max(until - time.time(), 1.0)
    return explore(WORLDS[place], min(left, left * workers / (len(WORLDS) - place)))


def line(found: Explored, most: int) -> str:
    """How far one world was explored."""
    bounds = f"all of {most}" if found.within == most else f"{max(found.within, 0)} of {most}"
    rest = "" if found.finished else "; NOT FINISHED: more was started"
    beyond = f"; {found.beyond} paths went beyond the horizon" if found.beyond else ""
    return (
        f"{found.name:50} acts and faults: {bounds:8} {found.states:9,} states {found.transitions:11,} transitions "
        f"{found.leaves:7,} ends {found.seconds:6.1f} s{rest}{beyond}"
    )


def total(all_found: list[Explored], seconds: float) -> str:
    """What was done in all, and what was not."""
    states, transitions = sum(found.states for found in all_found), sum(found.transitions for found in all_found)
    unfinished = [found.name for found in all_found if not found.finished]
    broken = sum(bool(found.broken) for found in all_found)
    bounds = f"full bounds were not finished for: {', '.join(unfinished)}" if unfinished else "all within their full bounds"
    counts = f"{len(all_found)} worlds, {states:,} states, {transitions:,} transitions, {broken} broken, {seconds:.0f} s"
    return f"{counts}; {bounds}"


def report(all_found: Iterable[Explored]) -> list[Explored]:
    """Print each as it arrives."""
    explored_worlds = []
    for found, small in zip(all_found, WORLDS, strict=True):
        explored_worlds.append(found)
        print(line(found, small.most), flush=True)  # noqa: T201 - its output
        if found.broken:
            print("\n".join(("  BROKEN " + found.broken, *(f"    {step}" for step in found.path))))  # noqa: T201 - as above
    return explored_worlds


def main(words: list[str]) -> int:
    """Return 1 if something breaks."""
    seconds, began, workers = float(words[0]) if words else SECONDS, time.time(), os.cpu_count() or 1
    explore_one = partial(one, until=began + seconds, workers=workers)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        explored_worlds = report(pool.imap(explore_one, range(len(WORLDS))))
    print(total(explored_worlds, time.time() - began))  # noqa: T201 - its output
    return 1 if any(found.broken for found in explored_worlds) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
