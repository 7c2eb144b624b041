"""Shell completion: names from the running engine; none without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.model.names import short_name

if TYPE_CHECKING:
    import click


def applications(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of applications."""
    return _beginning(incomplete, [one["name"] for one in _applications(context)])


def instances(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return ``service@channel`` of every instance."""
    return _beginning(incomplete, _instances(_applications(context)))


def targets(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return instances, channels and groups."""
    found = _applications(context)
    places = [place for one in found for place in (*one["channels"], *one["groups"])]
    return _beginning(incomplete, [*_instances(found), *dict.fromkeys(places)])


def _beginning(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _instances(found: list[dict[str, Any]]) -> list[str]:
    return [short_name(row["instance"]) for one in found for row in one["instances"]]


def _applications(context: click.Context) -> list[dict[str, Any]]:
    from setpoint.cli.ending import Quit  # noqa: PLC0415 - only when Tab is pressed
    from setpoint.cli.session import home_of  # noqa: PLC0415 - as above
    from setpoint.server.client import Client, ClientError  # noqa: PLC0415 - as above

    try:
        with Client.at(home_of(context.params.get("home"))) as client:
            found: list[dict[str, Any]] = client.query("status")["applications"]
            return found
    except (ClientError, Quit):
        return []
