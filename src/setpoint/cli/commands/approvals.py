"""approve, reject, skip: what only a person can say."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.options import ReleaseNumber, Target, Why, grouped, one_line
from setpoint.cli.orders import Ending, until_words
from setpoint.cli.output import echo
from setpoint.cli.session import Acting
from setpoint.model.names import short_name

Topic = Annotated[str, typer.Argument(help="The topic; without it every one that you may answer.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(approve))
    app.command()(grouped(reject))
    app.command()(grouped(skip))


def approve(
    target: Target,
    topic: Topic = "",
    release: ReleaseNumber = 0,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Say yes to a release that waits for an approval.

    Example: setpoint approve web@production
    """
    _vote("approve", target, topic, release, why, session)


def reject(
    target: Target,
    topic: Topic = "",
    release: ReleaseNumber = 0,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Say no to a release: it is not brought there.

    Example: setpoint reject production --why "not before the audit"
    """
    _vote("reject", target, topic, release, why, session)


def _vote(name: str, target: str, topic: str, release: int, why: str, session: Acting) -> None:
    answer = session.command(name, {"target": target, "topic": topic, "release": release, "why": why})

    def table() -> None:
        verb = "Approved" if answer["yes"] else "Rejected"
        places = ", ".join(short_name(one) for one in answer["instances"] if one not in answer["also"])
        releases = " and ".join(str(number) for number in answer["releases"])
        what = f"release{'s' if len(answer['releases']) > 1 else ''} {releases}"
        echo(f"{verb} {what} for {', '.join(answer['topics'])} at {places}.")
        if answer["also"]:
            echo(f"It counts also for {', '.join(short_name(one) for one in answer['also'])}.")
        for sentence in answer["decided"].values():
            echo(f"Nothing to change: {sentence}.")

    session.show(answer, table)


def skip(
    target: Target,
    gate: Annotated[str, typer.Argument(help="Name of the gate as `setpoint explain` shows it, or * for all before deployment.")],
    why: Annotated[str, typer.Option("--why", callback=one_line, help="The reason; required, for it stays in the history.")],
    release: ReleaseNumber = 0,
    *,
    ending: Ending,
    session: Acting,
) -> None:
    """Let one gate of one release not count.

    Example: setpoint skip web@production alerts-not-firing --why "false alarm, see INC-42"
    """
    payload = {"target": target, "gate": gate, "why": why, "release": release, **ending.fields()}
    answer = session.command("skip", payload)

    def table() -> None:
        for instance, number in answer["instances"].items():
            place = short_name(instance)
            echo(f"Skipped {answer['gate']} for release {number} at {place}{until_words(answer['until'])}.")
        for sentence in answer["decided"].values():
            echo(f"Nothing to change: {sentence}.")

    session.show(answer, table)
