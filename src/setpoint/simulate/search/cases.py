"""Regression cases: plans that once broke an invariant, as files. Each is expected to hold now."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from setpoint.durable import files
from setpoint.simulate.acts import ACTS, Act
from setpoint.simulate.plan import Plan


class CaseError(ValueError):
    """A file is not a case; the message names it and the reason."""


class _Case(msgspec.Struct, frozen=True):
    invariant: str
    timeline: str
    plan: dict[str, Any]


def write(path: Path, plan: Plan, invariant: str, timeline: str) -> None:
    """Save a case as JSON."""
    case = _Case(invariant, timeline, msgspec.to_builtins(plan))
    files.replace(path, msgspec.json.format(msgspec.json.encode(case), indent=1) + b"\n", mode=0o666)


def read(path: Path) -> tuple[Plan, str]:
    """(plan, the invariant that it once broke). Raises CaseError."""
    try:
        case = msgspec.json.decode(path.read_bytes(), type=_Case)
        acts = msgspec.convert(case.plan.get("acts", []), tuple[_any_act(), ...])  # type: ignore[misc]
        plan = msgspec.convert({**case.plan, "acts": []}, Plan)
    except (OSError, msgspec.MsgspecError) as error:
        raise CaseError(f"{path} is not a valid case of the simulator: {error}") from error
    return msgspec.structs.replace(plan, acts=acts), case.invariant


@cache
def _any_act() -> Any:
    """The union of every kind of act there is."""
    found: Any = ACTS[0]
    for kind in ACTS[1:]:
        found = found | kind
    return found


__all__ = ["Act", "CaseError", "read", "write"]
