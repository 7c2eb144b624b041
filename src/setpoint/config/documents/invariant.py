"""Invariant: what must always be so, whoever owns the application."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from setpoint.config.documents.base import Document, Node
from setpoint.config.documents.channel import read_range
from setpoint.config.values import Amount, Boolean, Integer, Matching, Name, Reads, Several, choice, fault


class Approved(Node):
    """By how many people the move must have been approved."""

    topic: Name
    min: Integer = 1


class Skew(Node):
    """How far two services of a channel may be apart."""

    service: Name
    max_step: Annotated[str, choice("major", "minor", "patch")]


class Require(Node):
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
        asked = (self.finalized_in, self.not_bad, self.approved, self.runs, self.same_as, self.skew, self.open)
        if not any(asked) and self.moving is None:
            raise fault(
                "empty-invariant", "`require` requires nothing.", "Write such as `{notBad: true}`, or remove the document."
            )
        return self


class Invariant(Document):
    """Checked all the time."""

    select: Matching
    when: Matching | None = None
    require: Require
    on_violation: Annotated[str, choice("alarm", "stop-the-line")] = "alarm"
