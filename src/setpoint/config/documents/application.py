"""Application: services and channels that belong together."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import ClassVar

from pydantic import Field

from setpoint.config.documents.base import Constants, Document, Environment
from setpoint.config.documents.channel import ChannelFields
from setpoint.config.documents.gates import Gated
from setpoint.config.values import Name, Several, Zone


class Application(Document, Gated):
    """Its channels may stand in place or as documents."""

    LATER: ClassVar[AnyMapping[str, str]] = {
        "onConfigChange": "choice of what a changed configuration does: it makes a release",
        "notifications": "notifications",
    }
    channels: Several[ChannelFields] = ()
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    timezone: Zone | None = None
    together: Several[Several[Name]] = ()
