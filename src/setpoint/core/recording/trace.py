"""Trace of an entity: what each of its turns was given and what was decided, as data that any later version can replay.

A later version may use other texts, and keep other things in its states. But the same facts must still lead to
the same instructions, the same times, and in the end to the same targets, goods, vetoes and finalized versions.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from setpoint.core.decide import STATES, decide
from setpoint.core.facts import AnyFact
from setpoint.core.instructions import AnyInstruction, Decision, Record
from setpoint.core.recording.canonical import canonical, plain
from setpoint.core.recording.codec import SCHEMA, Codec
from setpoint.model.names import kind_of
from setpoint.model.time import Instant

Decide = Callable[[str, Any, Sequence[AnyFact], Instant], Decision]
_codec = Codec()


class TraceTurn(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One turn: what it was given, and what was decided."""

    now: Instant
    facts: tuple[AnyFact, ...]
    instructions: tuple[AnyInstruction, ...] = ()
    wake_at: Instant | None = None
    digest: str = ""
    """Of the state that it led to."""


class Trace(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Turns of one entity, one after the other."""

    schema: int = SCHEMA
    """Of the states."""
    entity: str
    about: str = ""
    """What happens in it, in a sentence."""
    first: int = 1
    """Number of the first turn."""
    base: dict[str, Any] | None = None
    """The state before it; None: there was none."""
    turns: tuple[TraceTurn, ...]
    ends: dict[str, Any]
    """Canonical form of the last state."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """Difference between what was recorded and what is decided today."""

    turn: int
    """Its number; 0: the end of the trace."""
    now: Instant
    what: str
    """``instructions``, ``wake_at``, the name of something that it ends with, or ``error``."""
    recorded: str
    today: str


class UnreadableTrace(ValueError):  # noqa: N818 - named after what is wrong
    """Not a trace, or not one that this version can read."""


def digest_of(entity: str, state: Any) -> str:
    """A digest of a state, as hosts write it down with each turn: 8 hexadecimal characters."""
    return f"{zlib.crc32(_codec.encode_state(entity, state, None)[1]):08x}"


def recorded(
    entity: str, base: Any, turns: Iterable[tuple[Instant, tuple[AnyFact, ...]]], *, first: int = 1, about: str = ""
) -> Trace:
    """Return the trace of these turns as decided now. Raises what a decision raises, KeyError for an unknown kind of entity."""
    state, moves = base, []
    for now, facts in turns:
        decision = decide(entity, state, facts, now)
        state = decision.state
        moves.append(TraceTurn(now, facts, decision.instructions, decision.wake_at, digest_of(entity, state)))
    before = None if base is None else msgspec.json.decode(msgspec.json.encode(base))
    return Trace(entity=entity, about=about, first=first, base=before, turns=tuple(moves), ends=canonical(state))


def replay(story: Trace, decided: Decide = decide) -> list[Difference]:
    """Decide everything again; what differs, in order. Nothing follows after a turn that raises.

    Raises:
        UnreadableTrace: its base is not a state of this version.
    """
    found: list[Difference] = []
    state = base_of(story)
    for number, turn in enumerate(story.turns, start=story.first):
        try:
            decision = decided(story.entity, state, turn.facts, turn.now)
        except Exception as error:  # noqa: BLE001 - whatever it raises is what is decided today
            return [*found, Difference(number, turn.now, "error", "a decision", f"{type(error).__name__}: {error}")]
        state = decision.state
        found += _differences(number, turn, decision)
    return found + _endings(story, state)


def base_of(story: Trace) -> Any:
    """The state before the first turn. Raises UnreadableTrace."""
    kind = kind_of(story.entity)
    if kind not in STATES:
        raise UnreadableTrace(f'"{story.entity}" is not an entity that this version knows')
    if story.base is None:
        return None
    try:
        return msgspec.convert(story.base, STATES[kind], str_keys=True)
    except msgspec.ValidationError as error:
        raise UnreadableTrace(f"the state before turn {story.first} cannot be read: {error}") from error


def _differences(number: int, turn: TraceTurn, decision: Decision) -> list[Difference]:
    found = []
    if plain(turn.instructions) != plain(decision.instructions):
        recorded, today = _first_difference(turn.instructions, decision.instructions)
        found.append(Difference(number, turn.now, "instructions", recorded, today))
    if turn.wake_at != decision.wake_at:
        found.append(Difference(number, turn.now, "wake_at", str(turn.wake_at), str(decision.wake_at)))
    return found


def _first_difference(recorded: Sequence[AnyInstruction], today: Sequence[AnyInstruction]) -> tuple[str, str]:
    """The first pair that is not the same, in short."""
    for one, other in zip(recorded, today, strict=False):
        if plain(one) != plain(other):
            return _shown(one), _shown(other)
    rest = [_shown(more) for more in (*recorded[len(today) :], *today[len(recorded) :])]
    return (rest[0], "nothing more") if len(recorded) > len(today) else ("nothing more", rest[0])


def _shown(instruction: AnyInstruction) -> str:
    name = type(instruction).__name__
    if isinstance(instruction, Record):
        return f"{name} {instruction.event.kind}: {instruction.event.text}"
    fields = msgspec.to_builtins(instruction, str_keys=True)
    del fields["type"]
    return f"{name} {msgspec.json.encode(fields).decode()}"


def _endings(story: Trace, state: Any) -> list[Difference]:
    """What a later version has in addition does not count as a difference; what it lacks does."""
    today = canonical(state)
    last = story.turns[-1].now if story.turns else 0
    return [
        Difference(0, last, name, str(recorded), str(today.get(name, "nothing")))
        for name, recorded in story.ends.items()
        if name not in today or today[name] != recorded
    ]


# --- as text ----------------------------------------------------------------------------------------------------------


def written(story: Trace) -> str:
    """As JSON: what it is about, then a line for each turn."""
    return laid_out(msgspec.to_builtins(story, str_keys=True))


def laid_out(story: dict[str, Any]) -> str:
    """The same of a story that is data already."""
    head = [f"{_json(key)}: {_json(value)}" for key, value in story.items() if key != "turns"]
    turns = ",\n".join(f"    {_json(turn)}" for turn in story["turns"])
    return "{\n  " + ",\n  ".join(head) + f',\n  "turns": [\n{turns}\n  ]\n}}\n'


def read(text: str | bytes) -> Trace:
    """Read a trace from its text. Raises UnreadableTrace."""
    try:
        return msgspec.json.decode(text, type=Trace)
    except msgspec.MsgspecError as error:
        raise UnreadableTrace(str(error)) from error


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
