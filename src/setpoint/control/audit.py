"""The audit: who asked for which change, when, why, and what became of it. One line before the change is tried, one after."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from setpoint.model.time import MINUTE, Instant
from setpoint.store.port import Records

KIND = "audit"
AUTHENTICATE = "authenticate"
"""In place of a command: nobody was let in."""
BEGUN = "begun"
DONE = "done"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command. ``outcome`` is ``done``, the code of the error, or ``begun``: the engine ended before the command did."""

    person: str
    command: str
    subject: str = ""
    why: str = ""
    outcome: str = BEGUN
    message: str = ""
    number: int = 0
    at: Instant = 0


class Audit:
    """Writes and reads entries; lines are never changed."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._strangers = 0
        self._noted: Instant | None = None

    async def stranger(self, source: str, at: Instant) -> None:
        """An attempt without a valid token: one line a minute with the number of them, so that they cannot fill the disk."""
        self._strangers += 1
        if self._noted is not None and 0 <= at - self._noted < MINUTE:
            return
        count, self._strangers, self._noted = self._strangers, 0, at
        begun = await self.begin(Entry("", AUTHENTICATE, source, at=at))
        await self.end(begun, at, "unauthenticated", f"{count} without a valid token since the last line")

    async def begin(self, entry: Entry) -> Entry:
        """Durable when it returns."""
        return replace(entry, number=await self._records.append(KIND, entry.at, entry))

    async def end(self, entry: Entry, at: Instant, outcome: str, message: str = "") -> None:
        """What became of it: a line that bears the number of the first."""
        await self._records.append(KIND, at, replace(entry, outcome=outcome, message=message))

    async def entries(self, *, before: int = 0, limit: int = 100) -> list[Entry]:
        """The newest commands with their outcomes, newest first."""
        ends: dict[int, Entry] = {}
        found: list[Entry] = []
        while len(found) < limit and (lines := await self._records.tail(KIND, Entry, before=before, limit=2 * limit)):
            for number, at, line in lines:
                if line.number:
                    ends[line.number] = line
                else:
                    found.append(replace(ends.get(number, line), number=number, at=at))
            before = lines[-1][0]
        return found[:limit]
