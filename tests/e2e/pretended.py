"""The design's examples where there is no cluster: their own documents, with only that replaced which this version cannot run.

Workloads and runtimes become pretended ones, secrets and the steps of a rollout go; every gate stays as it was written.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from tests.control.house import ADMIN, House
from tests.support.compilers import COMPILERS
from tests.support.eventually import eventually

from setpoint.config.files import collect, executables
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import MINUTE, Duration, Instant
from setpoint.protections.registry import load as load_protections
from setpoint.runtimes.fake import FakeRuntime
from setpoint.server.assembly import running

EXAMPLES = Path(__file__).parents[1] / "config" / "design"
SPEED = 250
"""Polls of the runtime keep to real time: so many times as often."""
_WORKLOADS = ("process", "container", "kubernetes")
_RUNTIMES = ("local", "containers", "kubernetes")
_BECOMES = {"default": "healthy", "carry": False}
_RUNTIME = b"kind: Runtime\nname: pretend\nfake: {}\n"


def moment(text: str, zone: str = "UTC") -> Instant:
    """Of ``2026-11-02 06:00`` on the clocks of a zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def on_the_wall(at: Instant, zone: str) -> str:
    """Day and time on the clocks of a zone: ``Wed 09:00``."""
    return datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).strftime("%a %H:%M")


class Outside:
    """Stands in for what is asked over the network: yes, unless the subject is one that a test names."""

    def __init__(self) -> None:
        self.no: dict[str, str] = {}
        """End of a subject -> what is said against it."""
        self.asked: list[str] = []
        """Subjects, in order."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:
        """See the port."""
        self.asked.append(check.subject)
        said = next((reason for subject, reason in self.no.items() if check.subject.endswith(subject)), "")
        return CheckResult(Outcome.BLOCKING, said) if said else CheckResult(Outcome.PASSING, "")

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        return []


class Days(House):
    """A house whose clock stands still until it is told to move: a day's soak is one jump, and times are exact."""

    def __init__(self, start: Instant) -> None:
        self.now = start
        self.outside = Outside()

    def clock(self) -> Instant:
        """Of engine, control and runtimes."""
        return self.now

    def jump(self, *, to: Instant = 0, over: Duration = 0) -> None:
        """To a moment that is not past, or over so many milliseconds."""
        assert to or over
        self.now = max(self.now, to) + over

    async def finalizes(self, instance: str, version: str) -> Any:
        """Let minutes go by until this version is good there."""
        return await self._passes(instance, lambda row: row.good and row.good.version == version and row.settled, version)

    async def begins(self, instance: str) -> Any:
        """Wait, with no time going by, until it deploys."""
        return await self.comes_to(instance, "deploying")

    async def becomes(self, instance: str, condition: str) -> Any:
        """Let minutes go by until it is in such a condition."""
        return await self._passes(instance, lambda row: row.condition == condition, condition)

    async def waits(self, instance: str, gates: dict[str, str]) -> None:
        """Wait, with no time going by, until just these gates (of any phase; else codes) hold it back, saying such things."""

        async def waiting() -> bool:
            told = (await self.ask("explain", target=instance, runtime=False)).reasons
            seen[:] = [{one.gate or one.code: one.text for one in told}]
            return seen[0].keys() == gates.keys() and all(text in seen[0][gate] for gate, text in gates.items())

        seen: list[dict[str, str]] = []
        await eventually(waiting, 10, lambda: f"{instance} does not wait at {gates}, but: {seen}")

    async def began(self, instance: str, release: int) -> Instant:
        """When a release was first let go there."""
        (lane,) = (await self.ask("timeline", target=instance)).lanes
        return next(span.begins for span in lane.spans if span.kind == "deploying" and span.release == release)

    async def _passes(self, instance: str, holds: Callable[[Any], Any], what: str) -> Any:
        async def look() -> Any:
            seen[:] = [await self.row(instance)]
            if holds(seen[0]):
                return seen[0]
            self.now += MINUTE
            return None

        seen: list[Any] = []
        return await eventually(look, 30, lambda: f"{instance} did not come to {what}: {seen}")


@asynccontextmanager
async def pretended(home: Path, name: str, start: Instant, *outside: str, more: str = "") -> AsyncIterator[Days]:
    """An example, and ``more`` documents, in force from ``start`` on; the protections named are answered by the test."""
    days = Days(start)

    def fake(options: dict[str, Any], place: Path) -> FakeRuntime:
        return FakeRuntime(options, place, clock=days.clock)

    example = EXAMPLES / name
    protections = {**load_protections(), **dict.fromkeys(outside, days.outside)}
    async with running(
        home, clock=days.clock, clock_step=10, speed=SPEED, runtimes={"fake": fake}, protections=protections, compilers=COMPILERS
    ) as days.control:
        files = {**_replaced(example), "more.setpoint.yaml": more.encode()}
        with patch("setpoint.control.commands.release.resolve_tags", _resolve_tags):
            await days.do("apply", ADMIN, files=_encoded(files), executable=executables(example, files), root=str(example))
            yield days


async def _resolve_tags(what: str, named: Mapping[str, bool]) -> dict[str, str]:
    """Stands in for the registries: each has every image."""
    return {image: f"sha256:{hashlib.sha256(image.encode()).hexdigest()}" for image in named}


# --- replacing


def _encoded(files: dict[str, bytes]) -> dict[str, str]:
    return {path: base64.b64encode(content).decode() for path, content in files.items()}


def _replaced(example: Path) -> dict[str, bytes]:
    files = {
        path: _documents(content) if path.endswith(".setpoint.yaml") else content for path, content in collect(example).items()
    }
    return {**files, "pretend.setpoint.yaml": _RUNTIME}


def _documents(content: bytes) -> bytes:
    yaml = YAML()
    yaml.preserve_quotes = True
    documents = list(yaml.load_all(content))
    for document in documents:
        _without_secrets(document)
        _REPLACE.get(document["kind"], lambda _: None)(document)
    out = io.BytesIO()
    yaml.dump_all(documents, out)
    return out.getvalue()


def _application(document: Any) -> None:
    for channel in document.get("channels", ()):
        if "each" not in channel:
            channel.setdefault("runtime", "pretend")


def _runtime(document: Any) -> None:
    for key in (*_RUNTIMES, "agent"):
        document.pop(key, None)
    document["fake"] = {}


def _service(document: Any) -> None:
    """A parameter says what becomes of it."""
    for fields in (document, *document.get("perChannel", {}).values()):
        fields.pop("rollout", None)
        for key in _WORKLOADS:
            fields.pop(key, None)
    document["fake"] = {"takes": "3m", "becomes": "${params.becomes}"}
    document["env"] = {"VERSION": "${version}"}
    document["parameters"] = {**document.get("parameters", {}), "becomes": _BECOMES}


def _without_secrets(node: Any) -> None:
    for key, value in list(node.items()) if isinstance(node, dict) else ():
        if isinstance(value, dict) and "secret" in value:
            del node[key]
        else:
            _without_secrets(value)


_REPLACE = {"Application": _application, "Runtime": _runtime, "Service": _service}
