"""mark-bad, mark-good, cancel, promote: a person's word on versions and releases."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Alone, App, Target, Why, grouped
from setpoint.cli.output import echo
from setpoint.cli.session import Acting

Version = Annotated[str, typer.Argument(metavar="SERVICE=VERSION", help="Such as web=1.4.2.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("mark-bad")(grouped(mark_bad))
    app.command("mark-good")(grouped(mark_good))
    app.command("cancel")(grouped(cancel))
    app.command("promote")(grouped(promote))


def mark_bad(version: Version, app: App = "", why: Why = "", *, session: Acting) -> None:
    """Mark a version bad: its rollouts fail, nothing selects it any more.

    Example: setpoint mark-bad web=1.4.2 --why "loses orders"
    """
    answer = _mark("mark-bad", version, app, why, session)
    name = f"{answer['service']} {answer['version']}"
    session.show(
        answer,
        lambda: echo(
            f"Nothing to change: {name} is marked bad already."
            if answer["unchanged"]
            else f"{name} is bad: nothing selects it; where it is finalized it stays."
        ),
    )


def mark_good(version: Version, app: App = "", why: Why = "", *, session: Acting) -> None:
    """Take a bad mark away, and lift the version's vetoes everywhere.

    Example: setpoint mark-good web=1.4.2 --why "it was the network"
    """
    answer = _mark("mark-good", version, app, why, session)
    session.show(answer, lambda: echo(f"{answer['service']} {answer['version']} is good again; its vetoes are lifted."))


def _mark(name: str, version: str, app: str, why: str, session: Acting) -> dict[str, str]:
    service, equals, wanted = version.partition("=")
    if not equals or not service or not wanted:
        raise Quit(ExitCode.ERROR, f'"{version}" names no version.', "Write SERVICE=VERSION, such as web=1.4.2.")
    return session.command(name, {"service": service, "version": wanted, "application": app, "why": why})


def cancel(
    release: Annotated[int, typer.Argument(min=1, help="Number of the release.")],
    app: App = "",
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Cancel a release: what waits ends, what rolls out goes back.

    Example: setpoint cancel 12 --why "wrong branch"
    """
    answer = session.command("cancel", {"release": release, "application": app, "why": why})
    session.show(answer, lambda: echo(f"Release {release} is cancelled; where it is finalized it stays."))


def promote(
    target: Target,
    version: Annotated[str, typer.Argument(help="Without it: what the channel before has finalized.")] = "",
    alone: Alone = False,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Bring to a channel what the one before it has finalized, now; its gates are asked as ever.

    Example: setpoint promote production
    """
    answer = session.command("promote", {"target": target, "version": version, "alone": alone, "why": why})
    names = ", ".join(f"{service} {name}" for service, name in answer["services"].items())
    session.show(answer, lambda: echo(f"Release {answer['release']} brings {names} to {target}."))
