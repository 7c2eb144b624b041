"""What simulated worlds came to: progress, the sum of it, and the story of a failure."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.render.console import err, out, print_lines
from setpoint.model.time import approximate_duration
from setpoint.simulate.scenario import failure
from setpoint.simulate.search import cases
from setpoint.simulate.search.seeds import ENDS, Tally, plan_of, search
from setpoint.simulate.search.shrinking import shrink
from setpoint.simulate.search.timeline import render

_EVERY = 60.0
"""Seconds between two lines of progress where no bar can be shown."""


def searched(first: int, last: int, jobs: int, where: str, *, keep_going: bool = False) -> tuple[Tally, float, bool]:
    """(what was found, seconds, whether all seeds were run); a failure, SIGINT and SIGTERM end it."""
    total, began, finished = Tally(), time.monotonic(), True
    with _interruptions() as came, _progress(last - first) as advance:
        try:
            for tally in search(first, last, jobs or os.cpu_count() or 1, where):
                total.add(tally)
                advance(total)
                if came or (total.broken and not keep_going):
                    finished = not came
                    break
        except KeyboardInterrupt:
            finished = False
    return total, time.monotonic() - began, finished


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Signals that came: raised, and noted as well, for what is raised inside of a finalizer of Python's own is lost."""
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(worlds: int) -> Iterator[Callable[[Tally], None]]:
    """Show a progress bar on standard error, or without a terminal a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines(worlds).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        task = progress.add_task("worlds", total=worlds)
        yield lambda total: progress.update(task, completed=total.seeds, description=f"worlds · {_so_far(total)}")


class _Lines:
    def __init__(self, worlds: int) -> None:
        self._worlds = worlds
        self._began = self._printed = time.monotonic()

    def advance(self, total: Tally) -> None:
        now = time.monotonic()
        if now - self._printed < _EVERY:
            return
        self._printed = now
        left = approximate_duration(int(1000 * (now - self._began) / total.seeds * (self._worlds - total.seeds)))
        err().print(f"{total.seeds:,} of {self._worlds:,} worlds · {_so_far(total)} · about {left} left", highlight=False)


def _so_far(total: Tally) -> str:
    broken = f" · {len(total.broken)} broken" if total.broken else ""
    return f"{total.decisions:,} decisions{broken}"


def as_data(total: Tally, seconds: float, finished: bool) -> dict[str, Any]:
    """Return the result for JSON and YAML."""
    return {
        "seeds": total.seeds,
        "finished": finished,
        "seconds": round(seconds, 1),
        "decisions": total.decisions,
        "virtualHours": total.lived // 3_600_000,
        "faults": total.faults,
        "fewestFaults": total.fewest or 0,
        "attempts": {end: total.outcomes[end] for end in ENDS},
        "evaluated": dict(sorted(total.preconditions.items())),
        "transitions": {f"{before} -> {after}": count for (before, after), count in sorted(total.moves.items())},
        "transitionsMissing": [f"{before} -> {after}" for before, after in total.missing],
        "broken": [{"seed": seed, "invariant": name, "complaint": text} for seed, name, text in sorted(total.broken)],
    }


def summary(total: Tally, seconds: float, finished: bool) -> None:
    """Print how much was explored, how attempts ended, and how often each invariant was evaluated."""
    rate = total.decisions / max(seconds, 0.001)
    lived = approximate_duration(total.lived)
    per = f", {total.fewest} in the world that had fewest" if total.fewest is not None else ""
    stopped = "" if finished else Text(" (interrupted)", "yellow")
    print_lines(
        Text.assemble((f"{total.seeds:,} worlds", "bold"), stopped, f" in {seconds:,.0f} s: {total.decisions:,} decisions "),
        f"  {rate:,.0f} decisions a second; {lived} of virtual time",
        f"  {total.faults:,} faults that changed something{per}",
        f"  {total.attempts:,} attempts: {_shares(total)}",
    )
    table = Table("invariant", "evaluated", box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="bold")
    table.columns[1].justify = "right"
    for name, count in total.preconditions.most_common():
        table.add_row(name, f"{count:,}")
    out().print(table)
    print_lines(_transitions(total))
    if not total.broken:
        print_lines(Text("✓ nothing broken", "green"))
    for seed, _, complaint in sorted(total.broken):
        print_lines(Text.assemble((f"✗ seed {seed:,}", "red"), f" · {complaint}"))


def _transitions(total: Tally) -> Text:
    """Return whether every legal transition of an attempt occurred."""
    if not total.missing:
        return Text(f"  all {len(total.moves)} legal transitions of an attempt occurred")
    missing = ", ".join(f"{before} → {after}" for before, after in total.missing)
    return Text(f"  {len(total.moves)} legal transitions of an attempt occurred, and not: {missing}")


def _shares(total: Tally) -> str:
    if not total.attempts:
        return "none ended"
    return ", ".join(f"{total.outcomes[end] / total.attempts:.0%} {end}" for end in ENDS if total.outcomes[end])


def story(seed: int, where: str, seconds: float, save: Path | None) -> None:
    """The shortest story of a failing seed that could be found in so many seconds, printed and perhaps saved."""
    found = shrink(plan_of(seed, where), seconds)
    if found is None:
        return
    scenario, broken = failure(found.plan)
    text = render(scenario, broken)
    acts, faults = found.after
    before = f"{found.before[0]} acts and {found.before[1]} faults before, {found.tries} tries"
    print_lines(
        Text(f"\n{found.broken.name} is violated: {acts} acts and {faults} faults ({before})", "bold"),
        Text(text),
        "",
    )
    if save is not None:
        cases.write(save, found.plan, found.broken.name, text)
        print_lines(f"Saved as {save}; again: setpoint simulate --case {save}")


def replay(path: Path) -> None:
    """Replay a saved case, and print the result."""
    try:
        plan, invariant = cases.read(path)
    except cases.CaseError as error:
        raise Quit(ExitCode.ERROR, str(error), "Cases are written by setpoint simulate --save FILE.") from error
    scenario, broken = failure(plan)
    print_lines(Text(render(scenario, broken)), "")
    if broken is not None:
        raise Quit(ExitCode.FAILED, f"{broken.name} does not hold in {path}.")
    print_lines(Text(f"✓ {path} holds; it once broke {invariant}", "green"))
