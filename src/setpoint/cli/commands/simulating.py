"""simulate: search for a schedule that breaks an invariant, of the engine or of a configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Output, output_option
from setpoint.cli.session import show

if TYPE_CHECKING:
    from setpoint.simulate.search.seeds import Tally

SEEDS = "0..100"


@click.command()
@click.argument(
    "directory",
    required=False,
    type=click.Path(path_type=Path),
    help="Directory with your *.setpoint.yaml files. Default: generated configurations.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Simulate this seed only. The result is reproducible.")
@click.option("--seeds", default=SEEDS, show_default=True, help="Range of seeds: first..last, the last not included.")
@click.option("--case", type=click.Path(path_type=Path), help="Replay a saved case.")
@click.option("--jobs", "-j", type=click.IntRange(min=0), default=0, help="Number of processes. Default: 0, one per core.")
@click.option("--keep-going", is_flag=True, help="Continue after a failure, and list every failure.")
@click.option(
    "--shrink",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds to search for the shortest schedule of a failure.",
)
@click.option("--save", type=click.Path(path_type=Path), help="File to save the schedule of a failure to.")
@output_option
def simulate(
    directory: Path | None,
    seed: int | None,
    seeds: str,
    case: Path | None,
    jobs: int,
    keep_going: bool,
    shrink: float,
    save: Path | None,
    output: Output,
) -> None:
    """Search for a schedule that breaks an invariant. Needs no engine.

    Runtimes and checks are simulated. Messages, the engine, effects and clocks fail, and people act at the worst moment.
    With DIRECTORY, your configuration and your invariants are tested.

    Example: setpoint simulate config/ --seeds 0..500
    """
    from setpoint.cli.render import simulation  # noqa: PLC0415 - loads rich

    if case is not None:
        simulation.replay(case)
        return
    first, last = (seed, seed + 1) if seed is not None else _range(seeds)
    where = _checked(directory)
    total, seconds, finished = simulation.searched(first, last, jobs, where, keep_going=keep_going)
    show(simulation.as_data(total, seconds, finished), output, lambda: simulation.summary(total, seconds, finished))
    if total.broken:
        _broken(total, where, shrink, save, output)


def _broken(total: Tally, where: str, seconds: float, save: Path | None, output: Output) -> None:
    from setpoint.cli.render import simulation  # noqa: PLC0415 - loads rich

    found, name, _ = min(total.broken)
    if output is Output.TABLE:
        simulation.story(found, where, seconds, save)
    again = f"setpoint simulate {where + ' ' if where else ''}--seed {found}"
    raise Quit(ExitCode.FAILED, f"{name} is violated with seed {found}.", f"Repeat it with `{again}`.")


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)\.\.(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        hint = "Write first..last, such as --seeds 0..100. The last seed is not included."
        raise Quit(ExitCode.ERROR, f"--seeds {text} is not a valid range of seeds.", hint)
    return int(found[1]), int(found[2])


def _checked(directory: Path | None) -> str:
    """Return the directory. Raises Quit unless its configuration is valid and has instances."""
    if directory is None:
        return ""
    from setpoint.config.compile import check, load  # noqa: PLC0415 - loads the configuration language

    problems = check(directory)
    if problems:
        details = [str(one) for one in problems]
        raise Quit(ExitCode.ERROR, f"{directory} has errors. Nothing was simulated.", "Correct them first.", details)
    if not load(directory).all_instances:
        raise Quit(ExitCode.ERROR, f"{directory} has no service in a channel: there is nothing to simulate.")
    return str(directory)
