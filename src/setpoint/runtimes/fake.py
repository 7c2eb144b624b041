"""The fake runtime: nothing runs, each response is as the workload defines, immediate and without I/O.

A workload defines what it ``becomes`` (``healthy``, ``failing``, ``hangs``) and how long that ``takes``; ``replicas`` (1) is the
number of objects shown. What "runs" lives in this process, by data directory: several engines in one process see the same
world, and a new process has forgotten all of it – after a restart an engine observes that nothing runs and applies again.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from setpoint.model.observation import Object, Observation
from setpoint.model.spec import Spec, digest
from setpoint.model.time import Duration, Instant, parse_duration
from setpoint.plugins.errors import TerminalError
from setpoint.plugins.runtime import LogLine

OUTCOMES = ("healthy", "failing", "hangs")
_KNOWN = {"becomes", "takes", "replicas"}


class _Running(msgspec.Struct, frozen=True):
    """One instance as it pretends to run; ``before`` is what goes on being shown until the new one is healthy."""

    operation: str
    spec: Spec
    began: Instant
    takes: Duration
    becomes: str
    replicas: int
    before: _Running | None = None


_worlds: dict[Path, dict[str, _Running]] = {}


def _wall_clock() -> Instant:
    return time.time_ns() // 1_000_000


class FakeRuntime:
    """A runtime without anything behind it; ``clock`` gives now in milliseconds and may be virtual."""

    def __init__(self, options: dict[str, Any], home: Path, *, clock: Callable[[], Instant] = _wall_clock) -> None:
        self.options = options
        self._clock = clock
        self._world = _worlds.setdefault(home, {})

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        """What the instance pretends to run at this moment of the clock."""
        running = self._world.get(instance)
        if running is None:
            missing = "nothing runs" if expected is not None else ""
            return Observation(difference=_ABSENT if expected is not None else "", message=missing)
        healthy = _health(running, self._clock())
        objects = _objects(running, healthy)
        if running.before is not None and not healthy:
            objects = (*_objects(running.before, healthy=True), *objects)
        return _compared(running, objects, expected)

    async def apply(self, operation: str, spec: Spec) -> None:
        """Begin to become what the workload defines; raises TerminalError for options that ``validate`` refuses."""
        running = self._world.get(spec.instance)
        if running is not None and (running.operation == operation or running.spec.digest == spec.digest):
            return
        problems = self.validate(spec.workload.options)
        if problems:
            raise TerminalError(problems[0])
        now = self._clock()
        self._world[spec.instance] = _begin(operation, spec, now, _serving(running, now))

    async def remove(self, operation: str, instance: str) -> None:
        """Forget the instance."""
        del operation  # forgetting twice is forgetting once
        self._world.pop(instance, None)

    async def logs(self, instance: str, *, replica: str = "", lines: int = 100, follow: bool = False) -> AsyncIterator[LogLine]:
        """One line for each replica: a fake writes no logs, and ``follow`` ends immediately."""
        del follow
        running = self._world.get(instance)
        if running is None:
            return
        for name in _names(running):
            if replica in {"", name} and lines > 0:
                yield LogLine(replica=name, text=f"fake of {running.spec.version.name}: {running.becomes}", at=running.began)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """What is wrong with ``becomes``, ``takes`` and ``replicas``."""
        problems = [f"fake.{key} is not an option: it takes becomes, takes and replicas" for key in options if key not in _KNOWN]
        becomes = options.get("becomes", "healthy")
        if becomes not in OUTCOMES and "${" not in str(becomes):
            problems.append(f'fake.becomes is "{becomes}": write healthy, failing or hangs')
        replicas = options.get("replicas", 1)
        if (not isinstance(replicas, int) or replicas < 0) and "${" not in str(replicas):
            problems.append(f"fake.replicas is {replicas!r}: write a whole number, 0 or more")
        return problems + _takes_problems(options.get("takes", 0))

    async def close(self) -> None:
        """Nothing is held open."""


_ABSENT = digest("absent")


def _takes_problems(takes: object) -> list[str]:
    if isinstance(takes, str) and "${" in takes:
        return []
    try:
        _milliseconds(takes)
    except (ValueError, TypeError) as error:
        return [f"fake.takes: {error}"]
    return []


def _milliseconds(takes: object) -> Duration:
    if isinstance(takes, str):
        return parse_duration(takes)
    if isinstance(takes, int) and not isinstance(takes, bool) and takes >= 0:
        return takes
    raise TypeError(f'{takes!r} is not a duration: write "3s" or milliseconds')


def _begin(operation: str, spec: Spec, now: Instant, before: _Running | None) -> _Running:
    options = spec.workload.options
    return _Running(
        operation=operation,
        spec=spec,
        began=now,
        takes=_milliseconds(options.get("takes", 0)),
        becomes=options.get("becomes", "healthy"),
        replicas=options.get("replicas", 1),
        before=before,
    )


def _serving(running: _Running | None, now: Instant) -> _Running | None:
    """What is healthy now, and so goes on until its successor is; a chain never grows longer than one."""
    if running is None:
        return None
    if _health(running, now):
        return msgspec.structs.replace(running, before=None)
    return running.before


def _health(running: _Running, now: Instant) -> bool | None:
    if running.becomes == "hangs" or now - running.began < running.takes:
        return None
    return running.becomes == "healthy"


def _names(running: _Running) -> list[str]:
    service = running.spec.instance.rpartition("/")[2].partition("@")[0]
    return [f"{service}-{number}" for number in range(1, running.replicas + 1)]


def _objects(running: _Running, healthy: bool | None) -> tuple[Object, ...]:
    spec = running.spec
    message = "fails, as configured" if healthy is False else ""
    return tuple(
        Object(name=name, digest=spec.digest, version=spec.version.name, healthy=healthy, message=message)
        for name in _names(running)
    )


def _compared(running: _Running, objects: tuple[Object, ...], expected: Spec | None) -> Observation:
    same = expected is not None and expected.digest == running.spec.digest
    if expected is None or same:
        return Observation(objects=objects, complete=same and all(o.digest == running.spec.digest for o in objects))
    message = f"runs {running.spec.version.name}, not {expected.version.name} as expected"
    return Observation(objects=objects, difference=digest(["spec", running.spec.digest]), message=message)
