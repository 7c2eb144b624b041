"""What a host wrote down, decided again."""

from __future__ import annotations

from functools import reduce
from typing import Any

from tests.engine.toy import decide


async def comes_to_its_state(engine: Any, entity: str) -> bool:
    """Whether the turns written down lead to the state that is durable. They may just be ahead of it by a commit: ask at rest."""
    recording = await engine.recorded(entity)
    state = reduce(lambda state, turn: decide(entity, state, turn.facts, turn.now).state, recording.turns, recording.base)
    return bool(state == await engine.read(entity))
