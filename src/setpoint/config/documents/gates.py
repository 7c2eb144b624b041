"""The gate fields, which mean the same on every node: protections, tasks, approvals, calendars, limits."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from setpoint.config.documents.base import Document, Node
from setpoint.config.documents.limits import LimitsBlock
from setpoint.config.documents.windows import WindowBlock
from setpoint.config.syntax.values import (
    Anything,
    Boolean,
    Duration,
    Integer,
    MapOf,
    Matching,
    Name,
    Principal,
    Several,
    Template,
    Text,
    Zone,
    choice,
    fault,
)
from setpoint.config.syntax.yaml import Mapping, Scalar, Sequence
from setpoint.model.names import is_kind
from setpoint.model.policy import Phase

Subject = Annotated[str, choice("organization", "application", "runtime", "group", "channel", "instance")]


PHASES = tuple(phase for phase in Phase if phase is not Phase.APPROVAL)
"""Those in which checks can be used."""


class Common(Node):
    """The fields of every gate entry."""

    name: Name | None = None
    per: Subject | None = None
    when: Matching | None = None
    override: Several[Principal] | None = None


class Holds(Node):
    """Options of the phases before deployment."""

    for_: Duration = Field(0, alias="for")
    fail_after: Duration | None = None


class Deploys(Node):
    """Options of the deployment phase."""

    on_fail: Annotated[str, choice("fail", "wait")] = "fail"
    fail_after: Duration | None = None


class Verifies(Holds):
    """Options of the post-deployment phase."""

    delay: Duration = 0
    tolerate: Integer = 0


class Phases(Node):
    """``at``: a phase, a list of phases, or a map phase -> options."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = (
        {"enum": [str(phase) for phase in PHASES]},
        {"type": "array", "items": {"enum": [str(phase) for phase in PHASES]}},
    )
    pre_approval: Holds | None = Field(None, alias="pre-approval")
    pre_deployment: Holds | None = Field(None, alias="pre-deployment")
    deployment: Deploys | None = None
    post_deployment: Verifies | None = Field(None, alias="post-deployment")

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A phase alone has no options."""
        return {scalar: Scalar.of("", scalar.position, plain=True)}

    @classmethod
    def listed(cls, items: Sequence) -> Any:
        """Several phases without options."""
        if not all(isinstance(item, Scalar) for item in items):
            return items
        return Mapping({item: Scalar.of("", item.position, plain=True) for item in items}, position=items.position)


class ProtectionEntry(Common):
    """One entry of ``protections``."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ({"type": "string"},)
    use: Name
    with_: MapOf[Text, Anything] = Field(default_factory=dict, alias="with")
    at: Phases | None = None
    after: Name | None = None
    informational: Boolean = False
    interval: Duration | None = None
    timeout: Duration | None = None
    max_age: Duration | None = None

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A text is what is used."""
        return {"use": scalar}


class TaskEntry(Common):
    """One entry of ``tasks``."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ({"type": "string"},)
    use: Name
    with_: MapOf[Text, Anything] = Field(default_factory=dict, alias="with")
    at: Annotated[str, choice(*(str(phase) for phase in PHASES))] = "pre-deployment"
    key: Template | None = None
    retries: Integer = 3
    on_fail: Annotated[str, choice("wait", "fail")] | None = None

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A text is what is used."""
        return {"use": scalar}


class ApprovalEntry(Common):
    """One entry of ``approvals``."""

    topic: Name
    from_: Several[Principal] | None = Field(None, alias="from")
    min: Integer = 1
    allow_author: Boolean = False
    expires: Duration = 0
    plan: Boolean = False

    @model_validator(mode="after")
    def _can_be_given(self) -> Self:
        if self.min == 0:
            raise fault("no-approvers", "`min: 0` needs no approver.", "Write at least 1, or remove the approval.", key="min")
        people = self.from_ or ()
        if self.from_ == ():
            raise fault(
                "no-approvers",
                "`from` is empty, so no principal can approve.",
                "Name a group or user, or leave `from` out to allow everybody with the right.",
                key="from",
            )
        if people and self.min > len(set(people)) and not any(is_kind(person, "group") or "${" in person for person in people):
            raise fault(
                "no-approvers",
                f"`min: {self.min}` can never be met by the {len(set(people))} named.",
                "Name more people or a group, or lower `min`.",
                key="min",
            )
        return self


class CalendarFields(Node):
    """What a calendar has, whether it has a document of its own or stands in place."""

    open: Several[WindowBlock] | None = None
    closed: Several[WindowBlock] = ()
    timezone: Zone | None = None
    in_flight: Annotated[str, choice("finish", "pause")] | None = None

    @model_validator(mode="after")
    def _budgets_can_be_counted(self) -> Self:
        if any(window.max for window in self.closed):
            message = "nothing starts in a `closed` window, so `max` has no effect."
            raise fault("budget-of-closed", message, "Write it in an `open` window.", key="closed")
        endless = [window for window in self.open or () if window.max and not _ends(window)]
        if endless:
            raise fault(
                "endless-budget",
                f"`max: {endless[0].max}` in a window that never ends lets so many start, and none after them.",
                "Write how often it repeats, such as `every: week` with `for: 1w`.",
                key="open",
            )
        return self


class CalendarDocument(Document, CalendarFields):
    """Named windows, used by any gate."""

    when: Matching | None = None
    override: Several[Principal] | None = None


def _ends(window: WindowBlock) -> bool:
    return bool(window.days or window.hours or window.every or window.rrule or window.until)


class CalendarEntry(Common, CalendarFields):
    """One entry of ``calendars``: the name of a Calendar, or its fields in place."""

    SHORT: ClassVar[AnySequence[AnyMapping[str, Any]]] = ({"type": "string"},)

    @classmethod
    def short(cls, scalar: Scalar) -> dict[str, Any] | None:
        """A text is the name of a Calendar."""
        return {"name": scalar}


class Gated(Node):
    """A node that may bear gates."""

    protections: Several[ProtectionEntry] = ()
    tasks: Several[TaskEntry] = ()
    approvals: Several[ApprovalEntry] = ()
    calendars: Several[CalendarEntry] = ()
    limits: LimitsBlock | None = None
