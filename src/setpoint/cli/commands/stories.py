"""history, timeline, events, logs: what happened, and what happens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from setpoint.cli import completions
from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import App, Instance, Output, grouped
from setpoint.cli.output import echo, echo_json, echo_yaml
from setpoint.cli.session import Session
from setpoint.model.time import parse_duration

Where = Annotated[
    str, typer.Argument(help="Only this instance, channel or group; without it everything.", autocompletion=completions.targets)
]
_KEEP = 10


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for function in (history, timeline, events, logs):
        app.command()(grouped(function))


def history(
    target: Where = "",
    app: App = "",
    release: Annotated[int, typer.Option("--release", min=0, help="Only this release.")] = 0,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Only this kind of event; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="So many, the newest.")] = 50,
    before: Annotated[int, typer.Option("--before", min=0, help="Only lines before this number.")] = 0,
    *,
    session: Session,
) -> None:
    """Show what was decided, oldest first, the newest last.

    Example: setpoint history web@production
    """
    payload = {"target": target, "application": app, "release": release, "kinds": kind or [], "limit": limit, "before": before}
    answer = session.query("history", payload)

    def table() -> None:
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.stories import event_line  # noqa: PLC0415 - as above

        say(*(event_line(event, width()) for event in reversed(answer["events"])))

    session.show(answer, table)


def timeline(
    target: Where = "",
    app: App = "",
    last: Annotated[str, typer.Option("--last", help="Only so much time until now, such as 2h; without it everything.")] = "",
    *,
    session: Session,
) -> None:
    """Draw what each instance waited for, deployed, verified and ran.

    Example: setpoint timeline --last 1d
    """
    since = 0
    if last:
        try:
            since = session.query("status", {"target": target, "application": app})["now"] - parse_duration(last)
        except ValueError as error:
            raise Quit(ExitCode.ERROR, f"--last: {error}.", "Write a duration such as 2h or 1d.") from error
    answer = session.query("timeline", {"target": target, "application": app, "since": max(since, 0)})

    def table() -> None:
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.timeline import lines  # noqa: PLC0415 - as above

        say(*lines(answer, width()))

    session.show(answer, table)


def events(
    target: Where = "",
    app: App = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    after: Annotated[int | None, typer.Option("--after", min=0, help="Begin after the line of this number.")] = None,
    *,
    session: Session,
) -> None:
    """Show what is decided as it happens; without --follow the last few lines.

    Example: setpoint events --follow
    """
    with session.connected() as client:
        if after is None or not follow:
            payload = {"target": target, "application": app, "limit": _KEEP if after is None else 1000}
            recent = list(reversed(client.query("history", payload)["events"]))
            recent = [event for event in recent if after is None or event["number"] > after]
            for event in recent:
                _print_event(event, session.output)
            after = recent[-1]["number"] if recent else after
        if follow:
            for event in client.stream("events", {"target": target, "application": app, "after": after}):
                _print_event(event, session.output)


def _print_event(event: dict[str, Any], output: Output) -> None:
    from setpoint.cli.render.console import say, width  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.stories import event_line  # noqa: PLC0415 - as above

    if output is Output.TABLE:
        say(event_line(event, width()))
    else:
        _print_data(event, output)


def _print_data(line: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        echo_json(line, indent=None)
    else:
        echo("---")
        echo_yaml(line)


def logs(
    target: Instance,
    replica: Annotated[str, typer.Option("--replica", help="Only this replica, running or gone.")] = "",
    version: Annotated[
        str, typer.Option("--version", help="Only replicas of this version, also of one that failed and is gone.")
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help="Only replicas that are running, or gone.")] = "",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=10000, help="So many of the last lines of each replica.")
    ] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    *,
    session: Session,
) -> None:
    """Show what the replicas of an instance wrote, those of versions that are gone included; list which there are.

    Example: setpoint logs web@production --version 2.0.0
    """
    request = {"target": target, "replica": replica, "version": version, "kind": kind, "lines": lines, "follow": follow}
    with session.connected() as client:
        if session.output is Output.TABLE and not (replica or version or kind):
            _list_replicas(client.query("replicas", {"target": target})["replicas"])
        for line in client.stream("logs", request):
            if session.output is Output.TABLE:
                echo(f"{line['replica']} | {line['text']}")
            else:
                _print_data(line, session.output)


def _list_replicas(found: list[dict[str, Any]]) -> None:
    """On standard error, so that what was written can be piped; only where there is more than is shown."""
    if all(one["kind"] == "running" for one in found):
        return
    for one in found:
        ended = f", {one['ended']}" if one["ended"] else ""
        echo(f"# {one['replica']}  version {one['version']}  {one['kind']}{ended}", err=True)
    echo("# show those that are gone with --version, --replica or --kind gone", err=True)
