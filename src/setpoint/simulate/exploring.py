"""``python -m setpoint.simulate.exploring [SECONDS]``: every small world, on all cores, with so long for each."""

from __future__ import annotations

import multiprocessing
import sys
from functools import partial

from setpoint.simulate.explore import Explored, explore
from setpoint.simulate.small import WORLDS

SECONDS = 100.0
"""For each world; all of them take ten minutes on two cores at most."""


def one(index: int, seconds: float) -> Explored:
    """One of the worlds."""
    return explore(WORLDS[index], seconds)


def line(found: Explored, most: int) -> str:
    """How far one world was explored."""
    bounds = f"all of {most}" if found.finished and found.within == most else f"{found.within} of {most}"
    rest = "" if found.finished else "; more was begun and not finished"
    beyond = f"; {found.beyond} paths went beyond the horizon" if found.beyond else ""
    return (
        f"{found.name:52} acts and faults: {bounds:9} {found.states:9,} states {found.transitions:10,} transitions "
        f"{found.leaves:7,} ends {found.seconds:6.1f} s{rest}{beyond}"
    )


def main(words: list[str]) -> int:
    """Ends with 1 if something breaks."""
    seconds, broken = float(words[0]) if words else SECONDS, 0
    with multiprocessing.get_context("spawn").Pool() as pool:
        for index, found in enumerate(pool.imap(partial(one, seconds=seconds), range(len(WORLDS)))):
            print(line(found, WORLDS[index].most), flush=True)  # noqa: T201 - its output
            if found.broken:
                broken += 1
                print("\n".join(("  BROKEN " + found.broken, *(f"    {step}" for step in found.path))))  # noqa: T201 - as above
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
