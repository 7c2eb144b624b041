"""``python -m setpoint.simulate [FIRST LAST]``: run the worlds of these seeds; 1 at the first invariant that does not hold."""

from __future__ import annotations

import sys
import time
from collections import Counter

from setpoint.simulate.invariants import Broken
from setpoint.simulate.scenario import Scenario


def main(arguments: list[str]) -> int:
    """Seeds 0 to 99 unless told otherwise."""
    first, last = (int(argument) for argument in (arguments or ["0", "100"]))
    began, turns, saw = time.process_time(), 0, Counter[str]()
    for seed in range(first, last):
        scenario = Scenario(seed)
        try:
            scenario.run()
        except Broken as broken:
            print(f"seed {seed}: {broken}")  # noqa: T201 - its output
            return 1
        turns += scenario.world.turns
        saw += scenario.net.preconditions
    rate = turns / max(time.process_time() - began, 0.001)
    found = ", ".join(f"{name} {count}" for name, count in saw.most_common())
    print(f"{last - first} seeds, {turns} decisions, {rate:,.0f} a second; nothing broken; asked: {found}")  # noqa: T201 - its output
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
