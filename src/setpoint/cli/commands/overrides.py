"""pin, unpin, hold, resume, rollback, retry: a person's hand on the wheel."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.options import Instance, ReleaseNumber, Target, Why, grouped
from setpoint.cli.orders import Ending, done, until_words
from setpoint.cli.output import echo
from setpoint.cli.session import Acting
from setpoint.model.names import short_name


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for function in (pin, unpin, hold, resume, rollback, retry):
        app.command()(grouped(function))


def pin(
    target: Instance,
    version: Annotated[str, typer.Argument(help="A version that was released to it.")],
    release: ReleaseNumber = 0,
    why: Why = "",
    *,
    ending: Ending,
    session: Acting,
) -> None:
    """Keep an instance at exactly one version; its gates are still asked.

    Example: setpoint pin web@production 1.4.1 --why "customer demo"
    """
    payload = {"target": target, "version": version, "release": release, "why": why, **ending.fields()}
    answer = session.command("pin", payload)

    def table() -> None:
        what = f"{target} to {answer['version']} (release {answer['release']})"
        ends = until_words(answer["until"]) or f" until `setpoint unpin {target}`"
        if answer["unchanged"]:
            echo(f"Nothing to change: {what.replace(' to ', ' is pinned to ', 1)} already{ends}.")
        else:
            echo(f"Pinned {what}{ends}.")

    session.show(answer, table)


def unpin(target: Target, why: Why = "", *, session: Acting) -> None:
    """Let selection decide again.

    Example: setpoint unpin web@production
    """
    _act("unpin", "Unpinned", target, why, session)


def hold(
    target: Target,
    why: Why = "",
    *,
    ending: Ending,
    session: Acting,
) -> None:
    """Keep automation off: nothing new starts, what runs is still healed.

    Example: setpoint hold production --why "investigating" --for 2h
    """
    answer = session.command("hold", {"target": target, "why": why, **ending.fields()})
    session.show(answer, lambda: echo("\n".join(done(answer, "Held"))))


def resume(
    target: Target,
    release: Annotated[
        int, typer.Option("--release", min=0, help="Of a group: the release that stopped; without it the newest that did.")
    ] = 0,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """End a hold, reset a tripped breaker, or let a release go on that stopped in a group.

    Example: setpoint resume production
    """
    answer = session.command("resume", {"target": target, "release": release, "why": why})

    def table() -> None:
        if answer["release"]:
            echo(f"Release {answer['release']} goes on in {target}.")
        else:
            echo(f"Resumed {', '.join(short_name(one) for one in answer['instances'])}.")

    session.show(answer, table)


def _act(name: str, done: str, target: str, why: str, session: Acting) -> None:
    answer = session.command(name, {"target": target, "why": why})
    session.show(answer, lambda: echo(f"{done} {', '.join(short_name(one) for one in answer['instances'])}."))


def rollback(
    target: Target,
    version: Annotated[str, typer.Argument(help="A version that was good there; without it the last good one.")] = "",
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Go back at once, past every gate; it stays held until `setpoint resume`.

    Example: setpoint rollback web@production --why "errors at checkout"
    """
    answer = session.command("rollback", {"target": target, "version": version, "why": why})

    def table() -> None:
        for instance, name in answer["instances"].items():
            place = short_name(instance)
            echo(f"{place} goes back to {name} and is held; let it go on with `setpoint resume {place}`.")
        for sentence in answer["refused"].values():
            echo(sentence)

    session.show(answer, table)


def retry(
    target: Target,
    release: Annotated[
        int, typer.Option("--release", min=0, help="Number of the release; without it the newest that failed there.")
    ] = 0,
    succeeded: Annotated[
        bool, typer.Option("--succeeded", help="A task that failed, or whose end nobody saw, did succeed: it is not run again.")
    ] = False,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Try a release again that failed, was rejected or was rolled back, or a task that failed.

    Example: setpoint retry web@staging
    """
    answer = session.command("retry", {"target": target, "release": release, "succeeded": succeeded, "why": why})

    def table() -> None:
        for instance, number in answer["instances"].items():
            does = "goes on, for its task succeeded," if succeeded else "is tried again"
            echo(f"Release {number} {does} at {short_name(instance)}.")

    session.show(answer, table)
