"""stop-the-line, start-the-line, pause, unpause, observe, heal: hands off, of everything or of a part."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from setpoint.cli.options import For, Format, Home, Link, Output, Target, Token, Until, Why
from setpoint.cli.orders import done, ending, until_words
from setpoint.cli.rehearsal import acting
from setpoint.cli.session import command, show

Scope = Annotated[str, typer.Argument(help="An application, channel, group or runtime:NAME; without it everything.")]


class InFlight(StrEnum):
    """What becomes of what is under way when a line is stopped."""

    FINISH = "finish"
    PAUSE = "pause"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("stop-the-line")(acting(stop_the_line))
    app.command("start-the-line")(acting(start_the_line))
    for function in (pause, unpause, observe, heal):
        app.command()(acting(function))


def stop_the_line(
    scope: Scope = "",
    in_flight: Annotated[InFlight, typer.Option(help="What becomes of what is under way.")] = InFlight.FINISH,
    why: Why = "",
    until: Until = "",
    lasts: For = "",
    link: Link = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Let nothing new start; healing and rollbacks go on.

    Example: setpoint stop-the-line --in-flight pause --for 4h --why "the network is being repaired"
    """
    done = "The line of {scope} is stopped ({instances} instances){ends}."
    more = {"in_flight": in_flight.value, **ending(until, lasts, link)}
    _scope("stop-the-line", done, scope, why, home, token, output, **more)


def start_the_line(scope: Scope = "", why: Why = "", home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """Let new things start again.

    Example: setpoint start-the-line
    """
    _scope("start-the-line", "The line of {scope} goes on ({instances} instances).", scope, why, home, token, output)


def pause(
    scope: Scope = "",
    why: Why = "",
    until: Until = "",
    lasts: For = "",
    link: Link = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Apply nothing at all, rollbacks included; deadlines stand still.

    Example: setpoint pause runtime:local --why "new disks"
    """
    text = "Nothing is applied at {scope} ({instances} instances){ends}; `setpoint unpause` ends it."
    _scope("pause", text, scope, why, home, token, output, **ending(until, lasts, link))


def unpause(scope: Scope = "", why: Why = "", home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """Let applies go on.

    Example: setpoint unpause runtime:local
    """
    _scope("unpause", "Applies at {scope} go on ({instances} instances).", scope, why, home, token, output)


def _scope(name: str, done: str, scope: str, why: str, home: Home, token: str, output: Output, **more: str) -> None:
    answer = command(home, token, name, {"scope": scope, "why": why, **more})
    ends = until_words(answer["until"])
    text = "Nothing to change at {scope}: it stands already{ends}." if answer["unchanged"] else done
    show(answer, output, lambda: typer.echo(text.format(**answer, ends=ends)))


def observe(
    target: Target,
    why: Why = "",
    until: Until = "",
    lasts: For = "",
    link: Link = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Look at an instance or a channel, and touch nothing there.

    Example: setpoint observe web@staging --why "debugging by hand"
    """
    answer = command(home, token, "observe", {"target": target, "why": why, **ending(until, lasts, link)})
    show(answer, output, lambda: typer.echo("\n".join(done(answer, "Only observed:"))))


def heal(target: Target, why: Why = "", home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """Let what was only observed be touched again.

    Example: setpoint heal web@staging
    """
    answer = command(home, token, "heal", {"target": target, "why": why})
    show(answer, output, lambda: typer.echo("\n".join(done(answer, "Healed again:"))))
