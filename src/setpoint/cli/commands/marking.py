"""mark-bad, mark-good, cancel, promote: change what happens to a version or a release."""

from __future__ import annotations

import click

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import alone_option, app_option, target_argument, why_option
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, acting_options


@click.command("mark-bad")
@click.argument("version", metavar="SERVICE=VERSION", help="Service and version, such as web=1.4.2.")
@app_option
@why_option
@acting_options
def mark_bad(version: str, app: str, why: str, session: Acting) -> None:
    """Mark a version bad: its rollouts fail, and no instance selects it again.

    Example: setpoint mark-bad web=1.4.2 --why "loses orders"
    """
    answer = _mark("mark-bad", version, app, why, session)
    name = f"{answer['service']} {answer['version']}"
    session.show(
        answer,
        lambda: echo(
            f"Nothing to change: {name} is already marked bad."
            if answer["unchanged"]
            else f"{name} is marked bad: no instance selects it. Instances that have finalized it keep it."
        ),
    )


@click.command("mark-good")
@click.argument("version", metavar="SERVICE=VERSION", help="Service and version, such as web=1.4.2.")
@app_option
@why_option
@acting_options
def mark_good(version: str, app: str, why: str, session: Acting) -> None:
    """Remove the bad mark of a version, and allow it again where it failed.

    Example: setpoint mark-good web=1.4.2 --why "it was the network"
    """
    answer = _mark("mark-good", version, app, why, session)
    session.show(
        answer,
        lambda: echo(
            f"{answer['service']} {answer['version']} is no longer marked bad. Instances where it failed may try it again."
        ),
    )


def _mark(name: str, version: str, app: str, why: str, session: Acting) -> dict[str, str]:
    service, equals, wanted = version.partition("=")
    if not equals or not service or not wanted:
        raise Quit(ExitCode.ERROR, f'"{version}" is not a version.', "Write SERVICE=VERSION, such as web=1.4.2.")
    return session.command(name, {"service": service, "version": wanted, "application": app, "why": why})


@click.command("cancel")
@click.argument("release", type=click.IntRange(min=1), help="Number of the release.")
@app_option
@why_option
@acting_options
def cancel(release: int, app: str, why: str, session: Acting) -> None:
    """Cancel a release: waiting attempts end, and rollouts are rolled back.

    Example: setpoint cancel 12 --why "wrong branch"
    """
    answer = session.command("cancel", {"release": release, "application": app, "why": why})
    session.show(answer, lambda: echo(f"Release {release} is cancelled. Instances that have finalized it keep it."))


@click.command("promote")
@target_argument
@click.argument("version", required=False, default="", help="Version. Default: the one that the previous channel has finalized.")
@alone_option
@why_option
@acting_options
def promote(target: str, version: str, alone: bool, why: str, session: Acting) -> None:
    """Release to a channel what the previous channel has finalized. Its gates still apply.

    Example: setpoint promote production
    """
    answer = session.command("promote", {"target": target, "version": version, "alone": alone, "why": why})
    names = ", ".join(f"{service} {name}" for service, name in answer["services"].items())
    session.show(answer, lambda: echo(f"Release {answer['release']} promotes {names} to {target}."))
