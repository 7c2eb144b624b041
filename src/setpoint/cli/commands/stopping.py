"""stop-the-line, start-the-line, pause, unpause, observe, heal: hands off, of everything or of a part."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from setpoint.cli.options import Target, Why, grouped
from setpoint.cli.orders import Ending, done, until_words
from setpoint.cli.output import echo
from setpoint.cli.session import Acting

Scope = Annotated[str, typer.Argument(help="An application, channel, group or runtime:NAME; without it everything.")]


class InFlightMode(StrEnum):
    """What becomes of what is under way when a line is stopped."""

    FINISH = "finish"
    PAUSE = "pause"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("stop-the-line")(grouped(stop_the_line))
    app.command("start-the-line")(grouped(start_the_line))
    for function in (pause, unpause, observe, heal):
        app.command()(grouped(function))


def stop_the_line(
    scope: Scope = "",
    in_flight: Annotated[InFlightMode, typer.Option(help="What becomes of what is under way.")] = InFlightMode.FINISH,
    why: Why = "",
    *,
    ending: Ending,
    session: Acting,
) -> None:
    """Let nothing new start; healing and rollbacks go on.

    Example: setpoint stop-the-line --in-flight pause --for 4h --why "the network is being repaired"
    """
    done = "The line of {scope} is stopped ({instances} instances){ends}."
    more = {"in_flight": in_flight.value, **ending.fields()}
    _scope("stop-the-line", done, scope, why, session, **more)


def start_the_line(scope: Scope = "", why: Why = "", *, session: Acting) -> None:
    """Let new things start again.

    Example: setpoint start-the-line
    """
    _scope("start-the-line", "The line of {scope} goes on ({instances} instances).", scope, why, session)


def pause(
    scope: Scope = "",
    why: Why = "",
    *,
    ending: Ending,
    session: Acting,
) -> None:
    """Apply nothing at all, rollbacks included; deadlines stand still.

    Example: setpoint pause runtime:local --why "new disks"
    """
    text = "Nothing is applied at {scope} ({instances} instances){ends}; `setpoint unpause` ends it."
    _scope("pause", text, scope, why, session, **ending.fields())


def unpause(scope: Scope = "", why: Why = "", *, session: Acting) -> None:
    """Let applies go on.

    Example: setpoint unpause runtime:local
    """
    _scope("unpause", "Applies at {scope} go on ({instances} instances).", scope, why, session)


def _scope(name: str, done: str, scope: str, why: str, session: Acting, **more: str) -> None:
    answer = session.command(name, {"scope": scope, "why": why, **more})
    ends = until_words(answer["until"])
    text = "Nothing to change at {scope}: it stands already{ends}." if answer["unchanged"] else done
    session.show(answer, lambda: echo(text.format(**answer, ends=ends)))


def observe(
    target: Target,
    why: Why = "",
    *,
    ending: Ending,
    session: Acting,
) -> None:
    """Look at an instance or a channel, and touch nothing there.

    Example: setpoint observe web@staging --why "debugging by hand"
    """
    answer = session.command("observe", {"target": target, "why": why, **ending.fields()})
    session.show(answer, lambda: echo("\n".join(done(answer, "Only observed:"))))


def heal(target: Target, why: Why = "", *, session: Acting) -> None:
    """Let what was only observed be touched again.

    Example: setpoint heal web@staging
    """
    answer = session.command("heal", {"target": target, "why": why})
    session.show(answer, lambda: echo("\n".join(done(answer, "Healed again:"))))
