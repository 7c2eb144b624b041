"""status, explain: what is so, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from setpoint.cli import completions
from setpoint.cli.options import App, Format, Home, Output, Token
from setpoint.cli.session import connected, query, show


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(status)
    app.command()(explain)


def status(
    target: Annotated[str, typer.Argument(help="Only this instance, channel or group; without it everything.")] = "",
    app: App = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Show every converged channel, however many.")] = False,
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Show what runs where, what is wanted, and what is waited for.

    Example: setpoint status --watch
    """
    payload = {"target": target, "application": app}
    if watch:
        _watch(payload, home, token, everything=everything)
        return
    answer = query(home, token, "status", payload)
    show(answer, output, lambda: _print(answer, everything=everything))


def _print(answer: dict[str, Any], *, everything: bool) -> None:
    from setpoint.cli.render import status as screen  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

    say(*screen.lines(answer, width(), everything=everything))


def _watch(payload: dict[str, Any], home: Home, token: str, *, everything: bool) -> None:
    from setpoint.cli.render import status as screen  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.live import follow  # noqa: PLC0415 - as above

    with connected(home, token) as client:
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
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Show every reason why an instance is not where it should be; of many, what holds them up, and what would unblock it.

    Example: setpoint explain web@production
    """
    if "@" not in target:
        _roll_up(target, home, token, output, everyone=everyone)
        return
    answer = query(home, token, "explain", {"target": target})

    def table() -> None:
        from setpoint.cli.render import explain as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

        say(*page.lines(answer, width(), origins=origins))

    show(answer, output, table)


def _roll_up(target: str, home: Home, token: str, output: Output, *, everyone: bool) -> None:
    answer = query(home, token, "rollup", {"target": target})

    def table() -> None:
        from setpoint.cli.render import rollup as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

        say(*page.lines(answer, width(), everyone=everyone))

    show(answer, output, table)
