"""The whole engine on the fake runtime: how fast instances are finalized, and what one costs at rest.

    python -m bench.engine [--instances 1000 10000] [--idle 60] [--json] [--profile]

Every instance has an ordering (after the first channel of its service), a pre- and a post-deployment check shared by its channel,
effects through operation rows, and history. One release brings a version everywhere; the clock runs until all are finalized.
``ratio`` is the time that bare SQLite takes for the same rows (same batches, pragmas, file system), divided by ours.
Latency is from the end of the check run that turned a gate green to the start of the apply that waited for it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.host import Recorder, quiet, write_again
from msgspec.structs import replace

from setpoint.core.attachment import AttachmentState
from setpoint.core.decide import decide, watch
from setpoint.core.facts import CheckStatus, Configured, ReleaseRequested
from setpoint.core.instance.explain import Condition, condition
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import Apply, RunCheck, RunTask
from setpoint.core.recording.codec import Codec
from setpoint.engine.effects import RealEffects, RuntimeDefinition
from setpoint.engine.embedded import EmbeddedEngine
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.policy import CheckUse, Ordering, Phase, Policy
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Spec, Version, Workload
from setpoint.model.tasks import TaskResult
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server.storage import store_of

CHANNELS = tuple(f"c{number}" for number in range(11))
"""The first is what the ten others are ordered after."""


class Switch:
    """A protection that blocks until it is switched, and notes when each run of it ended."""

    def __init__(self) -> None:
        self.passing = True
        self.ended: dict[str, float] = {}

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:
        """Return the result immediately."""
        del check
        self.ended[operation] = time.perf_counter()
        return CheckResult(Outcome.PASSING if self.passing else Outcome.BLOCKING, "as the switch is set")

    def validate(self, options: dict[str, Any]) -> list[str]:
        """Nothing is wrong."""
        del options
        return []


class Timed(RealEffects):
    """Effects that note how long an apply came after the end of the very check run that opened its last gate."""

    switch: Switch

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.latencies: list[float] = []
        self.opened: dict[str, str] = {}
        """Instance -> operation of the check whose result let it begin."""

    def decide(self, entity: str, state: Any, facts: Any, now: int) -> Any:
        """The core's, watched: which result brought which apply."""
        decision = decide(entity, state, facts, now)
        if any(isinstance(instruction, Apply) for instruction in decision.instructions):
            results = [fact for fact in facts if isinstance(fact, CheckStatus)]
            if results:
                self.opened[entity] = f"{results[-1].attachment}/check/{results[-1].run}"
        return decision

    async def apply(self, entity: str, instruction: Apply) -> None:
        """As the real one."""
        ended = self.switch.ended.get(self.opened.pop(entity, ""))
        if ended is not None:
            self.latencies.append(time.perf_counter() - ended)
        await super().apply(entity, instruction)


def policy(service: str, channel: str, *, interval: int = 10_000, shared: str = "") -> Policy:
    """An ordering and two checks, shared by the channel or by whatever else is named."""

    def use(name: str, phase: Phase) -> CheckUse:
        subject = shared or f"channel:bench/{channel}"
        return CheckUse(name, phase, CheckDefinition(name, "switch", subject, {}, {}, {}, interval, 30_000, 10**9))

    first = CHANNELS[0]
    orderings = () if channel == first else (Ordering("after", (f"bench/{service}@{first}",), (first,)),)
    labels = {"application": "bench", "service": service, "channel": channel, "runtime": "fake", "environment": "bench"}
    checks = (use("alerts", Phase.PRE_DEPLOYMENT), use("errors", Phase.POST_DEPLOYMENT))
    return Policy(f"bench/{service}@{channel}", labels, orderings=orderings, checks=checks)


def spec(service: str, channel: str, version: str) -> Spec:
    """What the fake runtime is to pretend."""
    workload = Workload("fake", {"becomes": "healthy", "takes": 0})
    env = {"CHANNEL": channel, "IMAGE": f"registry.example/{service}:{version}"}
    return Spec(f"bench/{service}@{channel}", "fake", Version(version), workload, env).sealed()


