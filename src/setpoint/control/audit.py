"""The audit log: who attempted what, when, why, by which token, from where, and the outcome.

A command leaves one line before it is tried, one after. Everything else – reads, dry runs, attempts that were refused, starts and
stops – leaves one line, and repeated attempts are counted: see ``Limiter``.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from setpoint.model.time import MINUTE, Instant
from setpoint.store.port import Records

KIND = "audit"
BEGUN = "begun"
DONE = "done"
SUMMARISED = "summarised"
"""Outcome of a line that stands for attempts of several kinds."""
LINES = 20
"""Different attempts of one actor that get a line of their own in a minute."""
ACTORS = 250
"""Actors that are counted apart in a minute; the others are counted together."""
_LONGEST = 200
"""Characters of a subject, reason or message of an attempt that was not carried out."""

RECORDED_READS = {
    "audit": "",
    "logs": "target",
    "preview": "root",
    "story": "entity",
    "tokens": "",
    "validate": "root",
}
"""Queries and streams whose every use is in the audit log -> the field of their request that is the subject of the line."""
UNRECORDED_READS = frozenset(
    {
        "changes",
        "doctor",
        "events",
        "explain",
        "history",
        "invariants",
        "orphans",
        "releases",
        "replicas",
        "rollup",
        "schema",
        "status",
        "timeline",
        "whoami",
    }
)
"""Those that return states and decisions only, and that clients repeat all the time. Refused uses are recorded."""


class AuditAct(StrEnum):
    """What was attempted."""

    COMMAND = "command"
    DRY_RUN = "dry-run"
    QUERY = "query"
    STREAM = "stream"
    AUTHENTICATE = "authenticate"
    """A request without a valid token."""
    ENGINE = "engine"
    """A start or stop of the engine, and a token that it made."""


class Origin(msgspec.Struct, frozen=True):
    """By which token a request came, and from where."""

    token: str = ""
    """Id of the token; never the token."""
    source: str = ""
    """Address of the client."""


INSIDE = Origin()
"""Of what does not come through the API."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt. ``outcome`` is ``done``, the code of the error, or ``begun``: the engine ended before the command did."""

    person: str
    command: str
    subject: str = ""
    why: str = ""
    outcome: str = BEGUN
    message: str = ""
    number: int = 0
    at: Instant = 0
    act: AuditAct = AuditAct.COMMAND
    token: str = ""
    source: str = ""
    digest: str = ""
    """SHA-256 of the request."""
    times: int = 1
    """Attempts that this line stands for."""


class _Window:
    """Attempts of one actor in one minute; ``shared``: of several, whose attempts are counted separately."""

    def __init__(self, opened: Instant, *, shared: bool) -> None:
        self.opened = opened
        self._shared = shared
        self._seen: set[tuple[str, ...]] = set()
        self._held: dict[tuple[str, ...], Entry] = {}

    def admit(self, entry: Entry) -> bool:
        """Whether it is the first of its kind, and gets its own line; else count it."""
        kind: tuple[str, ...] = (entry.act, entry.command, entry.subject, entry.outcome, entry.token, entry.person)
        if kind not in self._seen and len(self._seen) < LINES:
            self._seen.add(kind)
            return True
        if kind not in self._seen:
            kind = ()
            entry = replace(entry, command="", subject="", why="", message="", digest="", outcome=SUMMARISED)
            if self._shared:
                entry = replace(entry, person="", token="", source="")
        held = self._held.get(kind)
        self._held[kind] = replace(entry, times=held.times + 1 if held else 1)
        return False

    def held(self) -> Iterator[Entry]:
        """Yield one line for each kind of attempt that was counted."""
        return iter(self._held.values())


class Limiter:
    """Bounds the lines of attempts: each actor has ``LINES`` of its own in a minute, and a line for each number of repetitions.

    Its memory is bounded, too: ``ACTORS`` × ``LINES`` attempts.
    """

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def admit(self, entry: Entry) -> bool:
        """Whether to write the line; False: it is counted, and ``closed`` returns it later."""
        actor = entry.token or entry.person  # a stranger has as many addresses as loopback has: all of them share a window
        if actor not in self._windows and len(self._windows) >= ACTORS:
            actor = ""
        return self._windows.setdefault(actor, _Window(entry.at, shared=not actor)).admit(entry)

    def closed(self, now: Instant | None) -> list[Entry]:
        """Forget minutes that are over, all for None; the lines for what they counted."""
        over = [actor for actor, window in self._windows.items() if now is None or not 0 <= now - window.opened < MINUTE]
        return [entry for actor in over for entry in self._windows.pop(actor).held()]


class Audit:
    """Writes and reads entries; lines are never changed."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._limiter = Limiter()

    async def begin(self, entry: Entry) -> Entry:
        """Durable when it returns."""
        return replace(entry, number=await self._records.append(KIND, entry.at, entry))

    async def end(self, entry: Entry, at: Instant, outcome: str, message: str = "") -> None:
        """Write the outcome: a line with the number of the first."""
        await self._records.append(KIND, at, replace(entry, outcome=outcome, message=message))

    async def note(self, entry: Entry) -> None:
        """Write a line for an attempt that ended with ``entry.outcome``, or count it."""
        await self.settle(entry.at)
        shown = replace(entry, subject=_cut(entry.subject), why=_cut(entry.why), message=_cut(entry.message))
        if self._limiter.admit(shown):
            await self._records.append(KIND, shown.at, shown)

    async def settle(self, now: Instant | None) -> None:
        """Write the numbers of repeated attempts of minutes that are over; for None of all."""
        for entry in self._limiter.closed(now):
            await self._records.append(KIND, entry.at, entry)

    async def entries(self, *, before: int = 0, limit: int = 100) -> list[Entry]:
        """The newest attempts with their outcomes, newest first."""
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


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
