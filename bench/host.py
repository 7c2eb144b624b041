# ruff: noqa: ARG002 - stand-ins take what the ports give them
"""What the embedded host alone can do: toy decisions, durable turns per second, and bare SQLite writing the same rows beside it.

    python bench/host.py [--entities 10000] [--spin 50] [--json] [--profile]

Every entity is started, and performs four operations one after the other (two checks, two applies; nothing really happens). Each
turn writes state, four of them a line of history. ``--spin`` is the cost of a decision in µs. Latency is measured from the end
of a check to the start of the apply that waits for it, on an idle engine and on one at half of what it can do.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from setpoint.core import facts as happened
from setpoint.core import instructions as do
from setpoint.engine.embedded import EmbeddedEngine
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.observation import Observation
from setpoint.model.people import Person
from setpoint.model.tasks import TaskEnd, TaskResult
from setpoint.server.storage import store_of
from setpoint.store.journal import Commit
from setpoint.store.sqlite import SqliteStore
from setpoint.store.sqlite.changes import Numbers
from setpoint.store.sqlite.journal import save

STEPS = 4
CHECK = CheckDefinition("bench", "bench", "organization")
WATCH = do.Watch(1, 3_600_000)
GO = happened.Voted(person=Person("bench"), yes=True)


class State(msgspec.Struct, frozen=True):
    """About as large as an instance's life."""

    step: int
    filler: str = "x" * 400


class BenchCodec:
    """MessagePack."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._facts = msgspec.msgpack.Decoder(happened.AnyFact)
        self._instructions = msgspec.msgpack.Decoder(do.AnyInstruction)
        self._states = msgspec.msgpack.Decoder(State)

    def encode_state(self, entity: str, state: State, previous: State | None) -> tuple[bytes | None, bytes]:
        """A policy of 2 KB the first time."""
        return (b"p" * 2000 if previous is None else None), self._encoder.encode(state)

    def decode_state(self, entity: str, fixed: bytes, changing: bytes) -> State:
        """See the port."""
        return self._states.decode(changing)

    def encode_fact(self, fact: happened.AnyFact) -> bytes:
        """See the port."""
        return self._encoder.encode(fact)

    def decode_fact(self, data: bytes) -> happened.AnyFact:
        """See the port."""
        fact: happened.AnyFact = self._facts.decode(data)
        return fact

    def encode_instruction(self, instruction: do.AnyInstruction) -> bytes:
        """See the port."""
        return self._encoder.encode(instruction)

    def decode_instruction(self, data: bytes) -> do.AnyInstruction:
        """See the port."""
        instruction: do.AnyInstruction = self._instructions.decode(data)
        return instruction


class Nothing:
    """Performs immediately; notes when a check ended and when the apply after it began."""

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}
        self.latencies: list[float] = []

    async def apply(self, entity: str, instruction: do.Apply) -> None:
        """Taken on."""
        began = self.ended.pop(entity, None)
        if began is not None:
            self.latencies.append(time.perf_counter() - began)

    async def check(self, entity: str, instruction: do.RunCheck) -> CheckResult:
        """Passing."""
        self.ended[entity] = time.perf_counter()
        return CheckResult(Outcome.PASSING, "fine")

    async def task(self, entity: str, instruction: do.RunTask) -> TaskResult:
        """Succeeds."""
        return TaskResult(TaskEnd.SUCCEEDED)

    async def look(self, entity: str, watch: do.Watch) -> Observation:
        """Nothing runs."""
        return Observation()


def spinning(micros: float) -> Any:
    """A decide that costs about ``micros`` µs."""
    spin = micros / 1e6

    def decide(entity: str, state: State | None, facts: Sequence[happened.AnyFact], now: int) -> do.Decision:
        end = time.perf_counter() + spin
        step = state.step if state is not None else 0
        instructions: list[do.AnyInstruction] = []
        for fact in facts:
            if isinstance(fact, happened.Voted):
                step = 0
            if isinstance(fact, happened.Voted | happened.Applied | happened.CheckFinished):
                instructions += _next(entity, step)
                step += 1
        while time.perf_counter() < end:
            pass
        return do.Decision(State(step), tuple(instructions), now + 3_600_000)

    return decide


def _next(entity: str, step: int) -> list[do.AnyInstruction]:
    if step >= STEPS:
        return [do.Publish(happened.CheckStatus(attachment=entity, run=step, outcome=Outcome.PASSING, reason="", ended=0))]
    operation = f"{entity}/1/{step}"
    effect = do.Apply(operation, "spec", WATCH) if step % 2 else do.RunCheck(operation, CHECK)
    subscribe = [do.Subscribe(entity)] if step == 0 else []
    return [*subscribe, effect, do.Record(do.Event("phase-entered", f"step {step} of the way", release=1, version="1.2.3"))]


class Recorder:
    """Keeps what is written, so that bare SQLite can write it again."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self.batches: list[Commit] = []
        inner = engine._commit

        async def commit(decided: Any) -> None:
            self.batches.append(decided.writes)
            await inner(decided)

        engine._commit = commit  # type: ignore[method-assign]


