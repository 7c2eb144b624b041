"""release, releases: release versions, wait for them, and list them."""

from __future__ import annotations

import click

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Output, alone_option, app_option, why_option
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, Answer, Session, acting_options, session_options
from setpoint.model.names import channel_of, short_name

_MOST = 4
"""Instances or channels that are named; more are counted."""


@click.command()
@click.argument("versions", metavar="SERVICE=VERSION...", nargs=-1, required=True, help="Service and version, such as web=1.4.2.")
@click.option("--to", multiple=True, help="Release to this channel only. Repeatable.")
@click.option("--param", multiple=True, help="Parameter: name=value, or service.name=value. Repeatable.")
@click.option("--skip", multiple=True, help="Gate to skip. Needs --why. Repeatable.")
@why_option
@click.option("--reason", default="", hidden=True, help="Alias of --why.")
@click.option("--urgent", is_flag=True, help="Go ahead of releases in progress. Gates still apply.")
@alone_option
@click.option("--together", is_flag=True, help="Start, finalize and roll back the named services together.")
@click.option("--label", multiple=True, help="Label of the release: key=value. Repeatable.")
@click.option("--repository", default="", help="Repository that the version was built from.")
@click.option("--commit", default="", help="Commit that the version was built from.")
@click.option("--author", default="", help="Author of the commit.")
@click.option("--request", default="", help="Idempotency key: two requests with the same key are one release.")
@click.option("--wait", is_flag=True, help="Wait until every instance has finalized the release, or one failed.")
@click.option("--timeout", default="30m", show_default=True, help="Timeout of --wait, such as 10m.")
@app_option
@acting_options
def release(
    versions: tuple[str, ...],
    to: tuple[str, ...],
    param: tuple[str, ...],
    skip: tuple[str, ...],
    why: str,
    reason: str,
    urgent: bool,
    alone: bool,
    together: bool,
    label: tuple[str, ...],
    repository: str,
    commit: str,
    author: str,
    request: str,
    wait: bool,
    timeout: str,
    app: str,
    session: Acting,
) -> None:
    """Release versions of one or several services.

    Exit codes of --wait: 0 finalized by every instance, 2 failed or rolled back, 3 timeout.

    Example: setpoint release web=1.4.2 --to staging --wait
    """
    from setpoint.cli import waiting  # noqa: PLC0415 - loads rich

    patience = waiting.patience(timeout)
    source = {"repository": repository, "commit": commit, "author": author}
    payload = {
        "application": app,
        "services": _services(versions, param, source),
        "channels": list(to),
        "why": why or reason,
        "labels": dict(_pair(one, "--label", "key=value") for one in label),
        "urgent": urgent,
        "alone": alone,
        "together": together,
        "skip": list(skip),
    }
    with session.connected() as client:
        answer = session.carry_out(client, "release", payload, request=request)
        if not wait:
            session.show(answer, lambda: _print(answer))
            return
        if session.output is Output.TABLE:
            _print(answer)
        waiting.until_settled(client, answer, patience, session)


def _print(answer: Answer) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in answer["services"].items())
    places, mirrors = _channels(answer["instances"]), _channels(answer["followers"])
    after = f" ({mirrors} will follow)" if mirrors else ""
    echo(f"Release {answer['release']} of {answer['application']}: {versions} to {places}{after}.")


def _channels(instances: list[str]) -> str:
    """Return ``staging, production``; of many channels the first, and the number of the others."""
    names = list(dict.fromkeys(channel_of(one) for one in instances))
    return ", ".join(names) if len(names) <= _MOST else f"{', '.join(names[:2])} and {len(names) - 2} more channels"


def _services(versions: tuple[str, ...], params: tuple[str, ...], source: dict[str, str]) -> dict[str, Answer]:
    services: dict[str, Answer] = {}
    for text in versions:
        name, version = _pair(text, "", "service=version, such as web=1.4.2")
        services[name] = {"version": version, "parameters": {}, "source": source}
    for text in params:
        key, value = _pair(text, "--param", "name=value, or service.name=value")
        service, dot, name = key.partition(".")
        if dot and service not in services:
            raise Quit(
                ExitCode.ERROR, f'--param {key}: this release has no service "{service}".', f"It has: {', '.join(services)}."
            )
        for one in [service] if dot else services:
            services[one]["parameters"][name if dot else key] = value
    return services


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and (value or option)):
        raise Quit(ExitCode.ERROR, f'"{text}" is not of the form {form}.', f"Write {option} {form}.".replace("  ", " "))
    return key, value


@click.command("releases")
@app_option
@click.option(
    "--limit", "-n", type=click.IntRange(min=1, max=100), default=20, show_default=True, help="Number of releases, newest first."
)
@session_options
def releases(app: str, limit: int, session: Session) -> None:
    """List the newest releases, and the instances where they are good.

    Example: setpoint releases
    """
    answer = session.query("releases", {"application": app, "limit": limit})

    def table() -> None:
        from setpoint.cli.render.tables import columns  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.words import clock  # noqa: PLC0415 - as above

        rows = [
            [
                str(one["number"]),
                _what(one),
                one["author"],
                clock(one["at"]),
                _where(one),
            ]
            for one in answer["releases"]
        ]
        columns(["no.", "what", "by", "at", "good in"], rows)

    session.show(answer, table)


def _what(release: Answer) -> str:
    """``web 1.4.2, api 2.0``; of a configuration release ``configuration of web``."""
    if release["kind"] == "configuration":
        return f"configuration of {', '.join(release['revisions'])}"
    return ", ".join(f"{name} {version}" for name, version in release["services"].items())


def _where(release: Answer) -> str:
    good, failed = release["good_in"], release["vetoed_in"]
    count = f"{len(good)} of {release['instances']}" if good else ""
    parts = (_named(good, count), f"failed in {_named(failed, str(len(failed)))}" if failed else "")
    return " · ".join(part for part in parts if part) or "–"


def _named(instances: list[str], count: str) -> str:
    """Return the names of a few instances, or the count of many."""
    return ", ".join(short_name(one) for one in instances) if len(instances) <= _MOST else count
