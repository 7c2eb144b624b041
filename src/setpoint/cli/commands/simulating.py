"""simulate: worlds that try to break the engine, or a configuration of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Format, Output
from setpoint.cli.session import show

if TYPE_CHECKING:
    from setpoint.simulate.search.seeds import Tally

SEEDS = "0..100"


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(simulate)


def simulate(
    directory: Annotated[
        Path | None, typer.Argument(help="Directory with your *.setpoint.yaml files; without it all kinds of worlds are drawn.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Just this one: it replays exactly.")] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="From..to, the last one not included.")] = SEEDS,
    case: Annotated[Path | None, typer.Option("--case", help="Replay a saved case instead.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="How many at once; 0: one for each core.")] = 0,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Go on after a failure, and list them all.")] = False,
    shrink: Annotated[float, typer.Option("--shrink", min=0, help="Seconds to look for the shortest story of a failure.")] = 30.0,
    save: Annotated[Path | None, typer.Option("--save", help="Save the story of a failure as a case, in this file.")] = None,
    output: Format = Output.TABLE,
) -> None:
    """Search simulated worlds for a schedule that breaks an invariant; needs no engine.

    Runtimes and checks are models; deliveries, the engine, effects and clocks go wrong, and people act at the worst moment.
    With DIR it is your configuration that runs there, with your own invariants.

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
    raise Quit(ExitCode.FAILED, f"{name} does not hold in the world of seed {found}.", f"Again: {again}")


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)\.\.(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        hint = "Say it like --seeds 0..100: the last one is not included."
        raise Quit(ExitCode.ERROR, f"--seeds {text} is no range of seeds.", hint)
    return int(found[1]), int(found[2])


def _checked(directory: Path | None) -> str:
    """The directory, once its configuration is known to be in order and to have instances."""
    if directory is None:
        return ""
    from setpoint.config.compile import check, load  # noqa: PLC0415 - loads the configuration language

    problems = check(directory)
    if problems:
        details = [str(one) for one in problems]
        raise Quit(ExitCode.ERROR, f"{directory} is not in order; nothing was simulated.", "Mend it first.", details)
    if not load(directory).all_instances:
        raise Quit(ExitCode.ERROR, f"{directory} has no service in any channel; there is nothing to simulate.")
    return str(directory)
