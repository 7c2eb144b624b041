"""Does any test notice? ``python tests/mutation/run.py [-n 200] [--seed 7] [-j 2] [PATH …]`` changes the core a little and asks.

Every mutant is one small change to one function of ``setpoint/core``. The tests of the core and the recorded histories that run
the changed lines are asked first, then some simulated worlds. What was found is kept in ``.mutation/results.jsonl``: a run
may be interrupted at any time, and the next one asks only about code that changed, and again about what nobody noticed: those
tests that changed, by themselves or in what their folder shares.
Ends with 1 if fewer than ``--goal`` percent were noticed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.mutation import report  # noqa: E402
from tests.mutation.equivalent import reviewed  # noqa: E402
from tests.mutation.hunt import CONTRADICTION, Bounds, Hunt, hunt  # noqa: E402
from tests.mutation.known import Known  # noqa: E402
from tests.mutation.operators import Mutant, mutants  # noqa: E402

import setpoint  # noqa: E402

CORE = Path(setpoint.__file__).resolve().parent / "core"
TESTS = ("tests/core", "tests/histories")
IMPATIENT = "not quick_once_cached"
"""Tests that measure time would notice the machine, not the mutant."""


def all_mutants(paths: list[str]) -> list[Mutant]:
    """The mutants of the core, or of files whose path below it contains one of these texts."""
    found = []
    for path in sorted(CORE.rglob("*.py")):
        name = str(path.relative_to(CORE))
        if not paths or any(text in name for text in paths):
            found += mutants(name, path.read_text("utf-8"))
    return found


def sample(found: list[Mutant], number: int, seed: int) -> list[Mutant]:
    """So many of them (0: all), the same for the same seed, in the order of the files."""
    if not number or number >= len(found):
        return found
    chosen = set(Random(seed).sample(range(len(found)), number))
    return [mutant for index, mutant in enumerate(found) if index in chosen]


def digests_of_tests() -> dict[str, str]:
    """File of tests -> what changes with it, and with all that its folder shares: helpers and data."""
    found = {}
    for folder in TESTS:
        files = sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".json"})
        shared = b"".join(path.read_bytes() for path in files if not path.name.startswith("test_"))
        for path in files:
            if path.name.startswith("test_"):
                found[str(path.relative_to(ROOT))] = hashlib.sha256(shared + path.read_bytes()).hexdigest()[:8]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Try mutants and print who noticed. Returns 1 when fewer than the goal are noticed, 2 when nothing can be tried."""
    options = _options(arguments)
    known = Known(options.results, digests_of_tests(), options.worlds)
    chosen = sample(all_mutants(options.paths), options.number, options.seed)
    new = [mutant for mutant in chosen if known.of(mutant) is None]
    print(f"{len(chosen)} mutants, {len(chosen) - len(new)} of them known", flush=True)
    problem = _try(new, known, options) if new and not options.known else ""
    if problem:
        print(f"no mutant can be tried: {problem}")
        return 2
    return _tell(chosen, known, options.goal)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help="only files whose path in core/ contains one of these")
    parser.add_argument("-n", "--number", type=int, default=0, help="try a sample of so many; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=Bounds.seeds, help="simulated worlds for what no test notices")
    parser.add_argument("--known", action="store_true", help="try nothing, show what is known")
    parser.add_argument("--goal", type=float, default=90.0, help="percent that must be noticed")
    parser.add_argument("--results", type=Path, default=ROOT / ".mutation/results.jsonl")
    return parser.parse_args(arguments)


def _try(new: list[Mutant], known: Known, options: argparse.Namespace) -> str:
    began, done = time.monotonic(), 0

    def told(mutant: Mutant, by: str) -> None:
        nonlocal done
        known.add(mutant, by)
        done += 1
        if not by or done % 100 == 0 or done == len(new):
            left = (time.monotonic() - began) / done * (len(new) - done) / 60
            print(f"[{done}/{len(new)}, about {left:.0f} min left] {'' if by else 'NOBODY NOTICES '}", end="")
            print(f"{mutant.file}:{mutant.line}: {mutant.words}" if not by else "", flush=True)

    survived = {mutant.key: known.survived(mutant) for mutant in new}
    plugin = Hunt(CORE, "setpoint.core", new, survived, told, Bounds(seeds=options.worlds), options.jobs)
    code = hunt(plugin, [*TESTS, "-k", IMPATIENT], ROOT)
    return plugin.problem or ("" if done == len(new) else f"pytest ended with {code}")


def _tell(chosen: list[Mutant], known: Known, goal: float) -> int:
    equivalents = reviewed()
    outcomes = [
        (mutant, result.by, any(each.covers(mutant) for each in equivalents))
        for mutant in chosen
        if (result := known.of(mutant)) and result.by != CONTRADICTION
    ]
    stale = report.stale(equivalents, all_mutants([]))
    for line in (*report.survivors(outcomes), "", *stale, *report.table(outcomes)):
        print(line)
    return 0 if report.score(outcomes) >= goal else 1


if __name__ == "__main__":
    sys.exit(main())
