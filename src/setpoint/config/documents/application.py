"""Application: services and channels that belong together."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from setpoint.config.documents.base import Constants, Document, Environment
from setpoint.config.documents.channel import ChannelFields
from setpoint.config.documents.declared import Notification
from setpoint.config.documents.gates import Gated
from setpoint.config.values import Name, Several, Zone, choice


class Application(Document, Gated):
    """Its channels may stand in place or as documents."""

    channels: Several[ChannelFields] = ()
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    timezone: Zone | None = None
    together: Several[Several[Name]] = ()
    on_config_change: Annotated[str, choice("release", "with-next")] = "release"
    notifications: Several[Notification] = ()