async def quiet(engine: EmbeddedEngine) -> None:
    """Wait until nothing is left to do."""
    while (health := engine.health()).queued or health.operations:  # noqa: ASYNC110 - quiet is not an event
        await asyncio.sleep(0.002)


async def throughput(home: Path, entities: int, spin: float, profile: bool) -> dict[str, float]:
    """Run all entities together."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    performer = Nothing()
    engine = EmbeddedEngine(home, store_of(home), decide=spinning(spin), codec=BenchCodec(), performer=performer)
    recorder = Recorder(engine)
    profiler = cProfile.Profile()
    async with engine:
        started, loop_cpu, cpu = time.perf_counter(), time.thread_time(), time.process_time()
        if profile:
            profiler.enable()
        await engine.post_all((f"instance:bench/s{number}@c", GO) for number in range(entities))
        await quiet(engine)
        profiler.disable()
        elapsed = time.perf_counter() - started
        loop_cpu, cpu = time.thread_time() - loop_cpu, time.process_time() - cpu
        health = engine.health()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    bare = write_again(home.parent / "bare.db", recorder.batches)
    rows = sum(batch.rows for batch in recorder.batches)
    return {
        "entities": entities,
        "seconds": elapsed,
        "turns_per_second": health.turns / elapsed,
        "loop_cpu_us_per_turn": loop_cpu / health.turns * 1e6,
        "cpu_us_per_turn": cpu / health.turns * 1e6,
        "entities_per_second": entities / elapsed,
        "rows_per_entity": rows / entities,
        "rows_per_second": rows / elapsed,
        "commits": health.commits,
        "bare_seconds": bare,
        "ratio": bare / elapsed,
        "memory_kb_per_entity": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / entities,
    }


def write_again(path: Path, batches: list[Commit]) -> float:
    """The same rows in the same transactions, by nothing but SQLite."""
    database = SqliteStore(path).database
    database.open()
    connection = database.connection
    started = time.perf_counter()
    for batch in batches:
        if batch:
            connection.execute("BEGIN IMMEDIATE")
            save(connection, batch, Numbers(connection))
            connection.execute("COMMIT")
    elapsed = time.perf_counter() - started
    database.close()
    return elapsed


async def latency(home: Path, entities: int, spin: float, per_second: float, seconds: float) -> dict[str, float]:
    """Entities start one after the other on an engine that knows many; p50 and p99 in milliseconds."""
    performer = Nothing()
    async with EmbeddedEngine(home, store_of(home), decide=spinning(spin), codec=BenchCodec(), performer=performer) as engine:
        await quiet(engine)
        performer.latencies.clear()
        started_at, sent = time.perf_counter(), 0
        while (now := time.perf_counter() - started_at) < seconds:
            due = int(now * per_second)
            posts = [engine.post(f"instance:bench/s{number % entities}@c", GO) for number in range(sent, due)]
            sent = due
            await asyncio.gather(*posts, asyncio.sleep(0.01))
        await quiet(engine)
        turns = engine.health().turns / (time.perf_counter() - started_at)
    found = sorted(performer.latencies)
    return {"turns_per_second": turns, "p50_ms": found[len(found) // 2] * 1000, "p99_ms": found[int(len(found) * 0.99)] * 1000}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--spin", type=float, default=50)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="setpoint-bench-"))
    try:
        home = directory / "home"
        figures: dict[str, Any] = {
            "sqlite": sqlite3.sqlite_version,
            "throughput": asyncio.run(throughput(home, arguments.entities, arguments.spin, arguments.profile)),
        }
        half = figures["throughput"]["entities_per_second"] / 2
        figures["idle"] = asyncio.run(latency(home, arguments.entities, arguments.spin, 10, 3))
        figures["half"] = asyncio.run(latency(home, arguments.entities, arguments.spin, half, 5))
    finally:
        shutil.rmtree(directory)
    if arguments.json:
        json.dump(figures, sys.stdout, indent=2)
        return
    for name, group in figures.items():
        for key, value in group.items() if isinstance(group, dict) else [("", group)]:
            print(f"{name:>12} {key:<22} {value:>12,.2f}" if isinstance(value, float) else f"{name:>12} {key:<22} {value:>12}")


if __name__ == "__main__":
    main()
