"""check: one protection, run by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.options import ReleaseNumber, grouped
from setpoint.cli.session import Session

Check = Annotated[str, typer.Argument(help="Name of the gate as `setpoint explain` shows it, or of its protection.")]
For = Annotated[str, typer.Option("--for", help="The instance: service@channel or application/service@channel.")]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(grouped(check))


def check(
    name: Check,
    target: For,
    release: ReleaseNumber = 0,
    *,
    session: Session,
) -> None:
    """Run one check by hand, as the engine would, and show how its result would count; no gate receives it.

    Example: setpoint check smoke-test --for web@staging
    """
    answer = session.command("check", {"gate": name, "target": target, "release": release})

    def table() -> None:
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.trials import check_lines  # noqa: PLC0415 - as above

        say(*check_lines(answer, width()))

    session.show(answer, table)
