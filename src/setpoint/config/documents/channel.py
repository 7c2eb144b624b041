"""Channel: one place to release to."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from setpoint.config.documents.base import Constants, Environment, Labelled, Node
from setpoint.config.documents.gates import Gated
from setpoint.config.documents.windows import WindowBlock
from setpoint.config.documents.workloads import Path
from setpoint.config.syntax.values import (
    Boolean,
    Duration,
    MapOf,
    Matching,
    Name,
    Principal,
    Reads,
    Several,
    Text,
    Zone,
    choice,
    describe,
    fault,
    read_amount,
    read_selector,
    scalar,
)
from setpoint.config.syntax.yaml import Mapping, Scalar
from setpoint.model.grammars.versions import parse_range


def _read_need(node: Any) -> int | str:
    text = scalar(node, "all, any or an amount")
    if text in {"all", "any"}:
        return "".join(text)
    amount = read_amount(node)
    if amount in {0, "0%"}:
        raise fault("never-holds-back", "`need: 0` waits for nothing.", "Write all, any or at least 1, or leave `after` out.")
    return amount


def read_range(node: Any) -> Scalar:
    """A range of versions."""
    text = scalar(node, "a range of versions")
    try:
        parse_range(text)
    except ValueError as error:
        raise fault("bad-range", f"{str(error).rstrip('.')}.", 'Write one such as "^1.4", ">=2 <4", "1.x" or "*".') from None
    return text


class After(Node):
    """One entry of a channel's ``after``: ``channels`` or ``select``."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ({"type": "string"},)
    name: Name | None = None
    channels: Several[Name] | None = None
    select: Matching | None = None
    allow_empty: Boolean = False
    soak: Duration = 0
    need: Annotated[int | str, Reads(_read_need, {"type": ["string", "integer"], "examples": ["all", "any", 2, "50%"]})] = "all"
    when: Matching | None = None
    override: Several[Principal] | None = None

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A text is a channel or a group."""
        return {"channels": scalar}

    @model_validator(mode="after")
    def _one_way_to_name(self) -> Self:
        if self.channels is None and self.select is None:
            raise fault(
                "empty-after", "`after` has neither `channels` nor `select`.", "Name a channel or a group, or select some."
            )
        if self.channels is not None and self.select is not None:
            raise fault(
                "two-ways-at-once",
                "`after` has both `channels` and `select`.",
                "Keep one; two entries of `after` must both hold.",
                key="select",
            )
        return self


class AcceptsBlock(Node):
    """Which versions are taken at all."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ({"type": "string"},)
    range: Annotated[str, Reads(read_range, {"type": "string"})] = "*"
    min_step: Annotated[str, choice("major", "minor", "patch")] = ""
    max_step: Annotated[str, choice("major", "minor", "patch")] = ""
    prereleases: Boolean = False
    when: Matching | None = None

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A text is a range."""
        return {"range": scalar}

    @model_validator(mode="after")
    def _satisfiable(self) -> Self:
        size = {"": 0, "patch": 1, "minor": 2, "major": 3}
        if self.max_step and size[self.min_step] > size[self.max_step]:
            message = f"no version can be at least a {self.min_step} and at most a {self.max_step} step away."
            raise fault(
                "unsatisfiable-accepts",
                message,
                f"Exchange the two, or leave `maxStep` out to take {self.min_step} steps and larger ones.",
                key="maxStep",
            )
        return self


class CadenceBlock(WindowBlock):
    """A calendar that admits ``max`` finalized releases per occurrence."""


def _read_fields(node: Any) -> Mapping:
    if not isinstance(node, Mapping):
        raise fault(
            "expected-map",
            f"expected a map of a channel's fields, found {describe(node)}.",
            "Write `{name: …}` and what is different there, such as `runtime: eu-1`.",
        )
    return node


def _read_override(node: Any) -> Mapping:
    if not isinstance(node, Mapping) or "select" not in node:
        raise fault(
            "expected-map",
            "an override is a map with `select` and a channel's fields.",
            "Write such as `{select: tier=single, strategy: manual}`.",
        )
    try:
        read_selector(node["select"])
    except PydanticCustomError as error:
        context = error.context or {}
        raise fault(error.type, str(context["message"]), str(context["hint"]), key="select") from None
    return node


Fields = Annotated[Mapping, Reads(_read_fields, {"type": "object", "required": ["name"]})]
Override = Annotated[Mapping, Reads(_read_override, {"type": "object", "required": ["select"]})]


class Each(Node):
    """One channel per entry: exactly one of ``runtimes``, ``items`` and ``itemsFrom``."""

    LATER: ClassVar[AnyMapping[str, str]] = {"pullRequests": "channels for pull requests"}
    runtimes: Matching | None = None
    items: Several[Fields] | None = None
    items_from: Path | None = None
    allow_empty: Boolean = False


class ChannelFields(Labelled, Gated):
    """A channel in place, below its application; with ``each`` a group of channels."""

    LATER: ClassVar[AnyMapping[str, str]] = {}
    runtime: Name = "local"
    runtimes: MapOf[Name, Name] = Field(default_factory=dict)
    services: Several[Name] | None = None
    after: Several[After] = ()
    strategy: Annotated[str, choice("newest-ready", "newest", "every", "manual")] | None = None
    mirror: Name | None = None
    start_from: Name | None = None
    accepts: AcceptsBlock | None = None
    cadence: CadenceBlock | None = None
    timezone: Zone | None = None
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    each: Each | None = None
    overrides: Several[Override] = ()
    together: Boolean = False
    on_remove: Annotated[str, choice("keep", "destroy")] | None = None

    @model_validator(mode="after")
    def _one_way_to_say_where(self) -> Self:
        if self.runtimes and "runtime" in self.model_fields_set:
            hint = "Keep `runtimes` where services differ in where they run, else `runtime`."
            raise fault("two-ways-at-once", "a channel has `runtime` or `runtimes`, not both.", hint, key="runtimes")
        return self

    @model_validator(mode="after")
    def _one_way_to_select(self) -> Self:
        if self.mirror and self.strategy:
            raise fault(
                "strategy-and-mirror",
                "a channel that mirrors another has no strategy of its own.",
                "Remove `strategy` or `mirror`.",
                key="strategy",
            )
        return self


class ChannelDocument(ChannelFields):
    """A channel as a document of its own."""

    api_version: Text | None = None
    kind: Text
    application: Name
