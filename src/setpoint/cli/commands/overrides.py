"""pin, unpin, hold, resume, rollback, retry: override what Setpoint would do by default."""

from __future__ import annotations

import click

from setpoint.cli.options import instance_argument, release_option, target_argument, why_option
from setpoint.cli.orders import Ending, done, ending_options, until_words
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, acting_options
from setpoint.model.names import short_name


@click.command()
@instance_argument
@click.argument("version", help="Version that was released to the instance.")
@release_option
@why_option
@ending_options
@acting_options
def pin(target: str, version: str, release: int, why: str, ending: Ending, session: Acting) -> None:
    """Keep an instance at one version. Its gates still apply.

    Example: setpoint pin web@production 1.4.1 --why "customer demo"
    """
    payload = {"target": target, "version": version, "release": release, "why": why, **ending.fields()}
    answer = session.command("pin", payload)

    def table() -> None:
        what = f"{target} to {answer['version']} (release {answer['release']})"
        ends = until_words(answer["until"]) or f" until `setpoint unpin {target}`"
        if answer["unchanged"]:
            echo(f"Nothing to change: {what.replace(' to ', ' is already pinned to ', 1)}{ends}.")
        else:
            echo(f"Pinned {what}{ends}.")

    session.show(answer, table)


@click.command()
@target_argument
@why_option
@acting_options
def unpin(target: str, why: str, session: Acting) -> None:
    """End a pin: the instance follows its releases again.

    Example: setpoint unpin web@production
    """
    _act("unpin", "Unpinned", target, why, session)


@click.command()
@target_argument
@why_option
@ending_options
@acting_options
def hold(target: str, why: str, ending: Ending, session: Acting) -> None:
    """Suspend automation for instances: no new attempt starts, drift is still repaired.

    Example: setpoint hold production --why "investigating" --for 2h
    """
    answer = session.command("hold", {"target": target, "why": why, **ending.fields()})
    session.show(answer, lambda: echo("\n".join(done(answer, "Held"))))


@click.command()
@target_argument
@click.option(
    "--release",
    type=click.IntRange(min=0),
    default=0,
    help="Release that stopped in a group. Default: the newest one that stopped.",
)
@why_option
@acting_options
def resume(target: str, release: int, why: str, session: Acting) -> None:
    """End a hold, reset a circuit breaker, or continue a release that stopped in a group.

    Example: setpoint resume production
    """
    answer = session.command("resume", {"target": target, "release": release, "why": why})

    def table() -> None:
        if answer["release"]:
            echo(f"Release {answer['release']} continues in {target}.")
        else:
            echo(f"Resumed {', '.join(short_name(one) for one in answer['instances'])}.")

    session.show(answer, table)


def _act(name: str, done: str, target: str, why: str, session: Acting) -> None:
    answer = session.command(name, {"target": target, "why": why})
    session.show(answer, lambda: echo(f"{done} {', '.join(short_name(one) for one in answer['instances'])}."))


@click.command()
@target_argument
@click.argument("version", required=False, default="", help="Version that was good there. Default: the last good version.")
@why_option
@acting_options
def rollback(target: str, version: str, why: str, session: Acting) -> None:
    """Roll back immediately, without gates. The instance is held until `setpoint resume`.

    Example: setpoint rollback web@production --why "errors at checkout"
    """
    answer = session.command("rollback", {"target": target, "version": version, "why": why})

    def table() -> None:
        for instance, name in answer["instances"].items():
            place = short_name(instance)
            echo(f"Rolling back {place} to {name}. It is held: end this with\n\n  setpoint resume {place}\n")
        for sentence in answer["refused"].values():
            echo(sentence)

    session.show(answer, table)


@click.command()
@target_argument
@click.option(
    "--release", type=click.IntRange(min=0), default=0, help="Number of the release. Default: the newest one that failed there."
)
@click.option(
    "--succeeded", is_flag=True, help="Record a task as succeeded that failed or whose result is unknown. It is not run again."
)
@why_option
@acting_options
def retry(target: str, release: int, succeeded: bool, why: str, session: Acting) -> None:
    """Retry a release that failed, was rejected or was rolled back, or a task that failed.

    Example: setpoint retry web@staging
    """
    answer = session.command("retry", {"target": target, "release": release, "succeeded": succeeded, "why": why})

    def table() -> None:
        for instance, number in answer["instances"].items():
            place = short_name(instance)
            echo(f"Release {number} continues at {place}." if succeeded else f"Retrying release {number} at {place}.")

    session.show(answer, table)
