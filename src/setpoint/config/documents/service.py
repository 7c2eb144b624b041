"""Service: something that runs."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Constants, Document, Environment, Node
from setpoint.config.documents.channel import read_range
from setpoint.config.documents.gates import Gated
from setpoint.config.documents.parameters import ServiceParameter
from setpoint.config.documents.workloads import Custom, Fake, Process
from setpoint.config.values import (
    Amount,
    Boolean,
    Duration,
    Integer,
    MapOf,
    Matching,
    Name,
    Principal,
    Reads,
    Several,
    Template,
    Text,
    choice,
    describe,
    fault,
    read_template,
)
from setpoint.config.yaml import Mapping, Scalar
from setpoint.model.time import MINUTE

WORKLOADS = ("process", "custom", "fake")
LATER_WORKLOADS = ("container", "kubernetes", "helm", "ecs", "cloudRun", "lambda", "nomad", "systemd", "static", "terraform")


class Rollout(Node):
    """How replicas are replaced."""

    LATER: ClassVar[AnyMapping[str, str]] = {"steps": "canary or blue/green steps", "keepOld": "canary or blue/green steps"}
    max_unavailable: Amount = 0
    max_surge: Amount = 1

    @model_validator(mode="after")
    def _can_move(self) -> Self:
        if self.max_unavailable in {0, "0%"} and self.max_surge in {0, "0%"}:
            raise fault(
                "stuck-rollout",
                "with neither `maxUnavailable` nor `maxSurge` no replica can ever be replaced.",
                "Let one of them be at least 1.",
            )
        return self


class Rollback(Node):
    """What happens when a rollout fails."""

    auto: Boolean = True
    not_below: Template | None = None


def _read_version_range(node: Any) -> Scalar:
    text = read_template(node)
    return text if "${" in text else read_range(text)


class ServiceAfter(Node):
    """One entry of a service's ``after``."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ({"type": "string"},)
    name: Name | None = None
    services: Several[Name]
    version: Annotated[str, Reads(_read_version_range, {"type": "string"})] = "*"
    when: Matching | None = None
    override: Several[Principal] | None = None

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A text is a service."""
        return {"services": scalar}

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.services:
            raise fault("empty-after", "`after` names no service.", "Name one, or leave `after` out.", key="services")
        return self


class Drift(Node):
    """What happens when something else than asked for runs."""

    LATER: ClassVar[AnyMapping[str, str]] = {"ignore": "ignored differences"}
    mode: Annotated[str, choice("heal", "report", "observe")] = "heal"
    breaker: Integer = 5


def _read_fragment(node: Any) -> Mapping:
    if not isinstance(node, Mapping):
        raise fault(
            "expected-map",
            f"expected a map of the service's fields, found {describe(node)}.",
            "Write what is different in this channel, such as `process: {replicas: 4}`.",
        )
    return node


Fragment = Annotated[Mapping, Reads(_read_fragment, {"type": "object"})]


class Service(Document, Gated):
    """One service in all its channels."""

    LATER: ClassVar[AnyMapping[str, str]] = {
        "runtime": "channels with several runtimes",
        "sources": "sources of versions",
        "onRemove": "removal of what runs",
        **{name: f"{name} workloads" for name in LATER_WORKLOADS},
    }
    application: Name
    process: Process | None = None
    custom: Custom | None = None
    fake: Fake | None = None
    select: Matching | None = None
    after: Several[ServiceAfter] = ()
    parameters: MapOf[Text, ServiceParameter] = Field(default_factory=dict)
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    rollout: Rollout = Rollout()
    progress_deadline: Duration = 10 * MINUTE
    rollback: Rollback = Rollback()
    drift: Drift = Drift()
    per_channel: MapOf[Text, Fragment] = Field(default_factory=dict)

    @property
    def workload(self) -> tuple[str, Process | Custom | Fake]:
        """The kind and block of what runs; documents that have been checked have exactly one."""
        blocks = {"process": self.process, "custom": self.custom, "fake": self.fake}
        return next((kind, block) for kind, block in blocks.items() if block is not None)
