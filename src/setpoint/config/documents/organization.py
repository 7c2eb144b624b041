"""Organization: what holds for everything."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import ClassVar

from pydantic import Field

from setpoint.config.documents.base import Constants, Document, Environment
from setpoint.config.values import Anything, MapOf, Text, Zone


class Organization(Document):
    """At most one."""

    LATER: ClassVar[AnyMapping[str, str]] = {
        "secretStores": "secrets",
        "retention": "retention of history",
        "notifications": "notifications",
        "roles": "roles",
    }
    timezone: Zone = "UTC"
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    defaults: dict[Text, MapOf[Text, Anything]] = Field(default_factory=dict)
    """Built-in protection -> ``with``."""
