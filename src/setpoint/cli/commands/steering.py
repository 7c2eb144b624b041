"""pin, unpin, hold, resume, rollback, retry: a person's hand on the wheel."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.options import For, Format, Home, Instance, Link, Output, ReleaseNumber, Target, Token, Until, Why
from setpoint.cli.orders import done, ending, until_words
from setpoint.cli.rehearsal import acting
from setpoint.cli.session import command, show


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for function in (pin, unpin, hold, resume, rollback, retry):
        app.command()(acting(function))


def pin(
    target: Instance,
    version: Annotated[str, typer.Argument(help="A version that was released to it.")],
    release: ReleaseNumber = 0,
    why: Why = "",
    until: Until = "",
    lasts: For = "",
    link: Link = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Keep an instance at exactly one version; its gates are still asked.

    Example: setpoint pin web@production 1.4.1 --why "customer demo"
    """
    payload = {"target": target, "version": version, "release": release, "why": why, **ending(until, lasts, link)}
    answer = command(home, token, "pin", payload)

    def table() -> None:
        what = f"{target} to {answer['version']} (release {answer['release']})"
        ends = until_words(answer["until"]) or f" until `setpoint unpin {target}`"
        if answer["unchanged"]:
            typer.echo(f"Nothing to change: {what.replace(' to ', ' is pinned to ', 1)} already{ends}.")
        else:
            typer.echo(f"Pinned {what}{ends}.")

    show(answer, output, table)


def unpin(target: Target, why: Why = "", home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """Let selection decide again.

    Example: setpoint unpin web@production
    """
    _act("unpin", "Unpinned", target, why, home, token, output)


def hold(
    target: Target,
    why: Why = "",
    until: Until = "",
    lasts: For = "",
    link: Link = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Keep automation off: nothing new starts, what runs is still healed.

    Example: setpoint hold production --why "investigating" --for 2h
    """
    answer = command(home, token, "hold", {"target": target, "why": why, **ending(until, lasts, link)})
    show(answer, output, lambda: typer.echo("\n".join(done(answer, "Held"))))


def resume(
    target: Target,
    release: Annotated[
        int, typer.Option("--release", min=0, help="Of a group: the release that stopped; without it the newest that did.")
    ] = 0,
    why: Why = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """End a hold, reset a tripped breaker, or let a release go on that stopped in a group.

    Example: setpoint resume production
    """
    answer = command(home, token, "resume", {"target": target, "release": release, "why": why})

    def table() -> None:
        if answer["release"]:
            typer.echo(f"Release {answer['release']} goes on in {target}.")
        else:
            typer.echo(f"Resumed {', '.join(one.partition('/')[2] for one in answer['instances'])}.")

    show(answer, output, table)


def _act(name: str, done: str, target: str, why: str, home: Home, token: str, output: Output) -> None:
    answer = command(home, token, name, {"target": target, "why": why})
    show(answer, output, lambda: typer.echo(f"{done} {', '.join(one.partition('/')[2] for one in answer['instances'])}."))


def rollback(
    target: Target,
    version: Annotated[str, typer.Argument(help="A version that was good there; without it the last good one.")] = "",
    why: Why = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Go back at once, past every gate; it stays held until `setpoint resume`.

    Example: setpoint rollback web@production --why "errors at checkout"
    """
    answer = command(home, token, "rollback", {"target": target, "version": version, "why": why})

    def table() -> None:
        for instance, name in answer["instances"].items():
            short = instance.partition("/")[2]
            typer.echo(f"{short} goes back to {name} and is held; let it go on with `setpoint resume {short}`.")
        for sentence in answer["refused"].values():
            typer.echo(sentence)

    show(answer, output, table)


def retry(
    target: Target,
    release: Annotated[
        int, typer.Option("--release", min=0, help="Number of the release; without it the newest that failed there.")
    ] = 0,
    succeeded: Annotated[
        bool, typer.Option("--succeeded", help="A task that failed, or whose end nobody saw, did succeed: it is not run again.")
    ] = False,
    why: Why = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Try a release again that failed, was rejected or was rolled back, or a task that failed.

    Example: setpoint retry web@staging
    """
    answer = command(home, token, "retry", {"target": target, "release": release, "succeeded": succeeded, "why": why})

    def table() -> None:
        for instance, number in answer["instances"].items():
            does = "goes on, for its task succeeded," if succeeded else "is tried again"
            typer.echo(f"Release {number} {does} at {instance.partition('/')[2]}.")

    show(answer, output, table)
