"""Deliberate bugs and who catches them: ``python tests/mutants/run.py [-j 2] [NAME …]``.

Each ``*.patch`` here puts one bug into a copy of the package; its first line says the bug in words. The copy must not get through
the simulator, which checks every invariant, and the tests of the core. A bug that lies elsewhere names its tests in the second
line, as ``tests: tests/runtimes/test_adapter.py``; only those run. A copy without a bug must pass: else being caught means
nothing. Ends with 1 if a mutant survives, with 2 if the package as it is does not get through; with an error if a patch does not
apply.
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIRST = 8
"""Simulated worlds before the tests of the core are asked, which are quicker than many worlds."""
SEEDS = 60
"""Simulated worlds in all, asked last."""
TIMEOUT = 900
"""Seconds for each stage; one that takes longer counts as caught: without a bug none comes near."""
CONTROL = "(none)"


@dataclass(frozen=True)
class Caught:
    """What became of one mutant."""

    name: str
    words: str
    by: str
    """The invariant or test that failed; empty: it survived."""
    detail: str
    seconds: float


def patches() -> list[Path]:
    """Every mutant, by name."""
    return sorted(HERE.glob("*.patch"))


def words(patch: Path) -> str:
    """The bug in words."""
    return patch.read_text("utf-8").partition("\n")[0]


def tests_of(patch: Path) -> tuple[str, ...]:
    """The tests that the patch names in its second line; empty: the simulator and the tests of the core."""
    second = patch.read_text("utf-8").splitlines()[1]
    return tuple(second.removeprefix("tests:").split()) if second.startswith("tests:") else ()


def mutate(patch: Path | None, where: Path) -> None:
    """Put a copy of the package with this bug into a directory. Raises ValueError when the patch does not apply."""
    shutil.copytree(ROOT / "src/setpoint", where / "setpoint", ignore=shutil.ignore_patterns("__pycache__"))
    if patch is None:
        return
    command = ["git", "apply", "-p1", "-C1", str(patch)]
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(where.parent), "GIT_DIR": os.devnull}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{patch.name} does not apply: {done.stderr.strip()}")


def hunt(patch: Path | None, *, seeds: int = SEEDS, tests: bool = True) -> Caught:
    """Run one mutant until something catches it; None: the package as it is."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        where = Path(directory)
        mutate(patch, where)
        named = tests_of(patch) if patch else ()
        by, detail = _test(where, *named) if named else _hunt(where, seeds, tests)
    name, bug = (patch.stem, words(patch)) if patch else (CONTROL, "The package as it is.")
    return Caught(name, bug, by, detail, time.monotonic() - began)


def _hunt(where: Path, seeds: int, tests: bool) -> tuple[str, str]:
    by, detail = _simulate(where, 0, min(FIRST, seeds))
    if not by and tests:
        by, detail = _test(where, "tests/core")
    if not by and seeds > FIRST:
        by, detail = _simulate(where, FIRST, seeds)
    return by, detail


def _simulate(where: Path, first: int, last: int) -> tuple[str, str]:
    words = ("simulate", "--seeds", f"{first}..{last}", "--jobs", "1", "--shrink", "0", "--output", "json")
    code, output = _python(where, "-m", "setpoint.cli", *words)
    if not code:
        return "", ""
    try:
        broken = json.JSONDecoder().raw_decode(output)[0]["broken"][0]
    except (ValueError, KeyError, IndexError):
        return "raises", output.strip().rpartition("\n")[2]
    return broken["invariant"], f"seed {broken['seed']}: {broken['complaint']}"


def _test(where: Path, *tests: str) -> tuple[str, str]:
    code, output = _python(where, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests)
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
    """Print who caught what."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="mutants to run; none: all")
    parser.add_argument("-j", type=int, default=2, help="how many at once")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--no-tests", action="store_true", help="the simulator alone")
    options = parser.parse_args()
    chosen = [patch for patch in patches() if not options.names or patch.stem in options.names]
    survived = 0
    print(f"{'mutant':28} {'caught by':34} {'s':>5}  the bug")
    with ThreadPoolExecutor(options.j) as pool:
        hunts = pool.map(lambda patch: hunt(patch, seeds=options.seeds, tests=not options.no_tests), (None, *chosen))
        for caught in hunts:
            print(f"{caught.name:28} {caught.by or 'NOBODY':34} {caught.seconds:5.1f}  {caught.words}", flush=True)
            if caught.name == CONTROL and caught.by:
                pool.shutdown(cancel_futures=True)
                print(f"without a bug it does not get through either: {caught.by} {caught.detail}")
                return 2
            survived += not caught.by and caught.name != CONTROL
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
