"""status, explain, invariants: the current state, and the reasons for it."""

from __future__ import annotations

from typing import Any

import click

from setpoint.cli import completions
from setpoint.cli.options import app_option
from setpoint.cli.session import Session, session_options


@click.command()
@click.argument("target", required=False, default="", help="Instance, channel or group. Default: everything.")
@app_option
@click.option("--watch", "-w", is_flag=True, help="Refresh until Ctrl-C.")
@click.option("--all", "-a", "everything", is_flag=True, help="Show every channel, even those at rest.")
@session_options
def status(target: str, app: str, watch: bool, everything: bool, session: Session) -> None:
    """Show the current, desired and pending version of each instance.

    Example: setpoint status --watch
    """
    payload = {"target": target, "application": app}
    if watch:
        _watch(payload, session, everything=everything)
        return
    answer = session.query("status", payload)
    session.show(answer, lambda: _print(answer, everything=everything))


def _print(answer: dict[str, Any], *, everything: bool) -> None:
    from setpoint.cli.render import status as screen  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - as above

    print_lines(*screen.lines(answer, width(), everything=everything))


def _watch(payload: dict[str, Any], session: Session, *, everything: bool) -> None:
    from setpoint.cli.render import status as screen  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.live import follow  # noqa: PLC0415 - as above

    with session.connected() as client:
        follow(
            lambda columns: (screen.lines(client.query("status", payload), columns, everything=everything), False), screen=True
        )


@click.command()
@click.argument(
    "target",
    required=False,
    default="",
    shell_complete=completions.targets,
    help="service@channel for every reason; an application, channel or group for a summary. Default: everything.",
)
@click.option("--all", "-a", "everyone", is_flag=True, help="Name every blocked instance.")
@click.option("--origins", is_flag=True, help="Show the file and line of each value.")
@session_options
def explain(target: str, everyone: bool, origins: bool, session: Session) -> None:
    """Explain why an instance is not at its desired version, and what would unblock it.

    Example: setpoint explain web@production
    """
    if "@" not in target:
        _roll_up(target, session, everyone=everyone)
        return
    answer = session.query("explain", {"target": target})

    def table() -> None:
        from setpoint.cli.render import explain as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - as above

        print_lines(*page.lines(answer, width(), origins=origins))

    session.show(answer, table)


def _roll_up(target: str, session: Session, *, everyone: bool) -> None:
    answer = session.query("rollup", {"target": target})

    def table() -> None:
        from setpoint.cli.render import rollup as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - as above

        print_lines(*page.lines(answer, width(), everyone=everyone))

    session.show(answer, table)


@click.command()
@session_options
def invariants(session: Session) -> None:
    """Show whether each invariant of the configuration holds, and what violates it.

    Example: setpoint invariants
    """
    answer = session.query("invariants")

    def table() -> None:
        from rich.text import Text  # noqa: PLC0415 - loads rich

        from setpoint.cli.render.console import print_lines, width, wrapped  # noqa: PLC0415 - as above
        from setpoint.cli.render.words import clock, plural  # noqa: PLC0415 - as above

        if not answer["invariants"]:
            print_lines(Text("None.", "dim"))
        for one in answer["invariants"]:
            sign, style = ("✓", "green") if one["holds"] else ("✗", "bold red")
            text = f"{one['select']}, {plural(one['instances'], 'instance')}{', freezes' if one['stops'] else ''}"
            print_lines(wrapped(text, first=Text(f"{sign} ", style).append(f"{one['name']}  ", "bold"), columns=width()))
            for violation in one["violations"]:
                line = f"{violation['text']}, since {clock(violation['since'])}"
                print_lines(wrapped(line, first=Text("    "), columns=width()))

    session.show(answer, table)
