"""``python -m setpoint.simulate [FIRST LAST] [--jobs N]``: run the worlds of these seeds; ends with 1 if an invariant breaks."""

from __future__ import annotations

import argparse
import sys
import time

from setpoint.simulate.search import ENDS, Tally, search

_EVERY = 2.0


def main(words: list[str]) -> int:
    """Seeds 0 to 99 on one core unless told otherwise. Stops at the first that breaks; interrupted, it tells what it has."""
    parser = argparse.ArgumentParser(prog="python -m setpoint.simulate", description=__doc__)
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("last", type=int, nargs="?", default=100)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args(words)
    total, began, shown = Tally(), time.monotonic(), 0.0
    try:
        for tally in search(arguments.first, arguments.last, arguments.jobs):
            total.add(tally)
            if total.broken:
                break
            if sys.stderr.isatty() and time.monotonic() - shown > _EVERY:
                shown = time.monotonic()
                print(f"\r{total.seeds} of {arguments.last - arguments.first} seeds", end="", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
    print(_summary(total, time.monotonic() - began))  # noqa: T201 - its output
    return 1 if total.broken else 0


def _summary(total: Tally, seconds: float) -> str:
    if total.broken:
        seed, name, story = total.broken[0]
        again = f"again: python -m setpoint.simulate {seed} {seed + 1}"
        return f"seed {seed}: {story}\n{name} does not hold in the world of seed {seed}; {again}"
    ended = ", ".join(f"{total.outcomes[end] / max(total.attempts, 1):.0%} {end}" for end in ENDS)
    asked = ", ".join(f"{name} {count:,}" for name, count in total.asked.most_common())
    return (
        f"{total.seeds:,} seeds, {total.decisions:,} decisions ({total.decisions / max(seconds, 0.001):,.0f} a second), "
        f"{total.faults:,} faults; nothing broken\nof {total.attempts:,} attempts: {ended}\nasked: {asked}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
