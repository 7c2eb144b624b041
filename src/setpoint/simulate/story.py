"""The end of a simulated world, told: who was told what, and what came of it."""

from __future__ import annotations

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import AnyInstruction, Apply, Publish, Record, RunCheck, Send, Watch
from setpoint.model.time import Instant
from setpoint.simulate.world import START, Turn, World

TURNS = 40


def tell(world: World, turns: int = TURNS) -> str:
    """The last turns of the entity that broke and of those that it was told about, oldest first."""
    if not world.story:
        return ""
    guilty = world.story[-1].entity
    told = [turn for turn in world.story if turn.entity == guilty or _reaches(turn, guilty)]
    return "\n".join(_line(turn) for turn in told[-turns:])


def _reaches(turn: Turn, entity: str) -> bool:
    return any(isinstance(given, Send) and given.to == entity for given in turn.decision.instructions)


def _line(turn: Turn) -> str:
    facts = ", ".join(_fact(fact) for fact in turn.facts)
    done = ", ".join(filter(None, map(_instruction, turn.decision.instructions)))
    return f"  {_clock(turn.now)}  {turn.entity}: {facts}" + (f" -> {done}" if done else "")


def _clock(now: Instant) -> str:
    seconds, milliseconds = divmod(now - START, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _fact(fact: AnyFact) -> str:
    name = type(fact).__name__
    shown = {key: getattr(fact, key) for key in _SHOWN if hasattr(fact, key)}
    return name + (f"({', '.join(f'{key}={value}' for key, value in shown.items())})" if shown else "")


_SHOWN = ("release", "gate", "error", "run", "outcome", "number", "watch", "look", "service", "version", "stage", "state")


def _instruction(given: AnyInstruction) -> str:
    match given:
        case Record(event):
            return f'"{event.text}"'
        case Apply(spec=spec):
            return f"apply {spec}"
        case RunCheck(definition=definition):
            return f"check {definition.protection}"
        case Send(to, fact):
            return f"{type(fact).__name__} to {to}"
        case Publish(fact):
            return f"publishes {type(fact).__name__}"
        case Watch(number=number):
            return f"watch {number}"
        case _:
            return ""
