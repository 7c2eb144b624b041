"""Limits: how many deploy at the same time, and how a release goes through a group."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import model_validator

from setpoint.config.documents.base import Node
from setpoint.config.syntax.values import Boolean, Duration, Matching, Principal, Reads, Several, fault, read_amount
from setpoint.config.syntax.yaml import Scalar


def _above_nothing(node: Any, name: str, instead: str) -> int | str:
    amount = read_amount(node)
    if amount in {0, "0%"}:
        raise fault("never-begins", f"`{name}: {amount}` lets nothing begin, ever.", instead)
    return amount


def _read_concurrent(node: Any) -> int | str:
    return _above_nothing(node, "maxConcurrent", "Write at least 1; `setpoint stop-the-line` stops everything.")


def _read_failures(node: Any) -> int | str:
    return _above_nothing(node, "maxFailures", "Write at least 1: so many failed, and nothing new begins.")


def _read_size(node: Any) -> int | str:
    if isinstance(node, Scalar) and node == "rest":
        return "rest"
    return _above_nothing(node, "size", "Write at least 1, a percentage, or rest.")


def _read_share(node: Any) -> int | str:
    amount = read_amount(node)
    if amount in {0, "0%"}:
        hint = "Write at least 1, or merge the wave with the next."
        raise fault("never-holds-back", f"`need: {amount}` waits for nothing.", hint)
    return amount


_AMOUNT = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]{1,3}%$"}]}
MaxConcurrent = Annotated[int | str, Reads(_read_concurrent, _AMOUNT)]
MaxFailures = Annotated[int | str, Reads(_read_failures, _AMOUNT)]
Size = Annotated[int | str, Reads(_read_size, {"type": ["string", "integer"], "examples": [1, "10%", "rest"]})]
Need = Annotated[int | str, Reads(_read_share, _AMOUNT)]


class WaveBlock(Node):
    """Channels of a group that begin together: those that ``select`` matches, or the next ``size``."""

    select: Matching | None = None
    size: Size | None = None
    soak: Duration = 0
    need: Need = "100%"
    allow_empty: Boolean = False
    when: Matching | None = None
    override: Several[Principal] | None = None

    @model_validator(mode="after")
    def _picks_one_way(self) -> Self:
        if (self.select is None) is (self.size is None):
            used = "both `select` and `size`" if self.select else "neither `select` nor `size`"
            raise fault(
                "one-way-to-pick", f"a wave has {used}.", "Write one, such as `size: 10%`; `size: rest` takes all that are left."
            )
        return self


class LimitsBlock(Node):
    """``waves`` and ``maxFailures`` belong to groups."""

    max_concurrent: MaxConcurrent | None = None
    waves: Several[WaveBlock] = ()
    max_failures: MaxFailures | None = None
    when: Matching | None = None
    override: Several[Principal] | None = None
