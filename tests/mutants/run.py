"""Deliberate bugs and who catches them: ``python tests/mutants/run.py [-j 2] [--simulate] [NAME …]``.

Each ``*.patch`` here puts one bug into a copy of the package. Its first line describes the bug. Its second line names the tests
that must fail with it, as ``tests: tests/core/test_sets.py``; without that line the simulator must find it. README.md lists what
each bug stands for. The package without a bug must pass the same tests, or a failure would prove nothing. The exit code is 1 if a
bug gets through, 2 if the package without a bug fails; a patch that does not apply is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SEEDS = 60
"""Simulated worlds that look for a bug."""
FIRST = 8
"""Simulated worlds in the first try: most bugs show there."""
TIMEOUT = 900
"""Seconds for the tests or the worlds of one bug; exceeding them counts as caught: without a bug they take a fraction."""
TEST_TIMEOUT = 60
"""Seconds for one test, which a bug may keep from ending."""
CONTROL = "(none)"


@dataclass(frozen=True)
class Caught:
    """The outcome of one bug."""

    name: str
    words: str
    by: str
    """The invariant or test that failed; empty: the bug got through."""
    detail: str
    seconds: float


def patches() -> list[Path]:
    """Return every patch, by name."""
    return sorted(HERE.glob("*.patch"))


def words(patch: Path) -> str:
    """Return the description of the bug."""
    return patch.read_text("utf-8").partition("\n")[0]


def tests_of(patch: Path) -> tuple[str, ...]:
    """Return the tests that the second line of the patch names; empty: the simulator."""
    second = patch.read_text("utf-8").splitlines()[1]
    return tuple(second.removeprefix("tests:").split()) if second.startswith("tests:") else ()


def mutate(patch: Path, where: Path) -> None:
    """Copy the package with this bug into a directory. Raises ValueError when the patch does not apply."""
    copy(where)
    command = ["git", "apply", "-p1", "-C1", str(patch)]
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(where.parent), "GIT_DIR": os.devnull}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{patch.name} does not apply: {done.stderr.strip()}")


def copy(where: Path) -> None:
    """Copy the package into a directory."""
    shutil.copytree(ROOT / "src/setpoint", where / "setpoint", ignore=shutil.ignore_patterns("__pycache__"))


def hunt(patch: Path, *, seeds: int = SEEDS, simulate: bool = False) -> Caught:
    """Run the tests of one bug; ``simulate``: run the simulator instead."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        mutate(patch, Path(directory))
        named = () if simulate else tests_of(patch)
        by, detail = _test(Path(directory), named) if named else _simulate(Path(directory), seeds)
    return Caught(patch.stem, words(patch), by, detail, time.monotonic() - began)


def control(chosen: Iterable[Path], *, seeds: int = SEEDS, simulate: bool = False) -> Caught:
    """Run what these patches need on the package without a bug."""
    began = time.monotonic()
    named = [() if simulate else tests_of(patch) for patch in chosen]
    by = detail = ""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        copy(Path(directory))
        for test in sorted({test for tests in named for test in tests}):
            by, detail = _test(Path(directory), (test,))
            if by:
                break
        if not by and not all(named):
            by, detail = _simulate(Path(directory), seeds)
    return Caught(CONTROL, "The package as it is.", by, detail, time.monotonic() - began)


def _simulate(where: Path, seeds: int) -> tuple[str, str]:
    for first, last in ((0, min(FIRST, seeds)), (FIRST, seeds)):
        by, detail = _worlds(where, first, last) if first < last else ("", "")
        if by:
            break
    return by, detail


def _worlds(where: Path, first: int, last: int) -> tuple[str, str]:
    words = ("simulate", "--seeds", f"{first}..{last}", "--jobs", "1", "--shrink", "0", "--output", "json")
    code, output = _python(where, "-m", "setpoint.cli", *words)
    if not code:
        return "", ""
    try:
        broken = json.JSONDecoder().raw_decode(output)[0]["broken"][0]
    except (ValueError, KeyError, IndexError):
        return "raises", output.strip().rpartition("\n")[2]
    return broken["invariant"], f"seed {broken['seed']}: {broken['complaint']}"


def _test(where: Path, tests: Iterable[str]) -> tuple[str, str]:
    code, output = _python(where, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT}", *tests)
    failed = re.search(r"^FAILED \S*::(\w+)(.*)$", output, re.MULTILINE)
    if not code:
        return "", ""
    return (failed[1], failed[2]) if failed else ("raises", output.strip().rpartition("\n")[2])


def _python(where: Path, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(where), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return 1, f"took longer than {TIMEOUT} s"
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Print who catches which bug."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="bugs to run; none: all")
    parser.add_argument("-j", type=int, default=2, help="how many in parallel")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="simulated worlds")
    parser.add_argument("--simulate", action="store_true", help="run the simulator also for bugs that name tests")
    options = parser.parse_args()
    chosen = [patch for patch in patches() if not options.names or patch.stem in options.names]
    print(f"{'bug':36} {'caught by':34} {'s':>5}  in words")
    with ThreadPoolExecutor(options.j) as pool:
        plain = pool.submit(control, chosen, seeds=options.seeds, simulate=options.simulate)
        hunts = [pool.submit(hunt, patch, seeds=options.seeds, simulate=options.simulate) for patch in chosen]
        survived = 0
        for found in (plain, *hunts):
            caught = found.result()
            print(f"{caught.name:36} {caught.by or 'NOTHING':34} {caught.seconds:5.1f}  {caught.words}", flush=True)
            if found is plain and caught.by:
                pool.shutdown(cancel_futures=True)
                print(f"Without a bug, {caught.by} fails as well: {caught.detail}")
                return 2
            survived += found is not plain and not caught.by
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
