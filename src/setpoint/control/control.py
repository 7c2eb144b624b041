"""The one door: every command and query goes through here, as a person, with a permission; every change with an audit record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from msgspec.structs import replace
from pydantic import ValidationError

import setpoint
from setpoint.control import bounds, commands, dry_run, queries
from setpoint.control.applying.files import Files
from setpoint.control.applying.restoring import finish, restore
from setpoint.control.audit import DONE, INSIDE, RECORDED_READS, AuditAct, Entry, Origin
from setpoint.control.context import DRY_RUN, RequestContext, Services
from setpoint.control.dry_run import Rehearsed
from setpoint.control.errors import ControlError, Forbidden, Malformed, NotFound, Refused, Unauthenticated, Unavailable
from setpoint.control.permissions import require
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Answer, Operation, Request, Stream
from setpoint.control.requests import Once, check_key, identity_of, payload_digest
from setpoint.engine.errors import EngineError
from setpoint.model.people import ENGINE, Person
from setpoint.store.port import StoreError

log = logging.getLogger("setpoint.control")
_SHOWN = 100
"""Faults of one request that are listed."""


class Control:
    """Commands and queries on one engine. Make it, then ``await start()`` while the engine serves."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._once = Once(services.stores.requests)

    async def start(self, *, adopted: Callable[[], None]) -> None:
        """Take up where the last engine ended: people, the configuration, an apply that was not finished.

        ``adopted`` is called once the runtimes are known: only then may anything be looked at.
        """
        services = self.services
        await services.people.load()
        made = await services.people.ensure_admin(services.home, services.clock())
        await self._note_engine("start", f"Setpoint {setpoint.__version__}")
        if made is not None:
            await self._note_engine("token-create", f"{made.user} ({made.id})")
        await restore(services)
        adopted()
        try:
            await finish(services)
        except ControlError as error:
            log.error("an apply that was interrupted could not be finished; apply again: %s %s", error.message, error.hint)  # noqa: TRY400 - the sentence is complete

    async def stop(self) -> None:
        """Write to the audit log what is still counted, and that the engine stops."""
        await self._note_engine("stop", "")
        try:
            await self.services.audit.settle(None)
        except StoreError:
            log.exception("the numbers of repeated attempts could not be written to the audit log")

    # --- the door

    async def command(
        self, name: str, payload: Mapping[str, Any], person: Person, *, request: str = "", origin: Origin = INSIDE
    ) -> Answer:
        """Change something as a person. ``request``: the key of this person for this very command; see ``requests`` (§10.12).

        Raises:
            ControlError: it was not done; the message contains the cause.
        """
        operation = _find(COMMANDS, name, "command")
        context = RequestContext(self.services, person, self.services.clock(), identity_of(person, name, request))
        entry = self._entry(AuditAct.COMMAND, operation, person, origin)
        try:
            check_key(request)
            parsed = await _for(operation, _parse, payload)
            entry = await _for(operation, _described, entry, parsed)
            require(person, operation.permission, name)
        except ControlError as error:
            await self._note(entry, error.code, error.message)
            raise
        return await self._audited(operation, context, parsed, entry, keyed=bool(request))

    async def rehearse(self, name: str, payload: Mapping[str, Any], person: Person, *, origin: Origin = INSIDE) -> Rehearsed:
        """Return what a command would do, without doing it; the permission is that of the command.

        Raises:
            ControlError: it would not be done; the message contains the cause.
        """
        operation = _find(COMMANDS, name, "command")
        async with self._reading(AuditAct.DRY_RUN, operation, payload, person, origin) as parsed:
            staged, engine = dry_run.stage(self.services)
            context = RequestContext(staged, person, self.services.clock(), DRY_RUN)
            answer = await self._handle(operation, context, parsed)
            return await asyncio.to_thread(dry_run.describe, name, answer, context, engine.outcome)

    async def query(self, name: str, payload: Mapping[str, Any], person: Person, *, origin: Origin = INSIDE) -> Answer:
        """Run a query as a person. Raises ControlError."""
        operation = _find(QUERIES, name, "query")
        async with self._reading(AuditAct.QUERY, operation, payload, person, origin) as parsed:
            return await self._handle(operation, RequestContext(self.services, person, self.services.clock(), ""), parsed)

    async def stream(
        self, name: str, payload: Mapping[str, Any], person: Person, *, origin: Origin = INSIDE
    ) -> AsyncIterator[Answer]:
        """Ask something that is answered bit by bit. Raises ControlError, before the first bit or later."""
        found = _find(STREAMS, name, "stream")
        async with self._reading(AuditAct.STREAM, found, payload, person, origin) as parsed:
            return found.handler(RequestContext(self.services, person, self.services.clock(), ""), parsed)

    async def _audited(
        self, operation: Operation, context: RequestContext, parsed: Request, entry: Entry, *, keyed: bool
    ) -> Answer:
        entered = await self._begin(entry)
        try:
            answer = await (
                self._handle_once(operation, context, parsed, entry.digest) if keyed else self._handle(operation, context, parsed)
            )
        except ControlError as error:
            await self._end(entered, error.code, error.message)
            raise
        except Exception as error:
            await self._end(entered, "broken", type(error).__name__)
            raise
        await self._end(entered, DONE)
        return answer

    async def _handle_once(self, operation: Operation, context: RequestContext, parsed: Request, payload: str) -> Answer:
        try:
            return await self._once.run(
                operation, context.request, payload, context.now, lambda: self._handle(operation, context, parsed)
            )
        except StoreError as error:
            raise Unavailable(
                f"The request cannot be stored: {error}.", "Make room on the disk, then see `setpoint doctor`."
            ) from error

    async def _handle(self, operation: Operation, context: RequestContext, parsed: Request) -> Answer:
        try:
            return await operation.handler(context, parsed)
        except (EngineError, StoreError) as error:
            raise Unavailable(
                f"The engine cannot take it now: {error}.", "See `setpoint doctor`; nothing was lost that was confirmed."
            ) from error

    async def note_stranger(self, source: str) -> None:
        """An attempt without a valid token, from an address."""
        entry = Entry("", "", at=self.services.clock(), act=AuditAct.AUTHENTICATE, source=source)
        await self._note(entry, Unauthenticated.code, "without a valid token")

    @asynccontextmanager
    async def _reading(
        self, act: AuditAct, operation: Operation | Stream, payload: Mapping[str, Any], person: Person, origin: Origin
    ) -> AsyncIterator[Request]:
        """What changes nothing: refused attempts are noted, and dry runs and sensitive reads however they end."""
        entry = self._entry(act, operation, person, origin)
        recorded = act is AuditAct.DRY_RUN or operation.name in RECORDED_READS
        try:
            require(person, operation.permission, f"{'dry-run' if act is AuditAct.DRY_RUN else 'use'} {operation.name}")
            if act is AuditAct.DRY_RUN and isinstance(operation, Operation) and not operation.rehearsable:
                raise Refused(f"{operation.name} has no dry run.", operation.instead)
            parsed = await _for(operation, _parse, payload)
            if recorded:
                entry = await _for(operation, _described, entry, parsed)
            yield parsed
        except ControlError as error:
            if recorded or isinstance(error, Forbidden):
                await self._note(entry, error.code, error.message)
            raise
        if recorded:
            await self._note(entry, DONE)

    def _entry(self, act: AuditAct, operation: Operation | Stream, person: Person, origin: Origin) -> Entry:
        return Entry(person.name, operation.name, at=self.services.clock(), act=act, token=origin.token, source=origin.source)

    async def _note_engine(self, command: str, subject: str) -> None:
        await self._note(Entry(ENGINE.person, command, subject, at=self.services.clock(), act=AuditAct.ENGINE), DONE)

    async def _note(self, entry: Entry, outcome: str, message: str = "") -> None:
        """Write one line. With a full disk it is in the log of the engine only, so that people can still look for the cause."""
        try:
            await self.services.audit.note(replace(entry, outcome=outcome, message=message))
        except StoreError:
            log.exception(
                "%s %s of %s (%s) could not be written to the audit log", entry.act, entry.command, entry.person, outcome
            )

    async def _begin(self, entry: Entry) -> Entry:
        try:
            return await self.services.audit.begin(entry)
        except StoreError as error:
            raise Unavailable(
                f"The audit cannot be written: {error}.", "Make room on the disk, then see `setpoint doctor`."
            ) from error

    async def _end(self, entry: Entry, outcome: str, message: str = "") -> None:
        try:
            await self.services.audit.end(entry, self.services.clock(), outcome, message)
        except StoreError:
            log.exception(
                "the outcome %s of command %s (audit entry %d) could not be written", outcome, entry.command, entry.number
            )


