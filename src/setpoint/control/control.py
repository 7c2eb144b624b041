"""The one door: every command and query goes through here, as somebody, with a permission; every change with an audit record."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from setpoint.config.compile import Configuration
from setpoint.control import commands, queries, rehearsing
from setpoint.control.act import DRY_RUN, Act
from setpoint.control.audit import DONE, Audit, Entry
from setpoint.control.errors import ControlError, Malformed, NotFound, Refused, Unavailable
from setpoint.control.people import People
from setpoint.control.permissions import require
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Answer, Operation, Request, Stream
from setpoint.control.rehearsing import Rehearsed
from setpoint.control.requests import Once, check_key, identity_of
from setpoint.engine.effects import Effects, RuntimeDefinition
from setpoint.engine.embedded import EmbeddedEngine
from setpoint.engine.errors import EngineError
from setpoint.engine.port import Clock
from setpoint.model.people import Person
from setpoint.store.content import Content
from setpoint.store.documents import Documents
from setpoint.store.identity import DatabaseLost
from setpoint.store.records import Records
from setpoint.store.requests import Requests

log = logging.getLogger("setpoint.control")


class Control:
    """Commands and queries on one engine. Make it, then ``await start()`` while the engine serves."""

    def __init__(self, engine: EmbeddedEngine, effects: Effects, *, clock: Clock) -> None:
        self.engine = engine
        self.effects = effects
        self.clock = clock
        self.records = Records(engine.database)
        self.documents = Documents(engine.database)
        self.content = Content(engine.database)
        self.people = People(self.records)
        self.audit = Audit(self.records)
        self._once = Once(Requests(engine.database))
        self.configuring = asyncio.Lock()
        self.acting = asyncio.Lock()
        """Held by an act of a person until it was taken up; see ``acts``."""
        self.unreadable = ""
        """Why the stored configuration cannot be used by this version; empty: it can."""
        self._configuration: Configuration | None = None

    @property
    def home(self) -> Path:
        """The data directory."""
        return self.engine.home

    @property
    def applied(self) -> Configuration | None:
        """The configuration in force; None before the first apply."""
        return self._configuration

    @property
    def configuration(self) -> Configuration:
        """The configuration in force. Raises Refused before the first apply."""
        if self.unreadable:
            raise Refused(
                "The stored configuration cannot be used by this version.", "See `setpoint doctor`; then apply a corrected one."
            )
        if self._configuration is None:
            raise Refused("No configuration has been applied yet.", "Apply one with `setpoint apply DIRECTORY`.")
        return self._configuration

    async def adopt(self, configuration: Configuration) -> None:
        """From now on this one counts."""
        definitions = {name: RuntimeDefinition(one.kind, one.options, one.tree) for name, one in configuration.runtimes.items()}
        places = {instance: configuration.policy(instance).labels["runtime"] for instance in configuration.all_instances}
        await self.effects.set_runtimes(definitions, places)
        self._configuration = configuration
        self.unreadable = ""

    async def start(self, *, adopted: Callable[[], None]) -> None:
        """Take up where the last engine ended: people, the configuration, an apply that was not finished.

        ``adopted`` is called once the runtimes are known: only then may anything be looked at.
        """
        await self.people.load()
        await self.people.ensure_admin(self.home, self.clock())
        await commands.apply.restore(self)
        adopted()
        try:
            await commands.apply.finish(self)
        except ControlError as error:
            log.error("an apply that was interrupted could not be finished; apply again: %s %s", error.message, error.hint)  # noqa: TRY400 - the sentence says all

    # --- the door

    async def command(self, name: str, payload: Mapping[str, Any], person: Person, *, request: str = "") -> Answer:
        """Change something as somebody. ``request``: the key of this person for this very command; see ``requests`` (§10.12).

        Raises:
            ControlError: it was not done; the message says why.
        """
        operation = _find(COMMANDS, name, "command")
        act = Act(self, person, self.clock(), identity_of(person, name, request))
        entry = Entry(person.name, name, at=act.now)
        try:
            check_key(request)
            parsed = _parse(operation, payload)
        except Malformed as error:
            await self._note(entry, error)
            raise
        entry = Entry(person.name, name, operation.subject(parsed), str(getattr(parsed, "why", "")), at=act.now)
        return await self._audited(operation, act, parsed, entry, keyed=bool(request))

    async def rehearse(self, name: str, payload: Mapping[str, Any], person: Person) -> Rehearsed:
        """What a command would do, without doing it: whoever may not do it may not ask either.

        Raises:
            ControlError: it would not be done; the message says why.
        """
        operation = _find(COMMANDS, name, "command")
        require(person, operation.permission, f"rehearse {name}")
        if not operation.rehearsable:
            raise Refused(f"There is no dry run of {name}.", operation.instead)
        staged, rehearsal = rehearsing.stage(self)
        act = Act(staged, person, self.clock(), DRY_RUN)
        answer = await self._handle(operation, act, _parse(operation, payload))
        return rehearsing.told(name, answer, act, rehearsal.outcome)

    async def query(self, name: str, payload: Mapping[str, Any], person: Person) -> Answer:
        """Ask something as somebody. Raises ControlError."""
        operation = _find(QUERIES, name, "query")
        require(person, operation.permission, f"ask for {name}")
        return await self._handle(operation, Act(self, person, self.clock(), ""), _parse(operation, payload))

    async def stream(self, name: str, payload: Mapping[str, Any], person: Person) -> AsyncIterator[Answer]:
        """Ask something that is answered bit by bit. Raises ControlError, before the first bit or later."""
        found = _find(STREAMS, name, "stream")
        require(person, found.permission, f"ask for {name}")
        return found.handler(Act(self, person, self.clock(), ""), _parse(found, payload))

    async def _audited(self, operation: Operation, act: Act, parsed: Request, entry: Entry, *, keyed: bool) -> Answer:
        begun = await self._begin(entry)
        try:
            require(act.person, operation.permission, operation.name)
            answer = await (self._handle_once(operation, act, parsed) if keyed else self._handle(operation, act, parsed))
        except ControlError as error:
            await self._end(begun, error.code, error.message)
            raise
        except Exception as error:
            await self._end(begun, "broken", type(error).__name__)
            raise
        await self._end(begun, DONE)
        return answer

    async def _handle_once(self, operation: Operation, act: Act, parsed: Request) -> Answer:
        try:
            return await self._once.run(operation, act.request, parsed, act.now, lambda: self._handle(operation, act, parsed))
        except (DatabaseLost, sqlite3.Error) as error:
            raise Unavailable(
                f"The request cannot be stored: {error}.", "Make room on the disk, then see `setpoint doctor`."
            ) from error

    async def _handle(self, operation: Operation, act: Act, parsed: Request) -> Answer:
        try:
            return await operation.handler(act, parsed)
        except (EngineError, DatabaseLost, sqlite3.Error) as error:
            raise Unavailable(
                f"The engine cannot take it now: {error}.", "See `setpoint doctor`; nothing was lost that was confirmed."
            ) from error

    async def _note(self, entry: Entry, error: ControlError) -> None:
        begun = await self._begin(entry)
        await self._end(begun, error.code, error.message)

    async def _begin(self, entry: Entry) -> Entry:
        try:
            return await self.audit.begin(entry)
        except (DatabaseLost, sqlite3.Error) as error:
            raise Unavailable(
                f"The audit cannot be written: {error}.", "Make room on the disk, then see `setpoint doctor`."
            ) from error

    async def _end(self, entry: Entry, outcome: str, message: str = "") -> None:
        try:
            await self.audit.end(entry, self.clock(), outcome, message)
        except (DatabaseLost, sqlite3.Error):
            log.exception(
                "the outcome %s of command %s (audit entry %d) could not be written", outcome, entry.command, entry.number
            )


Found = TypeVar("Found", Operation, Stream)


def _find(operations: Mapping[str, Found], name: str, kind: str) -> Found:
    if name not in operations:
        raise NotFound(f'There is no {kind} "{name}".', f"There is: {', '.join(sorted(operations))}.")
    return operations[name]


def _parse(operation: Operation | Stream, payload: Mapping[str, Any]) -> Request:
    try:
        return operation.request.model_validate(dict(payload))
    except ValidationError as error:
        details = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'the request'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise Malformed(
            f"The request for {operation.name} is not well-formed: {details[0]}.", "See docs/commands.md.", details=details
        ) from None


__all__ = ["Control", "queries"]
