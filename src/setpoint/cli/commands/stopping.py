"""stop-the-line, start-the-line, pause, unpause, observe, heal: suspend changes, everywhere or in a scope."""

from __future__ import annotations

from enum import StrEnum

import click

from setpoint.cli.options import target_argument, why_option
from setpoint.cli.orders import Ending, done, ending_options, until_words
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, acting_options


class InFlightMode(StrEnum):
    """What happens to rollouts in progress."""

    FINISH = "finish"
    PAUSE = "pause"


@click.command("stop-the-line")
@click.argument("scope", required=False, default="", help="Application, channel, group or runtime:NAME. Default: everything.")
@click.option(
    "--in-flight",
    type=click.Choice(InFlightMode, case_sensitive=False),
    default="finish",
    show_default=True,
    help="What happens to rollouts in progress.",
)
@why_option
@ending_options
@acting_options
def stop_the_line(scope: str, in_flight: InFlightMode, why: str, ending: Ending, session: Acting) -> None:
    """Freeze: start no new attempt. Rollbacks and drift repair continue.

    Example: setpoint stop-the-line --in-flight pause --for 4h --why "the network is being repaired"
    """
    done = "Frozen: {scope} ({instances} instances){ends}."
    more = {"in_flight": in_flight.value, **ending.fields()}
    _scope("stop-the-line", done, scope, why, session, **more)


@click.command("start-the-line")
@click.argument("scope", required=False, default="", help="Application, channel, group or runtime:NAME. Default: everything.")
@why_option
@acting_options
def start_the_line(scope: str, why: str, session: Acting) -> None:
    """End a freeze: new attempts may start again.

    Example: setpoint start-the-line
    """
    _scope("start-the-line", "No longer frozen: {scope} ({instances} instances).", scope, why, session)


@click.command()
@click.argument("scope", required=False, default="", help="Application, channel, group or runtime:NAME. Default: everything.")
@why_option
@ending_options
@acting_options
def pause(scope: str, why: str, ending: Ending, session: Acting) -> None:
    """Suspend all changes, including rollbacks. Deadlines are frozen.

    Example: setpoint pause runtime:local --why "new disks"
    """
    text = "Paused: {scope} ({instances} instances){ends}. End this with `setpoint unpause`."
    _scope("pause", text, scope, why, session, **ending.fields())


@click.command()
@click.argument("scope", required=False, default="", help="Application, channel, group or runtime:NAME. Default: everything.")
@why_option
@acting_options
def unpause(scope: str, why: str, session: Acting) -> None:
    """End a pause: changes continue.

    Example: setpoint unpause runtime:local
    """
    _scope("unpause", "No longer paused: {scope} ({instances} instances).", scope, why, session)


def _scope(name: str, done: str, scope: str, why: str, session: Acting, **more: str) -> None:
    answer = session.command(name, {"scope": scope, "why": why, **more})
    ends = until_words(answer["until"])
    text = "Nothing to change: {scope} is already in this state{ends}." if answer["unchanged"] else done
    session.show(answer, lambda: echo(text.format(**answer, ends=ends)))


@click.command()
@target_argument
@why_option
@ending_options
@acting_options
def observe(target: str, why: str, ending: Ending, session: Acting) -> None:
    """Observe an instance or a channel without changing it.

    Example: setpoint observe web@staging --why "debugging by hand"
    """
    answer = session.command("observe", {"target": target, "why": why, **ending.fields()})
    session.show(answer, lambda: echo("\n".join(done(answer, "Observed only:"))))


@click.command()
@target_argument
@why_option
@acting_options
def heal(target: str, why: str, session: Acting) -> None:
    """End `setpoint observe`: drift is repaired again.

    Example: setpoint heal web@staging
    """
    answer = session.command("heal", {"target": target, "why": why})
    session.show(answer, lambda: echo("\n".join(done(answer, "Managed again:"))))