Found = TypeVar("Found", Operation, Stream)
Made = TypeVar("Made")


def _find(operations: Mapping[str, Found], name: str, kind: str) -> Found:
    if name not in operations:
        raise NotFound(f'There is no {kind} "{name}".', f"There is: {', '.join(sorted(operations))}.")
    return operations[name]


async def _for(operation: Operation | Stream, work: Callable[..., Made], *arguments: Any) -> Made:
    """Return what ``work`` returns for an operation: in a thread where a request may be large."""
    if issubclass(operation.request, Files):
        return await asyncio.to_thread(work, operation, *arguments)
    return work(operation, *arguments)


def _described(operation: Operation | Stream, entry: Entry, parsed: Request) -> Entry:
    field = RECORDED_READS.get(operation.name, "")
    subject = (
        operation.subject(parsed) if isinstance(operation, Operation) and operation.mutates else str(getattr(parsed, field, ""))
    )
    return replace(entry, subject=subject, why=str(getattr(parsed, "why", "")), digest=payload_digest(parsed))


def _parse(operation: Operation | Stream, payload: Mapping[str, Any]) -> Request:
    bounds.check(payload)
    try:
        parsed = operation.request.model_validate(dict(payload))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:_SHOWN]
        details = [f"{'.'.join(str(part) for part in fault['loc']) or 'the request'}: {fault['msg']}" for fault in faults]
        raise Malformed(
            f"The request for {operation.name} is not well-formed: {details[0]}.",
            "Compare it with the command's arguments in the API reference.",
            details=details,
        ) from None
    bounds.check_numbers(parsed)
    return parsed


__all__ = ["Control", "commands", "queries"]
