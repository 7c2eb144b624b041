"""orphans, remove, adopt: what runs without configuration, and what runs before its first release."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.ending import Code, Ended
from setpoint.cli.options import Format, Home, Instance, Output, Token, Why
from setpoint.cli.rehearsal import acting, rehearsed_as
from setpoint.cli.session import carried_out, connected, query, show


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(orphans)
    app.command()(acting(remove))
    app.command()(acting(adopt))


def orphans(home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """List what runs on although it is no longer configured.

    Example: setpoint orphans
    """
    answer = query(home, token, "orphans")

    def table() -> None:
        from setpoint.cli.render.tables import columns  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.words import clock, short  # noqa: PLC0415 - as above

        if not answer["orphans"]:
            typer.echo("Nothing is left of what was configured once.")
            return
        columns(
            ["instance", "version", "last seen", ""],
            [[short(one["instance"]), one["version"], clock(one["seen"]), one["text"]] for one in answer["orphans"]],
        )

    show(answer, output, table)


def remove(
    target: Annotated[str, typer.Argument(help="An instance or a channel that is no longer configured.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    why: Why = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Take down what is left of instances that left the configuration; shows it, and asks.

    Example: setpoint remove web@acme
    """
    from setpoint.cli.render.console import interactive  # noqa: PLC0415 - loads rich

    payload = {"target": target, "why": why}
    with connected(home, token) as client:
        if not yes and rehearsed_as() is None:
            shown = client.rehearse("remove", payload)["answer"]["instances"]
            for instance, version in shown.items():
                typer.echo(f"{instance.partition('/')[2]}: {version} would be taken down.", err=True)
            if not interactive():
                raise Ended(Code.ERROR, "Nothing was removed: there is nobody to ask.", "Say --yes not to be asked.")
            if not typer.confirm("Take it down?"):
                raise Ended(Code.REFUSED, "Nothing was removed.")
        answer = carried_out(client, "remove", payload)

    def table() -> None:
        for instance, version in answer["instances"].items():
            typer.echo(f"{instance.partition('/')[2]}: {version} is being taken down; see `setpoint orphans`.")

    show(answer, output, table)


def adopt(
    target: Instance,
    version: Annotated[str, typer.Argument(help="What runs there already.")],
    param: Annotated[list[str] | None, typer.Option("--param", help="A parameter: name=value.")] = None,
    why: Why = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Take over what runs already: it becomes good once a look has shown just this version; nothing is applied.

    Example: setpoint adopt web@production 1.4.2
    """
    parameters = {}
    for text in param or []:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Ended(Code.ERROR, f'"{text}" is not of the form name=value.', "Write --param name=value.")
        parameters[name] = value
    payload = {"target": target, "version": version, "parameters": parameters, "why": why}
    with connected(home, token) as client:
        answer = carried_out(client, "adopt", payload)
    sentence = f"{target} is looked at: if {version} runs there, it is good from then on (release {answer['release']})."
    show(answer, output, lambda: typer.echo(f"{sentence} See `setpoint explain {target}`."))
