"""Shell completion: names from the running engine; nothing where there is none."""

from __future__ import annotations

from typing import Any

from setpoint.model.names import short_name


def applications() -> list[str]:
    """Names of applications."""
    return [one["name"] for one in _applications()]


def instances() -> list[str]:
    """``service@channel`` of everything."""
    return [short_name(row["instance"]) for one in _applications() for row in one["instances"]]


def targets() -> list[str]:
    """Instances, channels and groups."""
    return instances() + [place for one in _applications() for place in (*one["channels"], *one["groups"])]


def _applications() -> list[dict[str, Any]]:
    from setpoint.durable.home import default_home  # noqa: PLC0415 - as above
    from setpoint.server.client import Client, ClientError  # noqa: PLC0415 - only when somebody presses Tab

    try:
        with Client.at(default_home()) as client:
            found: list[dict[str, Any]] = client.query("status")["applications"]
            return found
    except ClientError:
        return []
