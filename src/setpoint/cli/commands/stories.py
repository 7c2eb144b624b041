"""history, timeline, events, logs: what happened, and what is happening."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import click

from setpoint.cli import completions
from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Output, app_option, instance_argument
from setpoint.cli.output import echo, echo_json, echo_yaml
from setpoint.cli.session import Session, session_options
from setpoint.model.time import parse_duration

_KEEP = 10


@click.command()
@click.argument(
    "target",
    required=False,
    default="",
    shell_complete=completions.targets,
    help="Instance, channel or group. Default: everything.",
)
@app_option
@click.option("--release", type=click.IntRange(min=0), default=0, help="Number of a release. Default: every release.")
@click.option("--kind", multiple=True, help="Kind of event. Repeatable. Default: every kind.")
@click.option(
    "--limit", "-n", type=click.IntRange(min=1, max=1000), default=50, show_default=True, help="Number of events, the newest."
)
@click.option("--before", type=click.IntRange(min=0), default=0, help="Show events before this number.")
@session_options
def history(target: str, app: str, release: int, kind: tuple[str, ...], limit: int, before: int, session: Session) -> None:
    """Show past events, the newest last.

    Example: setpoint history web@production
    """
    payload = {"target": target, "application": app, "release": release, "kinds": list(kind), "limit": limit, "before": before}
    answer = session.query("history", payload)

    def table() -> None:
        from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.stories import history_lines  # noqa: PLC0415 - as above

        print_lines(*history_lines(reversed(answer["events"]), width()))

    session.show(answer, table)


@click.command()
@click.argument(
    "target",
    required=False,
    default="",
    shell_complete=completions.targets,
    help="Instance, channel or group. Default: everything.",
)
@app_option
@click.option("--last", default="", help="Period until now, such as 2h. Default: everything.")
@session_options
def timeline(target: str, app: str, last: str, session: Session) -> None:
    """Draw the waits, rollouts and verifications of each instance over time.

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
        from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.timeline import lines  # noqa: PLC0415 - as above

        print_lines(*lines(answer, width()))

    session.show(answer, table)


@click.command()
@click.argument(
    "target",
    required=False,
    default="",
    shell_complete=completions.targets,
    help="Instance, channel or group. Default: everything.",
)
@app_option
@click.option("--follow", "-f", is_flag=True, help="Keep printing until Ctrl-C.")
@click.option("--after", type=click.IntRange(min=0), help="Start after the event of this number.")
@session_options
def events(target: str, app: str, follow: bool, after: int | None, session: Session) -> None:
    """Show the latest events; with --follow, new events as they happen.

    Example: setpoint events --follow
    """
    with session.connected() as client:
        recent: list[dict[str, Any]] = []
        if after is None or not follow:
            payload = {"target": target, "application": app, "limit": _KEEP if after is None else 1000}
            recent = list(reversed(client.query("history", payload)["events"]))
            recent = [event for event in recent if after is None or event["number"] > after]
            after = recent[-1]["number"] if recent else after
        found = client.stream("events", {"target": target, "application": app, "after": after}) if follow else iter(())
        _print_events(chain(recent, found), session.output)


def _print_events(events: Iterable[dict[str, Any]], output: Output) -> None:
    from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
    from setpoint.cli.render.stories import history_lines  # noqa: PLC0415 - as above

    if output is Output.TABLE:
        for line in history_lines(events, width()):
            print_lines(line)
    else:
        for event in events:
            _print_data(event, output)


def _print_data(line: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        echo_json(line, indent=None)
    else:
        echo("---")
        echo_yaml(line)


@click.command()
@instance_argument
@click.option("--replica", default="", help="Show this replica only.")
@click.option("--version", default="", help="Show replicas of this version only, even if they have ended.")
@click.option("--kind", default="", help="Show only replicas that are `running`, or only those that are `gone`.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(min=0, max=10000),
    default=100,
    show_default=True,
    help="Number of lines of each replica.",
)
@click.option("--follow", "-f", is_flag=True, help="Keep printing until Ctrl-C.")
@session_options
def logs(target: str, replica: str, version: str, kind: str, lines: int, follow: bool, session: Session) -> None:
    """Show the output of the replicas of an instance, including replicas that have ended.

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
    """List the replicas that are not shown, on standard error so that the output can be piped."""
    if all(one["kind"] == "running" for one in found):
        return
    for one in found:
        ended = f", {one['ended']}" if one["ended"] else ""
        echo(f"# {one['replica']}  version {one['version']}  {one['kind']}{ended}", err=True)
    echo("# to show replicas that have ended, add --version, --replica or --kind gone", err=True)
