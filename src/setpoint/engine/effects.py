"""Performs instructions through adapters: applies and looks by the runtime a spec names, checks by the protection they use."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from setpoint.core.instructions import Apply, RunCheck, RunTask, Watch
from setpoint.durable import files
from setpoint.engine.applied import AppliedTrees
from setpoint.engine.listening import Hint, Listening
from setpoint.engine.tasks import TaskRunner
from setpoint.model.checks import CheckResult, Outcome
from setpoint.model.names import is_kind, key_of, with_database
from setpoint.model.observation import Observation
from setpoint.model.spec import Spec
from setpoint.model.tasks import TaskEnd, TaskResult
from setpoint.model.time import MINUTE, SECOND, Duration
from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.plugins.protection import Protection
from setpoint.plugins.runtime import Runtime
from setpoint.store.port import Content, RowDamaged

RUNTIMES = "setpoint.runtimes"
ADDRESS = "SETPOINT_ADDRESS"
_LOOK: Duration = 20 * SECOND
_APPLY: Duration = 10 * MINUTE
_GRACE: Duration = 15 * SECOND
"""Beyond its own timeout: a protection that does not end in time is given up."""
_SILENT = 3
"""A runtime that did not answer for so many instances, and for no other in between, is silent."""
_RESULTS = 2_000

MakeRuntime = Callable[[dict[str, Any], Path], Runtime]


class RuntimeDefinition(msgspec.Struct, frozen=True):
    """One Runtime document as the engine needs it."""

    kind: str
    """Name of the adapter."""
    options: dict[str, Any] = {}
    tree: str = ""
    """SHA-256 of the files that its commands are run with; its ``directory`` is then one of theirs."""


def runtime_adapters() -> dict[str, MakeRuntime]:
    """Every runtime adapter that is installed, by name. One that cannot be loaded raises when it is used, not here."""
    return {point.name: _lazily(point.load) for point in entry_points(group=RUNTIMES)}


def _lazily(load: Callable[[], MakeRuntime]) -> MakeRuntime:
    def make(options: dict[str, Any], home: Path) -> Runtime:
        return load()(options, home)

    return make


class RealEffects:
    """The performer of the real world."""

    def __init__(
        self,
        home: Path,
        content: Content,
        *,
        runtimes: Mapping[str, MakeRuntime],
        protections: Mapping[str, Protection],
        look_timeout: Duration = _LOOK,
        hint: Hint = lambda _: None,
    ) -> None:
        self._home = home
        self._files = home / "files"
        self._content = content
        self._makers = runtimes
        self._protections = protections
        self._look_timeout = look_timeout / 1000
        self._listening = Listening(hint)
        self._configured = asyncio.Event()
        self._unanswered: dict[str, set[str]] = {}
        """Runtime -> instances for which it did not answer in time, since it last answered for any."""
        self._probing: set[str] = set()
        """Those of them that a probe is under way for."""
        self._definitions: dict[str, RuntimeDefinition] = {}
        self._runtimes: dict[str, Runtime] = {}
        self._runtime_of: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._results: OrderedDict[str, CheckResult] = OrderedDict()
        self._tasks = TaskRunner(home, protections)
        self._applied = AppliedTrees(home, content)

    # --- configuration

    async def set_runtimes(self, definitions: Mapping[str, RuntimeDefinition], instances: Mapping[str, str]) -> None:
        """The runtimes there are by name, and the runtime of each instance. What did not change goes on as it is.

        Until this is called the first time everything waits: what is taken up at a start must not fail for want of it.
        """
        changed = [name for name, definition in self._definitions.items() if definitions.get(name) != definition]
        self._definitions = dict(definitions)
        self._runtime_of = dict(instances)
        self._configured.set()
        gone = [self._runtimes.pop(name) for name in changed if name in self._runtimes]
        listened = await self._listening.end(*changed)
        for runtime in gone:
            await runtime.close()
        self._listen_again(listened)

    def runtime(self, name: str) -> Runtime:
        """The adapter of a runtime.

        Raises:
            Unreachable: it is not configured, or its adapter cannot be had.
        """
        found = self._runtimes.get(name)
        if found is None:
            found = self._runtimes[name] = self._make(name)
            self._listening.begin(name, found)
        return found

    def last_result(self, attachment: str) -> CheckResult | None:
        """How the last run of a check ended, with its output; of the most recent ones only."""
        return self._results.get(attachment)

    def last_try(self, entity: str) -> TaskResult | None:
        """How the last try of a task's run ended, with its output; reads a file."""
        return self._tasks.last(entity)

    async def close(self) -> None:
        """Let go of every runtime."""
        runtimes = list(self._runtimes.values())
        self._runtimes.clear()
        await self._listening.close()
        for runtime in runtimes:
            await runtime.close()

    def _listen_again(self, names: set[str]) -> None:
        """Listen again, so that changes need not wait for a poll; the next look reports why a runtime is unavailable."""
        for name in names & self._definitions.keys():
            with contextlib.suppress(Unreachable):
                self.runtime(name)

    def _make(self, name: str) -> Runtime:
        definition = self._definitions.get(name)
        if definition is None:
            raise Unreachable(f'the runtime "{name}" is not configured')
        maker = self._makers.get(definition.kind)
        if maker is None:
            raise Unreachable(f'the runtime "{name}" is of kind "{definition.kind}", which is not installed')
        options = definition.options
        if definition.tree:
            options = options | {"directory": str(self._applied.path(definition.tree) / options["directory"])}
        try:
            return maker(options, self._home)
        except Exception as error:
            raise Unreachable(
                f'the runtime "{name}" ({definition.kind}) cannot be used: {type(error).__name__}: {error}'
            ) from error

    # --- the performer

    async def apply(self, entity: str, instruction: Apply) -> None:
        """See the port."""
        await self._configured.wait()
        try:
            spec = await self._content.spec(instruction.spec)
        except RowDamaged as error:
            raise TransientError(str(error)) from error
        if spec is None:
            raise TerminalError(f"the spec {instruction.spec} of {entity} is not stored: release the version again")
        runtime = self.runtime(spec.runtime)
        await self._ready(spec.runtime)
        if instruction.down:
            await self._within(runtime.remove(self._here(instruction.operation), spec.instance), spec)
            return
        for sha256 in set(spec.files.values()):
            await self._materialise(sha256)
        await self._within(runtime.apply(self._here(instruction.operation), spec), spec)

    def _here(self, operation: str) -> str:
        """Numbers begin again with another database: what is remembered of the last one's operations is not taken for its own."""
        return with_database(operation, self._content.identity)

    async def _ready(self, runtime: str) -> None:
        """A custom runtime's commands lie there as they were applied. Raises TerminalError, TransientError."""
        definition = self._definitions.get(runtime)
        if definition is not None and definition.tree:
            await self._applied.ready(definition.tree)

    async def _within(self, work: Awaitable[None], spec: Spec) -> None:
        """Return what the runtime is ordered to do, or that it took too long."""
        try:
            async with asyncio.timeout(_APPLY / 1000):
                await work
        except TimeoutError:
            raise TransientError(f'the runtime "{spec.runtime}" took on nothing within {_APPLY // MINUTE} minutes') from None

    async def look(self, entity: str, watch: Watch) -> Observation:
        """See the port."""
        await self._configured.wait()
        instance = key_of(entity)
        try:
            spec = await self._content.spec(watch.spec) if watch.spec else None
        except RowDamaged as error:
            raise Unreachable(str(error)) from error
        name = spec.runtime if spec is not None else self._runtime_of.get(instance, "")
        if not name:
            raise Unreachable(f"{instance} has no runtime in the configuration")
        return await self._observe(name, instance, spec)

    async def check(self, entity: str, instruction: RunCheck) -> CheckResult:
        """See the port."""
        result = await self.run_check(instruction)
        self._remember(entity, result)
        return structs.replace(result, output="")

    async def run_check(self, instruction: RunCheck) -> CheckResult:
        """One run, with its output; nothing of it is kept."""
        await self._configured.wait()
        definition = instruction.definition
        protection = self._protections.get(definition.use)
        if protection is None:
            return CheckResult(
                Outcome.MISCONFIGURED, f'protection "{definition.use}" does not exist: install it or correct the name'
            )
        definition = structs.replace(definition, env={**definition.env, **await self._address(definition.subject)})
        try:
            async with self._applied.used(definition) as placed, asyncio.timeout((definition.timeout + _GRACE) / 1000):
                result = await protection.run(instruction.operation, placed)
        except TerminalError as error:
            result = CheckResult(Outcome.MISCONFIGURED, str(error))
        except TransientError as error:
            result = CheckResult(Outcome.UNAVAILABLE, str(error))
        except TimeoutError:
            result = CheckResult(Outcome.UNAVAILABLE, f'the protection "{definition.use}" did not end by its timeout')
        return structs.replace(result, reason=_text(result.reason), output=_text(result.output))

    async def task(self, entity: str, instruction: RunTask) -> TaskResult:
        """See the port."""
        await self._configured.wait()
        definition = instruction.definition
        address = await self._address(definition.subject)
        if address:
            definition = structs.replace(definition, env={**definition.env, **address})
        try:
            async with self._applied.used(definition) as placed:
                result = await self._tasks.run(entity, RunTask(self._here(instruction.operation), placed))
        except TerminalError as error:
            return TaskResult(TaskEnd.FAILED, _text(str(error)))
        return TaskResult(result.end, _text(result.reason))

    async def _observe(self, name: str, instance: str, spec: Spec | None) -> Observation:
        seen = await self._answer(name, instance, spec)
        address = seen.links.get("address")
        if address:
            self._addresses[instance] = address
        return seen

    async def _answer(self, name: str, instance: str, spec: Spec | None) -> Observation:
        """Circuit breaker: one instance at a time probes a dead runtime, so that it does not block observing the others."""
        try:
            await self._ready(name)
        except (TerminalError, TransientError) as error:
            raise Unreachable(str(error)) from error
        silent = f'the runtime "{name}" did not answer within {self._look_timeout:g} s'
        if name in self._probing:
            raise Unreachable(silent)
        probe = {name} if len(self._unanswered.get(name, ())) >= _SILENT else set()
        self._probing |= probe
        try:
            async with asyncio.timeout(self._look_timeout):
                seen = await self.runtime(name).observe(instance, spec)
        except TimeoutError:
            self._unanswered.setdefault(name, set()).add(instance)
            raise Unreachable(silent) from None
        finally:
            self._probing -= probe
        self._unanswered.pop(name, None)
        return seen

    async def _address(self, subject: str) -> dict[str, str]:
        """Return the address for checks and tasks of an instance, also right after a start, before any observation."""
        if not is_kind(subject, "attempt", "instance"):
            return {}
        instance = key_of(subject)
        if instance not in self._addresses and instance in self._runtime_of:
            with contextlib.suppress(Unreachable):
                await self._observe(self._runtime_of[instance], instance, None)
        address = self._addresses.get(instance)
        return {ADDRESS: address} if address else {}

    def _remember(self, attachment: str, result: CheckResult) -> None:
        self._results[attachment] = result
        self._results.move_to_end(attachment)
        if len(self._results) > _RESULTS:
            self._results.popitem(last=False)

    async def _materialise(self, sha256: str) -> None:
        path = self._files / sha256
        if await asyncio.to_thread(_holds, path, sha256):
            return
        try:
            content = await self._content.file(sha256)
        except RowDamaged as error:
            raise TransientError(str(error)) from error
        if content is None:
            raise TerminalError(f"a file of the spec ({sha256[:12]}…) is not stored: apply the configuration and release again")
        try:
            await asyncio.to_thread(_write_whole, path, content)
        except OSError as error:
            raise TransientError(f"{path} cannot be written: {error.strerror}") from error


def _holds(path: Path, sha256: str) -> bool:
    """Whether the file is there and whole; one that is damaged is written again."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
    except OSError as error:
        raise TransientError(f"{path} cannot be read: {error.strerror}") from error


def _write_whole(path: Path, content: bytes) -> None:
    files.make_directory(path.parent)
    files.replace(path, content)


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
