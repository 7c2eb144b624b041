"""invariants: what must always be so, and whether it is."""

from __future__ import annotations

import typer

from setpoint.cli.options import grouped
from setpoint.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(invariants))


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
