"""Canonical form of a state: without its texts and the bookkeeping by which it was reached."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

import msgspec

from setpoint.core.instance.state import Attempt, InstanceState, Life, Vetoed, offer_of
from setpoint.model.release import Pair

_PROSE = frozenset({"text", "reason", "message", "awaits", "unblock", "why_not", "failure", "stuck", "error"})
"""Fields that hold sentences: whether there is one counts, not its wording."""
_PROSE_BY_KEY = frozenset({"declined"})


def canonical(state: Any) -> dict[str, Any]:
    """As plain data that JSON can hold."""
    if isinstance(state, InstanceState):
        return _of_instance(state)
    found = plain(state)
    return found if isinstance(found, dict) else {}


def _of_instance(state: InstanceState) -> dict[str, Any]:
    life = state.life
    return {
        "target": _version(life, life.target),
        "goods": [_version(life, release) for release in life.goods],
        "good": _version(life, life.good),
        "frontier": life.frontier,
        "finalized": [[plain(done.version), done.release] for done in (*state.archive, *life.finalized)],
        "revoked": plain(life.revoked),
        "candidate": _attempt(life.candidate),
        "rollout": _attempt(life.rollout.attempt if life.rollout else None),
        "goes back to": _pair(life.rollout.to) if life.rollout and life.rollout.back else 0,
        "failed": life.failure.release if life.failure else 0,
        "vetoes": [veto.release if veto.scope is Vetoed.VERSION else _pair(veto.pair) for veto in life.vetoes],
        "pin": life.pin,
        "held": life.hold is not None,
        "observed only": life.observing is not None,
        "tripped": bool(life.breaker and life.breaker.tripped),
        "applied": life.applying.spec,
        "applies": life.applying.count,
        "removed": state.removed,
    } | ({"configuration": life.configuration_frontier} if life.configuration_frontier else {})


def _version(life: Life, pair: Pair) -> Any:
    offer = offer_of(life, pair)
    return [_pair(pair), plain(offer.version) if offer else None]


def _pair(pair: Pair) -> Any:
    return [pair.release, pair.configured] if pair.configured else pair.release


def _attempt(attempt: Attempt | None) -> Any:
    return [attempt.number, _pair(attempt.pair), str(attempt.kind), str(attempt.phase)] if attempt else None


def plain(value: Any) -> Any:
    """Structs, mappings and sequences as nested data, without prose and without defaults.

    So a field that a later version adds makes no difference until it has another value.
    """
    if isinstance(value, msgspec.Struct):
        usual = _usual(type(value))
        fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
        stated = {name: _field(name, one) for name, one in fields if name not in usual or one != usual[name]}
        return {"is": type(value).__name__} | stated
    if isinstance(value, dict):
        return [[plain(key), plain(one)] for key, one in value.items()]
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value


@cache
def _usual(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Field -> its default."""
    found = {}
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            found[field.name] = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
    return found


def _field(name: str, value: Any) -> Any:
    if name in _PROSE and isinstance(value, str):
        return bool(value)
    if name in _PROSE_BY_KEY and isinstance(value, dict):
        return list(value)
    return plain(value)
