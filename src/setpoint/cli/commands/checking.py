"""check: run one protection by hand."""

from __future__ import annotations

import click

from setpoint.cli.options import release_option
from setpoint.cli.session import Session, session_options


@click.command()
@click.argument("name", help="Name of the gate as in `setpoint explain`, or of its protection.")
@click.option("--for", "target", required=True, help="Instance: service@channel or application/service@channel.")
@release_option
@session_options
def check(name: str, target: str, release: int, session: Session) -> None:
    """Run one check as the engine would, and show how its result would count. The result changes nothing.

    Example: setpoint check smoke-test --for web@staging
    """
    answer = session.command("check", {"gate": name, "target": target, "release": release})

    def table() -> None:
        from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.trials import check_lines  # noqa: PLC0415 - as above

        print_lines(*check_lines(answer, width()))

    session.show(answer, table)
