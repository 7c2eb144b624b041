"""A toy world for hosts: actors that do what the facts posted to them say, and an outside that counts what is done to it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from setpoint.core import facts as happened
from setpoint.core import instructions as do
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.observation import Observation
from setpoint.model.people import Person
from setpoint.model.tasks import TaskDefinition, TaskEnd, TaskResult

DEFINITION = CheckDefinition("toy", "toy", "organization")
TASK = TaskDefinition("toy", "toy", "organization")


class Toy(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that happened to it, in order, and what it stands for."""

    story: tuple[str, ...] = ()
    turns: int = 0
    now: int = 0
    wake_at: int | None = None
    watch: do.Watch | None = None


class Fixed(msgspec.Struct, frozen=True):
    """What seldom changes: nothing here."""


def tell(name: str, *steps: Any) -> happened.Voted:
    """A fact that makes a toy remember ``name`` and take steps such as ``("send", "toy:b", tell("hello"))``."""
    return happened.Voted(person=Person(name), yes=True, why=json.dumps([_plain(step) for step in steps]))


def _plain(step: Sequence[Any]) -> list[Any]:
    return [{"tell": [part.person.name, part.why]} if isinstance(part, happened.Voted) else part for part in step]


def _fact(part: Any) -> Any:
    name, why = part["tell"]
    return happened.Voted(person=Person(name), yes=True, why=why)


def decide(entity: str, state: Toy | None, facts: Sequence[happened.AnyFact], now: int) -> do.Decision:
    """Pure, as every decide."""
    return _Turn(state or Toy(), now).run(facts)


class _Turn:
    def __init__(self, state: Toy, now: int) -> None:
        self.state = state
        self.now = now
        self.story = list(state.story)
        self.instructions: list[do.AnyInstruction] = []
        self.wake_at = state.wake_at
        self.watch = state.watch

    def run(self, facts: Sequence[happened.AnyFact]) -> do.Decision:
        for fact in facts:
            self._meet(fact)
        if self.wake_at is not None and self.wake_at <= self.now and any(isinstance(fact, happened.Woken) for fact in facts):
            self.story.append("due")
            self.wake_at = None
        state = Toy(tuple(self.story), self.state.turns + 1, self.now, self.wake_at, self.watch)
        return do.Decision(state, tuple(self.instructions), self.wake_at)

    def _meet(self, fact: happened.AnyFact) -> None:
        match fact:
            case happened.Voted():
                self.story.append(fact.person.name)
                for name, *parts in json.loads(fact.why):
                    getattr(self, f"_{name}")(*parts)
            case happened.Woken():
                pass
            case happened.CheckStatus():
                self.story.append(f"status:{fact.reason}")
            case happened.Applied():
                self.story.append(f"applied:{fact.operation}:{'terminal ' if fact.terminal else ''}{fact.error}")
            case happened.CheckFinished():
                self.story.append(f"finished:{fact.operation}:{fact.result.outcome}")
            case happened.TaskFinished():
                self.story.append(f"done:{fact.operation}:{fact.result.end}")
            case happened.CheckUnwanted():
                self.story.append(f"unwanted:{fact.operation}")
            case happened.Observed():
                self.story.append(f"observed:{fact.watch}:{fact.observation.message}")
            case happened.Unobserved():
                self.story.append(f"unobserved:{fact.watch}:{fact.message}")

    def _send(self, to: str, part: Any) -> None:
        self.instructions.append(do.Send(to, _fact(part)))

    def _publish(self, text: str) -> None:
        self.instructions.append(
            do.Publish(happened.CheckStatus(attachment="", run=0, outcome=Outcome.PASSING, reason=text, ended=0))
        )

    def _subscribe(self, to: str) -> None:
        self.instructions.append(do.Subscribe(to))

    def _unsubscribe(self, to: str) -> None:
        self.instructions.append(do.Unsubscribe(to))

    def _wake(self, at: int) -> None:
        self.wake_at = at

    def _raise(self, text: str) -> None:
        raise RuntimeError(text)

    def _record(self, text: str) -> None:
        self.instructions.append(do.Record(do.Event("toy", text)))

    def _check(self, operation: str) -> None:
        self.instructions.append(do.RunCheck(operation, DEFINITION))

    def _task(self, operation: str) -> None:
        self.instructions.append(do.RunTask(operation, TASK))

    def _apply(self, operation: str, watch: int = 1, every: int = 50) -> None:
        self.watch = do.Watch(watch, every)
        self.instructions.append(do.Apply(operation, "spec", self.watch))

    def _watch(self, number: int, every: int = 50) -> None:
        self.watch = do.Watch(number, every)
        self.instructions.append(self.watch)

    def _unwatch(self) -> None:
        self.watch = None
        self.instructions.append(do.Unwatch())

    def _cancel(self, operation: str) -> None:
        self.instructions.append(do.Cancel(operation))


