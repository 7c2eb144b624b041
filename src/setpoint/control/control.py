"""The one door: every command and query goes through here, as somebody, with a permission; every change with an audit record."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from setpoint.control import bounds, commands, dry_run, queries
from setpoint.control.applying.restoring import finish, restore
from setpoint.control.audit import DONE, Entry
from setpoint.control.context import DRY_RUN, RequestContext, Services
from setpoint.control.dry_run import Rehearsed
from setpoint.control.errors import ControlError, Forbidden, Malformed, NotFound, Refused, Unavailable
from setpoint.control.permissions import require
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Answer, Operation, Request, Stream
from setpoint.control.requests import Once, check_key, identity_of
from setpoint.engine.errors import EngineError
from setpoint.model.people import Person
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
        await services.people.ensure_admin(services.home, services.clock())
        await restore(services)
        adopted()
        try:
            await finish(services)
        except ControlError as error:
            log.error("an apply that was interrupted could not be finished; apply again: %s %s", error.message, error.hint)  # noqa: TRY400 - the sentence says all

    # --- the door

    async def command(self, name: str, payload: Mapping[str, Any], person: Person, *, request: str = "") -> Answer:
        """Change something as somebody. ``request``: the key of this person for this very command; see ``requests`` (§10.12).

        Raises:
            ControlError: it was not done; the message says why.
        """
        operation = _find(COMMANDS, name, "command")
        context = RequestContext(self.services, person, self.services.clock(), identity_of(person, name, request))
        entry = Entry(person.name, name, at=context.now)
        try:
            check_key(request)
            parsed = _parse(operation, payload)
        except Malformed as error:
            await self._note(entry, error)
            raise
        entry = Entry(person.name, name, operation.subject(parsed), str(getattr(parsed, "why", "")), at=context.now)
        return await self._audited(operation, context, parsed, entry, keyed=bool(request))

    async def rehearse(self, name: str, payload: Mapping[str, Any], person: Person) -> Rehearsed:
        """What a command would do, without doing it: whoever may not do it may not ask either.

        Raises:
            ControlError: it would not be done; the message says why.
        """
        operation = _find(COMMANDS, name, "command")
        await self._require(person, operation, f"rehearse {name}")
        if not operation.rehearsable:
            raise Refused(f"There is no dry run of {name}.", operation.instead)
        staged, engine = dry_run.stage(self.services)
        context = RequestContext(staged, person, self.services.clock(), DRY_RUN)
        answer = await self._handle(operation, context, _parse(operation, payload))
        return dry_run.told(name, answer, context, engine.outcome)

    async def query(self, name: str, payload: Mapping[str, Any], person: Person) -> Answer:
        """Ask something as somebody. Raises ControlError."""
        operation = _find(QUERIES, name, "query")
        await self._require(person, operation, f"ask for {name}")
        return await self._handle(
            operation, RequestContext(self.services, person, self.services.clock(), ""), _parse(operation, payload)
        )

    async def stream(self, name: str, payload: Mapping[str, Any], person: Person) -> AsyncIterator[Answer]:
        """Ask something that is answered bit by bit. Raises ControlError, before the first bit or later."""
        found = _find(STREAMS, name, "stream")
        await self._require(person, found, f"ask for {name}")
        return found.handler(RequestContext(self.services, person, self.services.clock(), ""), _parse(found, payload))

    async def _audited(
        self, operation: Operation, context: RequestContext, parsed: Request, entry: Entry, *, keyed: bool
    ) -> Answer:
        begun = await self._begin(entry)
        try:
            require(context.person, operation.permission, operation.name)
            answer = await (self._handle_once(operation, context, parsed) if keyed else self._handle(operation, context, parsed))
        except ControlError as error:
            await self._end(begun, error.code, error.message)
            raise
        except Exception as error:
            await self._end(begun, "broken", type(error).__name__)
            raise
        await self._end(begun, DONE)
        return answer

    async def _handle_once(self, operation: Operation, context: RequestContext, parsed: Request) -> Answer:
        try:
            return await self._once.run(
                operation, context.request, parsed, context.now, lambda: self._handle(operation, context, parsed)
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
        try:
            await self.services.audit.stranger(source, self.services.clock())
        except StoreError:
            log.exception("an attempt without a valid token could not be written to the audit")

    async def _require(self, person: Person, operation: Operation | Stream, what: str) -> None:
        try:
            require(person, operation.permission, what)
        except Forbidden as error:
            await self._note(Entry(person.name, operation.name, at=self.services.clock()), error)
            raise

    async def _note(self, entry: Entry, error: ControlError) -> None:
        begun = await self._begin(entry)
        await self._end(begun, error.code, error.message)

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


def _find(operations: Mapping[str, Found], name: str, kind: str) -> Found:
    if name not in operations:
        raise NotFound(f'There is no {kind} "{name}".', f"There is: {', '.join(sorted(operations))}.")
    return operations[name]


def _parse(operation: Operation | Stream, payload: Mapping[str, Any]) -> Request:
    bounds.check(payload)
    try:
        parsed = operation.request.model_validate(dict(payload))
    except ValidationError as error:
        details = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'the request'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise Malformed(
            f"The request for {operation.name} is not well-formed: {details[0]}.",
            "See docs/commands.md.",
            details=details[:_SHOWN],
        ) from None
    bounds.check_numbers(parsed)
    return parsed


__all__ = ["Control", "commands", "queries"]
