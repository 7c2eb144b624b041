"""approve, reject, skip: the decisions of people."""

from __future__ import annotations

import click

from setpoint.cli.options import one_line, release_option, target_argument, why_option
from setpoint.cli.orders import Ending, ending_options, until_words
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, acting_options
from setpoint.model.names import short_name


@click.command()
@target_argument
@click.argument("topic", required=False, default="", help="Topic of the approval. Default: every topic that you may decide.")
@release_option
@why_option
@acting_options
def approve(target: str, topic: str, release: int, why: str, session: Acting) -> None:
    """Approve a release that is waiting for approval.

    Example: setpoint approve web@production
    """
    _vote("approve", target, topic, release, why, session)


@click.command()
@target_argument
@click.argument("topic", required=False, default="", help="Topic of the approval. Default: every topic that you may decide.")
@release_option
@why_option
@acting_options
def reject(target: str, topic: str, release: int, why: str, session: Acting) -> None:
    """Reject a release for an instance or a channel.

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


@click.command()
@target_argument
@click.argument("gate", help="Name of the gate as in `setpoint explain`, or * for every gate before deployment.")
@click.option("--why", required=True, callback=one_line, help="Reason, kept in the history. Required.")
@release_option
@ending_options
@acting_options
def skip(target: str, gate: str, why: str, release: int, ending: Ending, session: Acting) -> None:
    """Skip one gate for one release.

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
