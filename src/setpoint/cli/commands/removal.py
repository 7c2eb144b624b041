"""orphans, remove, adopt: instances that left the configuration, and services that run before their first release."""

from __future__ import annotations

import click

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import instance_argument, why_option
from setpoint.cli.output import echo
from setpoint.cli.session import Acting, Session, acting_options, session_options
from setpoint.model.names import short_name


@click.command()
@session_options
def orphans(session: Session) -> None:
    """List instances that still run although they left the configuration.

    Example: setpoint orphans
    """
    answer = session.query("orphans")

    def table() -> None:
        from setpoint.cli.render.tables import columns  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.words import clock  # noqa: PLC0415 - as above

        if not answer["orphans"]:
            echo("No orphans: every running instance is configured.")
            return
        columns(
            ["instance", "version", "last seen", ""],
            [[short_name(one["instance"]), one["version"], clock(one["seen"]), one["text"]] for one in answer["orphans"]],
        )

    session.show(answer, table)


@click.command()
@click.argument("target", help="Instance or channel that left the configuration.")
@click.option("--yes", "-y", is_flag=True, help="Remove without confirmation.")
@why_option
@acting_options
def remove(target: str, yes: bool, why: str, session: Acting) -> None:
    """Stop instances that left the configuration, after confirmation.

    Example: setpoint remove web@acme
    """
    from setpoint.cli.render.console import interactive  # noqa: PLC0415 - loads rich

    payload = {"target": target, "why": why}
    with session.connected() as client:
        if not yes and not session.dry_run:
            shown = client.rehearse("remove", payload)["answer"]["instances"]
            for instance, version in shown.items():
                echo(f"{short_name(instance)}: {version} will be stopped.", err=True)
            if not interactive():
                raise Quit(
                    ExitCode.ERROR,
                    "Nothing was removed: confirmation needs a terminal.",
                    "Add --yes to remove without confirmation.",
                )
            if not click.confirm("Stop it?"):
                raise Quit(ExitCode.REFUSED, "Nothing was removed.")
        answer = session.carry_out(client, "remove", payload)

    def table() -> None:
        for instance, version in answer["instances"].items():
            echo(f"{short_name(instance)}: Stopping {version}. See `setpoint orphans`.")

    session.show(answer, table)


@click.command()
@instance_argument
@click.argument("version", help="Version that already runs there.")
@click.option("--param", multiple=True, help="Parameter: name=value. Repeatable.")
@why_option
@acting_options
def adopt(target: str, version: str, param: tuple[str, ...], why: str, session: Acting) -> None:
    """Adopt a running version: it becomes good once Setpoint has observed exactly this version. Nothing is applied.

    Example: setpoint adopt web@production 1.4.2
    """
    parameters = {}
    for text in param:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Quit(ExitCode.ERROR, f'"{text}" is not of the form name=value.', "Write --param name=value.")
        parameters[name] = value
    payload = {"target": target, "version": version, "parameters": parameters, "why": why}
    with session.connected() as client:
        answer = session.carry_out(client, "adopt", payload)
    sentence = f"Observing {target}: if {version} runs there, it becomes good (release {answer['release']})."
    session.show(answer, lambda: echo(f"{sentence} See `setpoint explain {target}`."))