def watch(state: Toy) -> do.Watch | None:
    """The standing watch of a toy."""
    return state.watch


class ToyCodec:
    """MessagePack; a toy has nothing that seldom changes."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._state = msgspec.msgpack.Decoder(Toy)
        self._facts = msgspec.msgpack.Decoder(happened.AnyFact)
        self._instructions = msgspec.msgpack.Decoder(do.AnyInstruction)

    def encode_state(self, entity: str, state: Toy, previous: Toy | None) -> tuple[bytes | None, bytes]:
        return (b"" if previous is None else None), self._encoder.encode(state)

    def decode_state(self, entity: str, fixed: bytes, changing: bytes) -> Toy:
        return self._state.decode(changing)

    def encode_fact(self, fact: happened.AnyFact) -> bytes:
        return self._encoder.encode(fact)

    def decode_fact(self, data: bytes) -> happened.AnyFact:
        return self._facts.decode(data)

    def encode_instruction(self, instruction: do.AnyInstruction) -> bytes:
        return self._encoder.encode(instruction)

    def decode_instruction(self, data: bytes) -> do.AnyInstruction:
        return self._instructions.decode(data)


class Outside:
    """What the toys act on: counts, and can be told to wait or to raise."""

    def __init__(self, journal: Path | None = None) -> None:
        self.applied: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.looks: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.shown: dict[str, str] = {}
        """Entity -> what a look sees; a text beginning with ``!`` is raised."""
        self.on_apply: Callable[[str, do.Apply], Awaitable[None]] | None = None
        self.on_check: Callable[[str, do.RunCheck], Awaitable[None]] | None = None
        self.on_task: Callable[[str, do.RunTask], Awaitable[None]] | None = None
        self.on_look: Callable[[str, do.Watch], Awaitable[None]] | None = None
        self._journal = journal
        """Every effect is noted there at once, for tests that kill the process."""

    async def apply(self, entity: str, instruction: do.Apply) -> None:
        self._note("apply", instruction.operation)
        self.applied[instruction.operation] += 1
        if self.on_apply is not None:
            await self.on_apply(entity, instruction)

    async def check(self, entity: str, instruction: do.RunCheck) -> CheckResult:
        self._note("check", instruction.operation)
        self.checked[instruction.operation] += 1
        if self.on_check is not None:
            await self.on_check(entity, instruction)
        return CheckResult(Outcome.PASSING, "fine")

    async def task(self, entity: str, instruction: do.RunTask) -> TaskResult:
        self._note("task", instruction.operation)
        self.tried[instruction.operation] += 1
        if self.on_task is not None:
            await self.on_task(entity, instruction)
        return TaskResult(TaskEnd.SUCCEEDED, "done")

    async def look(self, entity: str, watched: do.Watch) -> Observation:
        self.looks[entity] += 1
        self.running[entity] += 1
        assert self.running[entity] == 1, "one look in flight per entity"
        try:
            if self.on_look is not None:
                await self.on_look(entity, watched)
            else:
                await asyncio.sleep(0)
        finally:
            self.running[entity] -= 1
        text = self.shown.get(entity, "")
        if text.startswith("!"):
            raise RuntimeError(text[1:])
        return Observation(message=text)

    def _note(self, what: str, operation: str) -> None:
        if self._journal is not None:
            with self._journal.open("a") as file:
                file.write(f"{what} {operation}\n")
