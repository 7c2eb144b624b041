"""status, explain: what is so, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from setpoint.cli.options import App, Format, Home, Instance, Output, Token
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
    target: Instance,
    origins: Annotated[bool, typer.Option("--origins", help="Show the file and line that each value came from.")] = False,
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Show every reason why an instance is not where it should be, and what would unblock it.

    Example: setpoint explain web@production
    """
    answer = query(home, token, "explain", {"target": target})

    def table() -> None:
        from setpoint.cli.render import explain as page  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - as above

        say(*page.lines(answer, width(), origins=origins))

    show(answer, output, table)
