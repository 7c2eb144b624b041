"""Doctor: is the installation in order? Each finding contains what to do."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import setpoint
from setpoint.control.context import RequestContext
from setpoint.control.people import ADMIN_FILE
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import instances_of
from setpoint.control.registry import Answer, NoRequest, query
from setpoint.control.views.standing import endless, standing_stops
from setpoint.core.instance.explain import explain
from setpoint.core.recording.codec import SCHEMA
from setpoint.durable import records
from setpoint.engine.port import CLOCK
from setpoint.model.names import key_of
from setpoint.model.reasons import Code
from setpoint.model.time import DAY, format_instant
from setpoint.plugins.errors import AdapterError
from setpoint.store.port import StoreError, sha256_of

GOOD, WARNING, BAD = "ok", "warning", "bad"
_SHOWN = 5
_ENDLESS = "Withdraw it, or repeat it with an end: --until or --for."
_CLOCK_KEPT = 7 * DAY
_SPACE_WARNING, _SPACE_BAD = 1024**3, 128 * 1024**2
_PATIENCE = 5.0
_NAMED = 20
_RESTORE = "Nothing is decided by what is damaged. Stop the engine, restore the newest backup, `setpoint up --accept-restored`."


class Finding(Answer):
    """One thing that was looked at."""

    name: str
    state: str
    """``ok``, ``warning`` or ``bad``."""
    text: str
    hint: str = ""


class Diagnosis(Answer):
    """Everything that was looked at."""

    healthy: bool
    """Nothing is bad."""
    findings: list[Finding]


@query(
    "doctor",
    Permission.VIEW,
    NoRequest,
    Diagnosis,
    "Whether the data directory, the journal, the runtimes and the engine are in order.",
)
async def doctor(context: RequestContext, _: NoRequest) -> Diagnosis:
    """Looks at everything, changes nothing."""
    findings = [finding async for finding in _stuck(context)]
    findings += [
        _versions(context),
        await _clock(context),
        _home(context),
        _space(context),
        await _journal(context),
        await _rows(context),
        _engine(context),
    ]
    findings += [finding async for finding in _runtimes(context)]
    findings += _problems(context)
    findings += [await _configuration(context), *_unmatched(context), *await _stops(context)]
    return Diagnosis(healthy=all(finding.state != BAD for finding in findings), findings=findings)


async def _stuck(context: RequestContext) -> AsyncIterator[Finding]:
    """Attempts that nothing will end: a check has had no decisive result for long, and has no ``failAfter`` (§10.4)."""
    async for entity, state in instances_of(context.services):
        for reason in explain(state, context.steady):
            if reason.stuck:
                instance = key_of(entity)
                hint = f'Correct the check, or skip it: setpoint skip {instance} {reason.gate} --why "…"'
                yield Finding(name=instance, state=WARNING, text=reason.text, hint=hint)


async def _stops(context: RequestContext) -> list[Finding]:
    """What holds every release that comes, and what was forgotten."""
    instances = context.configuration.all_instances if context.applied else ()
    found = [stop for stop in await standing_stops(context, instances) if stop.code not in {Code.HELD, Code.OBSERVED_ONLY}]
    by_people = any(stop.code in {Code.FROZEN, Code.PAUSED} for stop in found)
    text = "; ".join(f"{stop.text} ({len(stop.instances)} instances)" for stop in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    hint = "See `setpoint status`; `setpoint start-the-line` and `setpoint unpause` end what people ordered." if by_people else ""
    stopped = Finding(name="stops", state=WARNING if by_people else GOOD, text=f"{text}{more}" or "nothing is stopped", hint=hint)
    orders = [Finding(name="orders", state=WARNING, text=one, hint=_ENDLESS) for one in await endless(context)]
    return [stopped, *orders]


def _versions(context: RequestContext) -> Finding:
    python, store = platform.python_version(), context.stores.whole.software
    text = f"Setpoint {setpoint.__version__}, Python {python}, {store}, states of schema {SCHEMA}, {sys.platform}"
    return Finding(name="versions", state=GOOD, text=text)


async def _clock(context: RequestContext) -> Finding:
    """The wall clock, and the last time in ``_CLOCK_KEPT`` that it was not where it should have been."""
    text = f"it is {format_instant(context.now)}"
    noted = await context.stores.history.lines(entities=[CLOCK], since=max(context.now - _CLOCK_KEPT, 0), limit=1)
    if not noted:
        return Finding(name="clock", state=GOOD, text=text)
    jump = f"{format_instant(noted[0].at)}: {noted[0].event.text}"
    return Finding(name="clock", state=WARNING, text=f"{text}; {jump}", hint="Let a time server keep the clock of this machine.")


def _home(context: RequestContext) -> Finding:
    home = context.services.home
    open_to_others = [
        path.name or str(path) for path in (home, home / ADMIN_FILE) if path.exists() and path.stat().st_mode & 0o077
    ]
    if open_to_others:
        text = f"others can read {', '.join(open_to_others)} in {home}"
        return Finding(name="home", state=BAD, text=text, hint=f"Run: chmod -R go= {home}; then replace the tokens.")
    return Finding(name="home", state=GOOD, text=f"{home} is locked by this engine and closed to others")


def _space(context: RequestContext) -> Finding:
    free = shutil.disk_usage(context.services.home).free
    state = BAD if free < _SPACE_BAD else WARNING if free < _SPACE_WARNING else GOOD
    hint = "" if state == GOOD else "Make room: with a full disk no new work is started."
    return Finding(name="disk", state=state, text=f"{free / 1024**3:.1f} GiB free", hint=hint)


async def _journal(context: RequestContext) -> Finding:
    store = context.stores.whole
    try:
        size, wrong = await store.check()
    except StoreError as error:
        return Finding(name="journal", state=BAD, text=str(error), hint="The engine stops; services go on running.")
    if wrong:
        return Finding(name="journal", state=BAD, text=f"{store.name}: {wrong}", hint="Stop the engine and restore a backup.")
    return Finding(name="journal", state=GOOD, text=f"{store.name}, {size / 1024**2:.1f} MiB, is sound")


async def _rows(context: RequestContext) -> Finding:
    try:
        found = await context.stores.whole.damaged()
        found += await asyncio.to_thread(damaged_files, context.services.home)
    except (StoreError, OSError) as error:
        return Finding(name="contents", state=BAD, text=str(error), hint=_RESTORE)
    if not found:
        return Finding(name="contents", state=GOOD, text="every row and file has the checksum that it was written with")
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return Finding(name="contents", state=BAD, text=f"damaged: {'; '.join(found[:_NAMED])}{more}", hint=_RESTORE)


def _engine(context: RequestContext) -> Finding:
    health = context.engine.health()
    waiting = f"{health.queued} facts waiting, {health.operations} operations open"
    counts = f"{health.entities} entities, {waiting}, {health.watched} watched"
    text = f"{health.status}: {counts}"
    if health.status != "serving":
        return Finding(name="engine", state=BAD, text=health.reason or text, hint="See the log of the engine.")
    return Finding(name="engine", state=GOOD, text=text)


async def _runtimes(context: RequestContext) -> AsyncIterator[Finding]:
    configuration = context.applied
    if configuration is None:
        return
    place = {configuration.labels(one)["runtime"]: one for one in reversed(configuration.all_instances)}
    for name in sorted(configuration.runtimes):
        yield await _runtime(context, name, place.get(name))


async def _runtime(context: RequestContext, name: str, instance: str | None) -> Finding:
    what = f"runtime {name}"
    try:
        async with asyncio.timeout(_PATIENCE):
            runtime = context.services.effects.runtime(name)
            if instance is None:
                return Finding(name=what, state=GOOD, text="loaded; nothing runs there")
            await runtime.observe(instance, None)
    except AdapterError as error:
        if instance is None:
            return Finding(name=what, state=WARNING, text=str(error), hint="Nothing runs there.")
        return Finding(
            name=what, state=BAD, text=str(error), hint="What it runs is unknown until it answers; nothing is changed meanwhile."
        )
    except TimeoutError:
        return Finding(name=what, state=BAD, text=f"it did not answer within {_PATIENCE:g} s", hint="See to the runtime.")
    return Finding(name=what, state=GOOD, text="answers")


def _problems(context: RequestContext) -> list[Finding]:
    return [
        Finding(
            name=entity,
            state=BAD,
            text=f"its turns do not succeed: {text}",
            hint=_RESTORE if "damaged" in text else "Please report it; other entities are not concerned.",
        )
        for entity, text in sorted(context.engine.problems().items())
    ]


def _unmatched(context: RequestContext) -> list[Finding]:
    hint = "Correct the selector, unless what it selects is still to come."
    notices = context.applied.unmatched if context.applied is not None else []
    return [Finding(name="selector", state=WARNING, text=notice, hint=hint) for notice in notices]


async def _configuration(context: RequestContext) -> Finding:
    try:
        newest = await context.stores.documents.newest()
    except StoreError as error:
        return Finding(name="configuration", state=BAD, text=f"it cannot be read: {error}", hint="See the journal above.")
    if newest is None:
        return Finding(
            name="configuration", state=WARNING, text="none was applied yet", hint="Apply one: setpoint apply DIRECTORY."
        )
    if context.services.unreadable:
        text = f"revision {newest.number} cannot be used by this version: {context.services.unreadable}"
        return Finding(
            name="configuration", state=BAD, text=text, hint="Correct it and apply it again; what runs goes on meanwhile."
        )
    text = f"revision {newest.number}, applied {format_instant(newest.at)} by {newest.person}"
    return Finding(name="configuration", state=GOOD, text=text)


def damaged_files(home: Path) -> list[str]:
    """Files of contents and records below a data directory that are damaged, or of another format. Raises OSError."""
    return [*_contents(home / "files"), *_records(home)]


def _contents(files: Path) -> Iterator[str]:
    for path in sorted(files.glob("*")) if files.is_dir() else ():
        if len(path.name) == 64 and sha256_of(path.read_bytes()) != path.name:
            yield f"the file {path} (the next apply writes it again)"


def _records(home: Path) -> Iterator[str]:
    for kind, pattern in (
        ("instance", "runtimes/local/instances/*.json"),
        ("applied", "runtimes/custom/*.json"),
        ("task", "tasks/*.json"),
    ):
        for path in sorted(home.glob(pattern)):
            try:
                records.read(path, kind, dict[str, Any])
            except FileNotFoundError:
                continue
            except (records.Damaged, records.OtherFormat) as error:
                yield str(error)
