"""orphans, remove, adopt: what runs without configuration, and what runs before its first release."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Instance, Why, grouped
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, Session
from setpoint.model.names import short_name


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(grouped(orphans))
    app.command()(grouped(remove))
    app.command()(grouped(adopt))


def orphans(*, session: Session) -> None:
    """List what runs on although it is no longer configured.

    Example: setpoint orphans
    """
    answer = session.query("orphans")

    def table() -> None:
        from setpoint.cli.render.tables import columns  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.words import clock  # noqa: PLC0415 - as above

        if not answer["orphans"]:
            echo("Nothing is left of what was configured once.")
            return
        columns(
            ["instance", "version", "last seen", ""],
            [[short_name(one["instance"]), one["version"], clock(one["seen"]), one["text"]] for one in answer["orphans"]],
        )

    session.show(answer, table)


def remove(
    target: Annotated[str, typer.Argument(help="An instance or a channel that is no longer configured.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Take down what is left of instances that left the configuration; shows it, and asks.

    Example: setpoint remove web@acme
    """
    from setpoint.cli.render.console import interactive  # noqa: PLC0415 - loads rich

    payload = {"target": target, "why": why}
    with session.connected() as client:
        if not yes and not session.dry_run:
            shown = client.rehearse("remove", payload)["answer"]["instances"]
            for instance, version in shown.items():
                echo(f"{short_name(instance)}: {version} would be taken down.", err=True)
            if not interactive():
                raise Quit(ExitCode.ERROR, "Nothing was removed: there is nobody to ask.", "Say --yes not to be asked.")
            if not typer.confirm("Take it down?"):
                raise Quit(ExitCode.REFUSED, "Nothing was removed.")
        answer = session.carry_out(client, "remove", payload)

    def table() -> None:
        for instance, version in answer["instances"].items():
            echo(f"{short_name(instance)}: {version} is being taken down; see `setpoint orphans`.")

    session.show(answer, table)


def adopt(
    target: Instance,
    version: Annotated[str, typer.Argument(help="What runs there already.")],
    param: Annotated[list[str] | None, typer.Option("--param", help="A parameter: name=value.")] = None,
    why: Why = "",
    *,
    session: Acting,
) -> None:
    """Take over what runs already: it becomes good once a look has shown just this version; nothing is applied.

    Example: setpoint adopt web@production 1.4.2
    """
    parameters = {}
    for text in param or []:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Quit(ExitCode.ERROR, f'"{text}" is not of the form name=value.', "Write --param name=value.")
        parameters[name] = value
    payload = {"target": target, "version": version, "parameters": parameters, "why": why}
    with session.connected() as client:
        answer = session.carry_out(client, "adopt", payload)
    sentence = f"{target} is looked at: if {version} runs there, it is good from then on (release {answer['release']})."
    session.show(answer, lambda: echo(f"{sentence} See `setpoint explain {target}`."))
