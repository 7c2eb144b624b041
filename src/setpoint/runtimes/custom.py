"""The custom runtime: commands of the user's own deploy, and report what runs.

Runtime options: ``apply`` (argv, required), ``fetch``, ``info``, ``remove`` (argv), ``structured``, ``directory``, ``timeout``
(10m) for ``apply`` and ``remove``, ``fetchTimeout`` (30s) for the others. Workload options: ``with``. Every command gets the spec
as JSON on standard input, its ``env``, ``SETPOINT_APPLICATION _SERVICE _CHANNEL _INSTANCE _VERSION`` and ``_OPERATION_ID``.

Exit codes. ``fetch``: 0 runs the requested version, 2 drifted or another version, 75 try again, other: failed. ``apply``: 0 done,
75 try again, other: failed. What was applied last is remembered below ``runtimes/custom`` of the data directory, so that an
operation that came to its end is not repeated, and, without ``fetch``, ``apply`` runs once for each spec.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from setpoint.model.grammars.lookup import LookupMissing, resolve
from setpoint.model.observation import Object, Observation
from setpoint.model.spec import Spec, digest
from setpoint.model.time import Duration, parse_duration
from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.plugins.runtime import LogLine
from setpoint.programs.environment import deployment_environment
from setpoint.programs.runner import Program, ProgramResult, run_program
from setpoint.runtimes.memory import LastApply, Memory

DRIFTED, TRY_AGAIN = 2, 75
_KEPT = 1_048_576
"""Bytes of what a command writes: what a structured ``fetch`` prints must be whole."""
_Kind = TypeVar("_Kind")


class Reported(msgspec.Struct, frozen=True):
    """One object as a structured ``fetch`` prints it."""

    name: str
    version: str = ""
    healthy: bool | None = None
    active: bool = True
    drifted: bool = False
    message: str = ""


class _FetchReport(msgspec.Struct, frozen=True):
    objects: list[Reported] = []


class CustomRuntime:
    """Runs the commands of one Runtime document."""

    def __init__(self, options: dict[str, Any], home: Path) -> None:
        self.options = options
        self._memory = Memory(home / "runtimes" / "custom")
        self._apply_timeout = _duration(options.get("timeout", "10m"))
        self._fetch_timeout = _duration(options.get("fetchTimeout", "30s"))
        self._facts: dict[tuple[str, str], dict[str, Any]] = {}

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        """Return what ``fetch`` reports; without it, what was applied last."""
        applied = await asyncio.to_thread(self._memory.read, instance)
        wanted = expected or (applied.spec if applied else None)
        if wanted is None:
            return Observation()
        if not self.options.get("fetch"):
            seen = _remembered(wanted, applied)
        elif self.options.get("structured"):
            seen = _structured(await self._fetch(wanted), wanted, applied)
        else:
            seen = _by_exit_code(await self._fetch(wanted), wanted, applied)
        if expected is None:
            seen = msgspec.structs.replace(seen, complete=False, difference="")
        return msgspec.structs.replace(seen, links=await self._links(wanted))

    async def apply(self, operation: str, spec: Spec) -> None:
        """Run ``apply`` to its end, unless this operation came to its end already."""
        applied = await asyncio.to_thread(self._memory.readable, spec.instance)
        same = applied is not None and applied.spec.digest == spec.digest
        if same and applied is not None and (operation in applied.operations or not self.options.get("fetch")):
            return
        self._facts.pop((spec.instance, spec.digest), None)
        ended = await self._run("apply", spec, operation, self._apply_timeout)
        await _written(self._memory.write_log, spec.instance, ended.stderr + ended.stdout)
        _judge("apply", ended)
        await _written(self._memory.remember, operation, spec)

    async def remove(self, operation: str, instance: str) -> None:
        """Run ``remove`` for what was applied last, then forget it; TerminalError when the runtime has no such command."""
        applied = await asyncio.to_thread(self._memory.read, instance)
        if applied is None:
            return
        if not self.options.get("remove"):
            raise TerminalError("this custom runtime has no `remove` command: take the instance down by hand")
        _judge("remove", await self._run("remove", applied.spec, operation, self._apply_timeout))
        await _written(self._memory.forget, instance)

    async def info(self, spec: Spec) -> dict[str, Any]:
        """Links and facts that ``info`` prints for people; empty without the command.

        Raises:
            Unreachable: it cannot be run, failed, or did not print a map.
        """
        if not self.options.get("info"):
            return {}
        try:
            ended = await self._run("info", spec, "", self._fetch_timeout)
        except TerminalError as error:
            raise Unreachable(str(error)) from error
        if not _succeeded(ended):
            raise Unreachable(f"info {_how(ended)}")
        return _decoded(ended.stdout, dict[str, Any], "info")

    async def logs(self, instance: str, *, replica: str = "", lines: int = 100, follow: bool = False) -> AsyncIterator[LogLine]:
        """What the last ``apply`` wrote; a custom runtime has no other logs, and ``follow`` ends immediately."""
        del follow
        if replica not in {"", "apply"} or lines <= 0:
            return
        written = await asyncio.to_thread(self._memory.read_log, instance)
        for line in written.splitlines()[-lines:]:
            yield LogLine(replica="apply", text=line)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """What is wrong with a ``custom`` workload: it takes ``with``, a map."""
        problems = [f"custom.{key} is not an option: it takes with" for key in options if key != "with"]
        if not isinstance(options.get("with", {}), dict):
            problems.append("custom.with is a map of arguments")
        return problems

    async def close(self) -> None:
        """Nothing is held open between two calls."""

    async def _fetch(self, wanted: Spec) -> ProgramResult:
        """Raises Unreachable when the state stays unknown."""
        try:
            ended = await self._run("fetch", wanted, "", self._fetch_timeout)
        except (TerminalError, TransientError) as error:
            raise Unreachable(str(error)) from error
        if _may_pass(ended):
            raise Unreachable(f"fetch {_how(ended)}")
        return ended

    async def _links(self, spec: Spec) -> dict[str, str]:
        """Run once for each spec: an unchanged observation must not run another program."""
        key = (spec.instance, spec.digest)
        if key not in self._facts:
            try:
                self._facts[key] = await self.info(spec)
            except Unreachable:
                return {}  # links are for people: what runs is known all the same, and the next observation fetches them again
        links = self._facts[key].get("links", {})
        return {str(name): str(url) for name, url in links.items()} if isinstance(links, dict) else {}

    async def _run(self, name: str, spec: Spec, operation: str, timeout: Duration) -> ProgramResult:  # noqa: ASYNC109 - the runner keeps it
        """Raises TerminalError when the command is wrong, TransientError when the machine cannot run it now."""
        program = Program(
            command=_command(name, self.options.get(name), spec),
            env={**deployment_environment(os.environ), **spec.env, **_names(spec), "SETPOINT_OPERATION_ID": operation},
            stdin=msgspec.json.encode(spec).decode(),
            directory=str(self.options.get("directory") or ""),
            keep=_KEPT,
            separate=True,
            daemons=True,
        )
        ended = await run_program(program, timeout)
        if ended.how == "not-started":
            what = program.directory if ended.stage == "directory" else program.command[0]
            error = f"the command `{name}` cannot be started: {ended.start_error}: {what}"
            raise TerminalError(error) if ended.permanent else TransientError(error)
        return ended


def _duration(value: object) -> Duration:
    return parse_duration(value) if isinstance(value, str) else int(str(value))


def _names(spec: Spec) -> dict[str, str]:
    application, service, channel = _parts(spec.instance)
    return {
        "SETPOINT_APPLICATION": application,
        "SETPOINT_SERVICE": service,
        "SETPOINT_CHANNEL": channel,
        "SETPOINT_INSTANCE": spec.instance,
        "SETPOINT_RUNTIME": spec.runtime,
        "SETPOINT_VERSION": spec.version.name,
    }


def _parts(instance: str) -> tuple[str, str, str]:
    application, _, rest = instance.rpartition("/")
    service, _, channel = rest.partition("@")
    return application, service, channel


def _command(name: str, command: object, spec: Spec) -> list[str]:
    if not isinstance(command, list | tuple) or not command:
        raise TerminalError(f"custom.{name} is a list of the program and its arguments")
    application, service, channel = _parts(spec.instance)
    values: Mapping[str, Any] = {
        "with": spec.workload.options.get("with", {}),
        "version": spec.version.name,
        "params": spec.parameters,
        "application": {"name": application},
        "service": {"name": service},
        "channel": {"name": channel},
        "runtime": {"name": spec.runtime},
    }
    try:
        return [_word(resolve(word, values)) for word in command]
    except LookupMissing as error:
        raise TerminalError(f"custom.{name}: {error}") from error


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _succeeded(ended: ProgramResult) -> bool:
    return ended.how == "ended" and ended.code == 0


def _may_pass(ended: ProgramResult) -> bool:
    """Whether another try may go better: it did not come to its end, or exited with the code for that."""
    return ended.how != "ended" or ended.code < 0 or ended.code == TRY_AGAIN


def _how(ended: ProgramResult) -> str:
    reason = f": {ended.last_line}" if ended.last_line else ""
    if ended.how == "lost":
        return f"was lost: the process supervising it is gone ({ended.error})"
    if ended.how == "timeout":
        return f"took too long and was killed{reason}"
    if ended.code < 0:
        return f"was killed by signal {-ended.code}{reason}"
    return f"requests another try{reason}" if ended.code == TRY_AGAIN else f"exited with {ended.code}{reason}"


def _judge(name: str, ended: ProgramResult) -> None:
    """Raises TransientError or TerminalError unless the command did what it should."""
    if not _succeeded(ended):
        raise (TransientError if _may_pass(ended) else TerminalError)(f"{name} {_how(ended)}")


def _remembered(wanted: Spec, applied: LastApply | None) -> Observation:
    """Without ``fetch``: what was applied last is taken to run."""
    if applied is None:
        return Observation(difference=digest("absent"), message="nothing was applied yet")
    same = applied.spec.digest == wanted.digest
    message = "" if same else f"{applied.spec.version.name} was applied last"
    difference = "" if same else digest(["applied", applied.spec.digest])
    return Observation(objects=(_whole(applied.spec, healthy=True),), complete=same, difference=difference, message=message)


def _by_exit_code(ended: ProgramResult, wanted: Spec, applied: LastApply | None) -> Observation:
    if ended.code == 0:
        return Observation(objects=(_whole(wanted, healthy=True, message=ended.last_line),), complete=True)
    if ended.code == DRIFTED:
        other = applied is not None and applied.spec.digest != wanted.digest
        objects = (_whole(applied.spec, healthy=None),) if applied is not None and other else ()
        message = ended.last_line or "drifted, or another version"
        return Observation(objects=objects, difference=digest(["fetch", DRIFTED]), message=message)
    shown = applied.spec if applied is not None else wanted
    return Observation(objects=(_whole(shown, healthy=False, message=f"fetch {_how(ended)}"),), message=f"fetch {_how(ended)}")


def _whole(spec: Spec, *, healthy: bool | None, message: str = "") -> Object:
    """Return the instance as one object: an exit code contains no more."""
    name = _parts(spec.instance)[1]
    return Object(name=name, digest=spec.digest, version=spec.version.name, healthy=healthy, message=message)


def _structured(ended: ProgramResult, wanted: Spec, applied: LastApply | None) -> Observation:
    if ended.code not in {0, DRIFTED}:
        raise Unreachable(f"fetch {_how(ended)}")
    report = _decoded(ended.stdout, _FetchReport, "fetch")
    # Versions are all that the command knows of specs: the requested one comes first, then what each name was applied as.
    known = {**(applied.digests if applied is not None else {}), wanted.version.name: _digest_of(wanted, applied)}
    objects = tuple(_object(reported, known) for reported in report.objects)
    active = [reported for reported in report.objects if reported.active]
    wrong = sorted((o.name, o.version, o.message) for o in active if o.drifted or known.get(o.version) != wanted.digest)
    missing = "" if active else "nothing runs"
    return Observation(
        objects=objects,
        complete=bool(active) and not wrong,
        difference=digest(wrong) if wrong else digest("absent") if missing else "",
        message=f"{wrong[0][0]} drifted or runs {wrong[0][1] or 'another version'}" if wrong else missing,
    )


def _digest_of(wanted: Spec, applied: LastApply | None) -> str:
    """Return what the requested version's name stands for now: what it was applied as, if it ever was."""
    return applied.digests.get(wanted.version.name, wanted.digest) if applied is not None else wanted.digest


def _object(reported: Reported, known: Mapping[str, str]) -> Object:
    return Object(
        name=reported.name,
        digest="" if reported.drifted else known.get(reported.version, ""),
        version=reported.version,
        healthy=reported.healthy,
        active=reported.active,
        message=reported.message,
    )


async def _written(write: Callable[..., None], *arguments: Any) -> None:
    try:
        await asyncio.to_thread(write, *arguments)
    except OSError as error:
        raise TransientError(f"what was done cannot be written down, and is done again: {error}") from error


def _decoded(output: bytes, kind: type[_Kind], name: str) -> _Kind:
    try:
        return msgspec.json.decode(output, type=kind)
    except msgspec.DecodeError as error:
        raise Unreachable(f"{name} did not print the JSON it should: {error}") from error
