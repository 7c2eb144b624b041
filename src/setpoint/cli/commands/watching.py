"""status, explain, invariants: what is so, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from setpoint.cli import completions
from setpoint.cli.options import App, grouped
from setpoint.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(status))
    app.command()(grouped(explain))
    app.command()(grouped(invariants))


def status(
    target: Annotated[str, typer.Argument(help="Only this instance, channel or group; without it everything.")] = "",
    app: App = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Show every converged channel, however many.")] = False,
    *,
    session: Session,
) -> None:
    """Show what runs where, what is wanted, and what is waited for.

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
    from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

    say(*screen.lines(answer, width(), everything=everything))


def _watch(payload: dict[str, Any], session: Session, *, everything: bool) -> None:
    from setpoint.cli.render import status as screen  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.live import follow  # noqa: PLC0415 - as above

    with session.connected() as client:
        follow(
            lambda columns: (screen.lines(client.query("status", payload), columns, everything=everything), False), screen=True
        )


def explain(
    target: Annotated[
        str,
        typer.Argument(
            help="service@channel for all of its reasons; an application, channel or group – without it everything – "
            "for what holds up those in it.",
            autocompletion=completions.targets,
        ),
    ] = "",
    everyone: Annotated[bool, typer.Option("--all", "-a", help="Name everybody who is held up, however many.")] = False,
    origins: Annotated[bool, typer.Option("--origins", help="Show the file and line that each value came from.")] = False,
    *,
    session: Session,
) -> None:
    """Show every reason why an instance is not where it should be; of many, what holds them up, and what would unblock it.

    Example: setpoint explain web@production
    """
    if "@" not in target:
        _roll_up(target, session, everyone=everyone)
        return
    answer = session.query("explain", {"target": target})

    def table() -> None:
        from setpoint.cli.render import explain as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

        say(*page.lines(answer, width(), origins=origins))

    session.show(answer, table)


def _roll_up(target: str, session: Session, *, everyone: bool) -> None:
    answer = session.query("rollup", {"target": target})

    def table() -> None:
        from setpoint.cli.render import rollup as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

        say(*page.lines(answer, width(), everyone=everyone))

    session.show(answer, table)


def invariants(*, session: Session) -> None:
    """Show the Invariant documents: which of them hold, and what violates the others.

    Example: setpoint invariants
    """
    answer = session.query("invariants")

    def table() -> None:
        from rich.text import Text  # noqa: PLC0415 - loads rich

        from setpoint.cli.render.console import say, width, wrapped  # noqa: PLC0415 - as above
        from setpoint.cli.render.words import clock, plural  # noqa: PLC0415 - as above

        if not answer["invariants"]:
            say(Text("None.", "dim"))
        for one in answer["invariants"]:
            sign, style = ("✓", "green") if one["holds"] else ("✗", "bold red")
            text = f"{one['select']}, {plural(one['instances'], 'instance')}{', stops the line' if one['stops'] else ''}"
            say(wrapped(text, first=Text(f"{sign} ", style).append(f"{one['name']}  ", "bold"), columns=width()))
            for violation in one["violations"]:
                said = f"{violation['text']}, since {clock(violation['since'])}"
                say(wrapped(said, first=Text("    "), columns=width()))

    session.show(answer, table)
