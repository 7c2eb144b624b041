"""Organization: what holds for everything."""

from __future__ import annotations

from pydantic import Field

from setpoint.config.documents.base import Constants, Document, Environment
from setpoint.config.documents.declared import Notification, Role
from setpoint.config.values import Anything, Duration, MapOf, Several, Text, Zone


class Organization(Document):
    """At most one."""

    timezone: Zone = "UTC"
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    defaults: dict[Text, MapOf[Text, Anything]] = Field(default_factory=dict)
    """Built-in protection -> ``with``."""
    roles: Several[Role] = ()
    notifications: Several[Notification] = ()
    secret_stores: MapOf[Text, Anything] = Field(default_factory=dict)
    retention: Duration | None = None
