"""Organization, Application, Policy and Invariant: the documents that span channels and services."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Constants, Document, Environment, Node
from setpoint.config.documents.channel import ChannelFields, read_range
from setpoint.config.documents.declared import Notification, Role
from setpoint.config.documents.gates import Gated
from setpoint.config.syntax.values import (
    Amount,
    Anything,
    Boolean,
    Duration,
    Integer,
    MapOf,
    Matching,
    Name,
    Reads,
    Several,
    Text,
    Zone,
    choice,
    fault,
)


class ApplicationDocument(Document, Gated):
    """Its channels may stand in place or as documents."""

    channels: Several[ChannelFields] = ()
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    timezone: Zone | None = None
    together: Several[Several[Name]] = ()
    on_config_change: Annotated[str, choice("release", "with-next")] = "release"
    notifications: Several[Notification] = ()


class OrganizationDocument(Document):
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


class PolicyDocument(Document, Gated):
    """It only adds."""

    select: Matching
    notifications: Several[Notification] = ()


class Approved(Node):
    """By how many people the move must have been approved."""

    topic: Name
    min: Integer = 1


class Skew(Node):
    """How far two services of a channel may be apart."""

    service: Name
    max_step: Annotated[str, choice("major", "minor", "patch")]


class RequireBlock(Node):
    """All of what is written must hold."""

    finalized_in: Several[Name] = ()
    not_bad: Boolean = False
    approved: Approved | None = None
    runs: Annotated[str, Reads(read_range, {"type": "string"})] = ""
    same_as: Name | None = None
    skew: Skew | None = None
    open: Name | None = None
    moving: Amount | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        required = (self.finalized_in, self.not_bad, self.approved, self.runs, self.same_as, self.skew, self.open)
        if not any(required) and self.moving is None:
            raise fault(
                "empty-invariant", "`require` requires nothing.", "Write such as `{notBad: true}`, or remove the document."
            )
        return self


class InvariantDocument(Document):
    """Checked all the time."""

    select: Matching
    when: Matching | None = None
    require: RequireBlock
    on_violation: Annotated[str, choice("alarm", "stop-the-line")] = "alarm"
