"""release: bring versions to channels, and wait until they are there."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Alone, App, Output, Why, grouped
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, Answer, Session
from setpoint.model.names import channel_of, short_name


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(release))
    app.command("releases")(grouped(releases))


def release(
    versions: Annotated[list[str], typer.Argument(metavar="SERVICE=VERSION...", help="What to release.")],
    to: Annotated[list[str] | None, typer.Option("--to", help="Only to this channel; may be repeated.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", help="A parameter: name=value, or service.name=value.")] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="A gate that shall not count; needs --why.")] = None,
    why: Why = "",
    reason: Annotated[str, typer.Option("--reason", help="The same as --why.", hidden=True)] = "",
    urgent: Annotated[
        bool, typer.Option("--urgent", help="A hot fix: goes before what is under way; skips nothing by itself.")
    ] = False,
    alone: Alone = False,
    together: Annotated[bool, typer.Option("--together", help="All services named start, finish and go back as one.")] = False,
    label: Annotated[list[str] | None, typer.Option("--label", help="A label of the release: key=value.")] = None,
    repository: Annotated[str, typer.Option("--repository", help="Where the version came from.")] = "",
    commit: Annotated[str, typer.Option("--commit", help="The commit that it was built from.")] = "",
    author: Annotated[str, typer.Option("--author", help="Who wrote it.")] = "",
    request: Annotated[str, typer.Option("--request", help="Identity of this request: given twice, it is one release.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is finalized everywhere, or failed.")] = False,
    timeout: Annotated[str, typer.Option("--timeout", help="How long --wait waits, such as 10m.")] = "30m",
    app: App = "",
    *,
    session: Acting,
) -> None:
    """Release versions of one or several services.

    With --wait: exit 0 when every instance named has finalized it, 2 when it failed or was rolled back, 3 after --timeout.

    Example: setpoint release web=1.4.2 --to staging --wait
    """
    from setpoint.cli import waiting  # noqa: PLC0415 - loads rich

    patience = waiting.patience(timeout)
    source = {"repository": repository, "commit": commit, "author": author}
    payload = {
        "application": app,
        "services": _services(versions, param or [], source),
        "channels": to or [],
        "why": why or reason,
        "labels": dict(_pair(one, "--label", "key=value") for one in label or []),
        "urgent": urgent,
        "alone": alone,
        "together": together,
        "skip": skip or [],
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
    places = ", ".join(dict.fromkeys(channel_of(one) for one in answer["instances"]))
    mirrors = ", ".join(dict.fromkeys(channel_of(one) for one in answer["followers"]))
    after = f" ({mirrors} will follow)" if mirrors else ""
    echo(f"Release {answer['release']} of {answer['application']}: {versions} to {places}{after}.")


def _services(versions: list[str], params: list[str], source: dict[str, str]) -> dict[str, Answer]:
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


def releases(
    app: App = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="So many, the newest.")] = 20,
    *,
    session: Session,
) -> None:
    """List the newest releases of an application, of versions and of configurations, and where they are good.

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
    good = ", ".join(short_name(one) for one in release["good_in"])
    vetoed = ", ".join(short_name(one) for one in release["vetoed_in"])
    return " · ".join(part for part in (good, f"failed in {vetoed}" if vetoed else "") if part) or "–"
