"""Service: something that runs."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Constants, Document, Environment, Node
from setpoint.config.documents.channel import read_range
from setpoint.config.documents.declared import Pointer, Removal, SourceBlock
from setpoint.config.documents.gates import ApprovalEntry, Gated, ProtectionEntry
from setpoint.config.documents.parameters import ServiceParameter
from setpoint.config.documents.workloads import FITS, Container, Custom, Fake, Free, Helm, Kubernetes, Process, Terraform
from setpoint.config.syntax.values import (
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
    scalar,
)
from setpoint.config.syntax.yaml import Mapping, Scalar
from setpoint.model.time import MINUTE

WORKLOADS = tuple(FITS)


def _read_traffic(node: Any) -> int:
    text = scalar(node, "a share of traffic")
    if not re.fullmatch(r"[0-9]{1,3}%", text) or int(text[:-1]) > 100:
        raise fault("bad-traffic", f"{describe(text)} is not a valid share of traffic.", "Write a percentage from 0% to 100%.")
    return int(text[:-1])


class StepBlock(Node):
    """One step of a rollout."""

    traffic: Annotated[int, Reads(_read_traffic, {"type": "string", "pattern": "^[0-9]{1,3}%$"})]
    protections: Several[ProtectionEntry] = ()
    for_: Duration = Field(0, alias="for")
    approvals: Several[ApprovalEntry] = ()


class RolloutBlock(Node):
    """How replicas are replaced, or traffic is moved to new ones."""

    max_unavailable: Amount = 0
    max_surge: Amount = 1
    steps: Several[StepBlock] = ()
    keep_old: Duration = 0

    @model_validator(mode="after")
    def _rising(self) -> Self:
        shares = [step.traffic for step in self.steps]
        if shares != sorted(set(shares)):
            hint = "Write them from the smallest share to the largest, such as 5%, 25%, 50%."
            raise fault("steps-not-rising", "each step of a rollout gives more traffic than the one before.", hint, key="steps")
        return self

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


class DriftBlock(Node):
    """What happens when something else than expected runs."""

    mode: Annotated[str, choice("heal", "report", "observe")] = "heal"
    breaker: Integer = 5
    ignore: Several[Pointer] = ()


def _read_fragment(node: Any) -> Mapping:
    if not isinstance(node, Mapping):
        raise fault(
            "expected-map",
            f"expected a map of the service's fields, found {describe(node)}.",
            "Write what is different in this channel, such as `process: {replicas: 4}`.",
        )
    return node


Fragment = Annotated[Mapping, Reads(_read_fragment, {"type": "object"})]


_FIELDS = {name: {"lambda": "lambda_", "cloudRun": "cloud_run"}.get(name, name) for name in WORKLOADS}


class ServiceDocument(Document, Gated):
    """One service in all its channels."""

    application: Name
    process: Process | None = None
    container: Container | None = None
    kubernetes: Kubernetes | None = None
    helm: Helm | None = None
    terraform: Terraform | None = None
    ecs: Free | None = None
    cloud_run: Free | None = None
    lambda_: Free | None = Field(None, alias="lambda")
    nomad: Free | None = None
    systemd: Free | None = None
    static: Free | None = None
    custom: Custom | None = None
    fake: Fake | None = None
    runtime: Name | None = None
    select: Matching | None = None
    after: Several[ServiceAfter] = ()
    parameters: MapOf[Text, ServiceParameter] = Field(default_factory=dict)
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    rollout: RolloutBlock = RolloutBlock()
    progress_deadline: Duration = 10 * MINUTE
    rollback: Rollback = Rollback()
    drift: DriftBlock = DriftBlock()
    sources: Several[SourceBlock] = ()
    on_remove: Removal | None = None
    per_channel: MapOf[Text, Fragment] = Field(default_factory=dict)

    @property
    def workload(self) -> tuple[str, Node | dict[str, Any]]:
        """The kind and block of what runs; documents that have been checked have exactly one."""
        blocks = ((name, getattr(self, field)) for name, field in _FIELDS.items())
        return next((kind, block) for kind, block in blocks if block is not None)


def has_workload(service: ServiceDocument) -> bool:
    """Whether it defines what runs; a document with errors may not."""
    return any(getattr(service, field) is not None for field in _FIELDS.values())
