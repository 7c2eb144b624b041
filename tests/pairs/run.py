"""Every pair of features, drawn together or refused: ``python -m tests.pairs.run [--most N] [--jobs N] [--no-matrix]``.

Draws configurations until every pair is covered or refused, takes each through its outcome – applied, released, failed once and
rolled back once – and prints the matrix. Ends with 1 if one of them breaks.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.pairs.drawing import Matrix, configured, refusal
from tests.pairs.features import FEATURES, Feature
from tests.pairs.running import Stuck, run_configuration

from setpoint.simulate.invariants import Broken


def main() -> int:
    """Print the matrix and what broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000, help="configurations at most")
    parser.add_argument("--jobs", type=int, help="configurations in parallel; default: one for each core")
    parser.add_argument("--no-matrix", action="store_true", help="only configurations and what broke")
    options = parser.parse_args()
    refused_alone = {one: why for one in FEATURES if (why := refusal(frozenset((one,))))}
    for one, why in refused_alone.items():
        print(f"{one}: refused alone: {why}")
    matrix = Matrix().draw((one for one in FEATURES if one not in refused_alone), options.most)
    if not options.no_matrix:
        print("\n".join(matrix.lines()))
    broken = 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for number, (line, breaks) in enumerate(pool.map(_run, matrix.drawn), 1):
            print(f"configuration {number}{line}", flush=True)
            broken += breaks
    print(f"{len(matrix.covered)} pairs in {len(matrix.drawn)} configurations, {len(matrix.refused)} refused, {broken} broken")
    return 1 if broken else 0


def _run(chosen: tuple[Feature, ...]) -> tuple[str, bool]:
    """What is printed of one configuration, and whether it breaks."""
    try:
        outcome = run_configuration(configured(chosen))
    except (Stuck, Broken) as error:
        return f" BREAKS: {error}\n  {', '.join(map(str, chosen))}", True
    return f": {len(chosen)} features, {len(outcome.failed)} failed, {len(outcome.rolled_back)} rolled back", False


if __name__ == "__main__":
    sys.exit(main())
