"""Which test runs which lines of the mutated files, and how long it takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any


@dataclass(frozen=True)
class Reached:
    """What one test ran."""

    test: str
    seconds: float
    lines: dict[str, set[int]] = field(default_factory=dict)
    """File -> lines."""


@contextmanager
def traced(files: dict[str, str], lines: dict[str, set[int]]) -> Iterator[None]:
    """Note the lines run of these files (absolute path -> name) while the block lasts."""
    tracers = {path: _tracer(lines.setdefault(name, set())) for path, name in files.items()}

    def entered(frame: FrameType, event: str, argument: Any) -> Any:
        tracer = tracers.get(frame.f_code.co_filename)
        return tracer(frame, event, argument) if tracer else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield
    finally:
        sys.settrace(before)


def _tracer(found: set[int]) -> Callable[[FrameType, str, Any], Any]:
    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        found.add(frame.f_lineno)
        return trace

    return trace


def reached(test: str, files: dict[str, str], run: Callable[[], object]) -> Reached:
    """Run a test and say what it reached."""
    lines: dict[str, set[int]] = {}
    began = time.process_time()
    with traced(files, lines):
        run()
    return Reached(test, time.process_time() - began, {name: found for name, found in lines.items() if found})


def choose(reach: list[Reached], file: str, lines: frozenset[int]) -> list[str]:
    """Tests that run any of these lines, the quickest first."""
    found = [each for each in reach if not lines.isdisjoint(each.lines.get(file, ()))]
    return [each.test for each in sorted(found, key=lambda each: each.seconds)]