class Fleet:
    """One engine with its world."""

    def __init__(self, home: Path, instances: int, switch: Switch) -> None:
        self.services = [f"s{number}" for number in range(max(1, instances // (len(CHANNELS) - 1)))]
        self.names = [(service, channel) for service in self.services for channel in CHANNELS]
        self.switch = switch
        self.home = home
        self.releases = 0

    def engine(self) -> EmbeddedEngine:
        """Not started yet."""
        self.effects: Timed
        store = store_of(self.home)
        engine = EmbeddedEngine(self.home, store, decide=self.decide, codec=Codec(), performer=self, watch=watch)
        self.content = store.content
        self.effects = Timed(self.home, self.content, runtimes={"fake": FakeRuntime}, protections={"switch": self.switch})
        self.effects.switch = self.switch
        return engine

    def decide(self, entity: str, state: Any, facts: Any, now: int) -> Any:
        """See the port."""
        return self.effects.decide(entity, state, facts, now)

    async def apply(self, entity: str, instruction: Apply) -> None:
        """See the port."""
        await self.effects.apply(entity, instruction)

    async def check(self, entity: str, instruction: RunCheck) -> CheckResult:
        """See the port."""
        return await self.effects.check(entity, instruction)

    async def task(self, entity: str, instruction: RunTask) -> TaskResult:
        """See the port."""
        return await self.effects.task(entity, instruction)

    async def look(self, entity: str, watch: Any) -> Any:
        """See the port."""
        return await self.effects.look(entity, watch)

    async def set_up(self, engine: EmbeddedEngine) -> None:
        """Runtimes known, every instance configured."""
        await self.runtimes()
        await engine.post_all(
            (f"instance:bench/{service}@{channel}", Configured(policy=policy(service, channel)))
            for service, channel in self.names
        )
        await quiet(engine)

    async def runtimes(self) -> None:
        """Where everything runs."""
        where = {f"bench/{service}@{channel}": "fake" for service, channel in self.names}
        await self.effects.set_runtimes({"fake": RuntimeDefinition("fake")}, where)

    async def release(self, engine: EmbeddedEngine, services: list[str] | None = None) -> None:
        """A new version of some services."""
        self.releases += 1
        version, chosen = f"1.{self.releases}.0", services or self.services
        specs = {f"bench/{service}@{channel}": spec(service, channel, version) for service in chosen for channel in CHANNELS}
        await self.content.put(specs.values())
        wanted = {service: ServiceVersion(Version(version)) for service in chosen}
        release = Release("bench", wanted, author="bench")
        digests = {instance: compiled.digest for instance, compiled in specs.items()}
        await engine.post("line:bench", ReleaseRequested(request=f"r{self.releases}", release=release, specs=digests))

    async def finalized(self, engine: EmbeddedEngine) -> int:
        """How many instances have converged."""
        count, after = 0, ""
        while states := await engine.scan("instance", after=after, limit=5000):
            count += sum(isinstance(state, InstanceState) and condition(state, 0) is Condition.CONVERGED for _, state in states)
            after = states[-1][0]
        return count


def rss_kb() -> float:
    """Resident memory now, in KB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


async def unwatched(engine: EmbeddedEngine) -> None:
    """Wait until every check has stopped because no instance waits for it."""
    while await _polling(engine):  # noqa: ASYNC110 - this is not an event
        await asyncio.sleep(0.1)
    await quiet(engine)


async def _polling(engine: EmbeddedEngine) -> bool:
    return any(isinstance(state, AttachmentState) and state.polling for _, state in await engine.scan("attachment"))


async def at_rest(engine: EmbeddedEngine, fleet: Fleet, seconds: float) -> int:
    """Rows written while nothing changes, although everything is observed once."""
    await unwatched(engine)
    before = engine.health()
    for service, channel in fleet.names:
        engine.look(f"instance:bench/{service}@{channel}")
    await asyncio.sleep(seconds)
    after = engine.health()
    if after.looks - before.looks < len(fleet.names):
        raise SystemExit("not everything was looked at: give it more time with --idle")
    return after.rows - before.rows


async def throughput(home: Path, instances: int, *, profile: bool, idle: float) -> dict[str, float]:
    """One release through everything."""
    gc.collect()
    before = rss_kb()
    fleet = Fleet(home, instances, Switch())
    async with fleet.engine() as engine:
        await fleet.set_up(engine)
        recorder, base = Recorder(engine), engine.health()
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        started = time.perf_counter()
        await fleet.release(engine)
        await quiet(engine)
        elapsed = time.perf_counter() - started
        profiler.disable()
        health, done = engine.health(), await fleet.finalized(engine)
        if done != len(fleet.names):
            raise SystemExit(f"only {done} of {len(fleet.names)} were finalized")
        gc.collect()
        memory = rss_kb() - before
        rows = sum(batch.rows for batch in recorder.batches)
        turns = health.turns - base.turns
        idle_rows = await at_rest(engine, fleet, idle)
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    bare = write_again(home.parent / f"bare-{instances}.db", recorder.batches)
    count = len(fleet.names)
    return {
        "instances": count,
        "seconds": elapsed,
        "finalized_per_second": count / elapsed,
        "turns_per_second": turns / elapsed,
        "turns_per_instance": turns / count,
        "rows_per_instance": rows / count,
        "commits": health.commits - base.commits,
        "bare_seconds": bare,
        "ratio": bare / elapsed,
        "memory_kb_per_instance": memory / count,
        "writes_per_idle_minute": idle_rows * 60 / idle,
    }


async def observed(engine: EmbeddedEngine, fleet: Fleet) -> None:
    """Wait until everything was observed once."""
    while engine.health().looks < len(fleet.names):  # noqa: ASYNC110 - looks are not an event
        await asyncio.sleep(0.005)


async def cold_start(home: Path, instances: int) -> dict[str, float]:
    """From the start of an engine over a full journal to the first look at everything."""
    fleet = Fleet(home, instances, Switch())
    started = time.perf_counter()
    async with fleet.engine() as engine:
        await fleet.runtimes()
        loaded = time.perf_counter() - started
        await observed(engine, fleet)
        return {"loaded_seconds": loaded, "observed_seconds": time.perf_counter() - started}


async def latencies(home: Path, instances: int, per_second: float, seconds: float, *, releases: int = 0) -> dict[str, float]:
    """Releases of single services, spread over time, on an engine that holds all the others."""
    fleet = Fleet(home, instances, Switch())
    fleet.releases = releases
    async with fleet.engine() as engine:
        await fleet.runtimes()
        await observed(engine, fleet)
        await quiet(engine)
        fleet.effects.latencies.clear()
        began, sent = time.perf_counter(), 0
        each = len(CHANNELS)
        while (now := time.perf_counter() - began) < seconds:
            due = int(now * per_second / each)
            if due > sent:
                chosen = [fleet.services[number % len(fleet.services)] for number in range(sent, due)]
                sent = due
                await fleet.release(engine, sorted(set(chosen)))
            await asyncio.sleep(0.01)
        await quiet(engine)
    found = sorted(fleet.effects.latencies)
    return {"applies": len(found), "p50_ms": found[len(found) // 2] * 1000, "p99_ms": found[int(len(found) * 0.99)] * 1000}


async def drain(home: Path, instances: int) -> dict[str, float]:
    """Everything waits behind one check, which turns green: until all were applied, until all converged."""
    switch = Switch()
    switch.passing = False
    fleet = Fleet(home, instances, switch)
    fleet.releases = 9000
    async with fleet.engine() as engine:
        await fleet.runtimes()
        waiting = ((f"instance:bench/{service}@{channel}", unordered(service, channel)) for service, channel in fleet.names)
        await engine.post_all((entity, Configured(policy=rules)) for entity, rules in waiting)
        await fleet.release(engine)
        while engine.health().queued:  # noqa: ASYNC110 - quiet is not an event
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.5)
        fleet.effects.latencies.clear()
        switch.passing = True
        started = time.perf_counter()
        while len(fleet.effects.latencies) < len(fleet.names):  # noqa: ASYNC110 - applies are not an event
            await asyncio.sleep(0.005)
        applied = time.perf_counter() - started
        await quiet(engine)
        return {"all_applied_seconds": applied, "all_converged_seconds": time.perf_counter() - started}


def unordered(service: str, channel: str) -> Policy:
    """The same instance, ordered after nothing: all of them wait for one check, made each second."""
    return replace(policy(service, channel, interval=1000, shared="application:bench"), orderings=())


def measure(directory: Path, instances: int, *, profile: bool, idle: float) -> dict[str, dict[str, float]]:
    """All figures for one size."""
    home = directory / f"home-{instances}"
    figures = {"throughput": asyncio.run(throughput(home, instances, profile=profile, idle=idle))}
    figures["cold start"] = asyncio.run(cold_start(home, instances))
    figures["latency idle"] = asyncio.run(latencies(home, instances, 20, 4, releases=1000))
    half = figures["throughput"]["finalized_per_second"] / 2
    figures["latency half"] = asyncio.run(latencies(home, instances, half, 5, releases=2000))
    figures["drain"] = asyncio.run(drain(home, instances))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--idle", type=float, default=60, metavar="SECONDS", help="how long to watch it at rest")
    parser.add_argument("--json", action="store_true", help="the same figures for machines")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="setpoint-bench-"))
    figures: dict[int, dict[str, dict[str, float]]] = defaultdict(dict)
    try:
        for instances in arguments.instances:
            figures[instances] = measure(directory, instances, profile=arguments.profile, idle=arguments.idle)
    finally:
        shutil.rmtree(directory)
    if arguments.json:
        json.dump(figures, sys.stdout, indent=2)
        return
    for instances, groups in figures.items():
        print(f"\n{instances:,} instances")
        for group, values in groups.items():
            for key, value in values.items():
                print(f"  {group:<14} {key:<26} {value:>12,.2f}")


if __name__ == "__main__":
    main()
