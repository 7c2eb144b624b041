"""A second store: what a database keeps lies in dictionaries, which outlive the store as a disk does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from setpoint.core.instructions import Event
from setpoint.model.spec import Spec
from setpoint.model.time import Instant, Stamp
from setpoint.store.following import Bell
from setpoint.store.journal import OFFSETS_KEPT, Commit, JournalTurn, Loaded, StoredActor, TurnRow
from setpoint.store.port import (
    REQUESTS_KEPT,
    Bounds,
    Change,
    Claim,
    Line,
    Revision,
    StoreCondition,
    StoreUnavailable,
    UnknownNumber,
    sha256_of,
)

T = TypeVar("T")
_encode = msgspec.msgpack.encode


class Disk:
    """What is durable."""

    def __init__(self) -> None:
        self.full = False
        self.starts = 0
        self.newest = 0
        self.changes: list[Change] = []
        self.history: list[Line] = []
        self.actors: dict[int, tuple[int, str, bytes, Instant | None, int, int]] = {}
        self.fixed: dict[int, bytes] = {}
        self.turns: dict[int, TurnRow] = {}
        self.mail: dict[int, tuple[int, str, bytes, bool]] = {}
        self.operations: dict[str, tuple[str, str, bytes]] = {}
        self.publications: dict[str, bytes] = {}
        self.subscriptions: dict[tuple[str, str], None] = {}
        self.fanouts: dict[str, str] = {}
        self.problems: dict[str, str] = {}
        self.dedup: dict[str, Instant] = {}
        self.offsets: dict[Instant, Stamp] = {}
        self.stamp: Stamp | None = None
        self.specs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.revisions: list[tuple[Revision, dict[str, tuple[str, bool]]]] = []
        self.records: dict[tuple[str, str], bytes] = {}
        self.logs: list[tuple[int, str, Instant, bytes]] = []
        self.requests: dict[str, tuple[Instant, Claim]] = {}

    def write(self) -> None:
        """Raises StoreUnavailable while it is full. Everything after it succeeds."""
        if self.full:
            raise StoreUnavailable("the disk is full", "make room")

    def number(self, kind: str, at: Instant, entities: Iterable[str] = (), *, lines: int = 0) -> int:
        previous = self.changes[-1].number if self.changes else 0
        self.newest += max(lines, 1)
        self.changes.append(Change(self.newest, previous, at, kind, tuple(entities)))
        return self.newest


class MemoryJournal:
    def __init__(self, disk: Disk, bell: Bell, kept: int) -> None:
        self._disk = disk
        self._bell = bell
        self._kept = kept

    async def commit(self, commit: Commit, *, written: Callable[[], None] = lambda: None) -> None:
        self._disk.write()
        written()
        self._number(commit)
        self._put_actors(commit)
        self._put_mail(commit)
        self._put_rest(commit)
        del self._disk.changes[: -self._kept]
        self._bell.ring(self._disk.newest)

    async def probe(self) -> None:
        self._disk.write()

    async def load(self) -> Loaded:
        disk, loaded = self._disk, Loaded()
        rows = sorted(disk.actors.values(), key=lambda row: row[1])
        loaded.actors = [StoredActor(row[0], row[1], disk.fixed[row[0]], *row[2:], "") for row in rows]
        loaded.mail = [disk.mail[number] for number in sorted(disk.mail)]
        loaded.next_mail, loaded.next_turn = max(disk.mail, default=0) + 1, max(disk.turns, default=0) + 1
        loaded.operations = [disk.operations[name] for name in sorted(disk.operations)]
        loaded.publications = list(disk.publications.items())
        loaded.subscriptions = list(disk.subscriptions)
        loaded.fanouts = list(disk.fanouts.items())
        loaded.problems, loaded.dedup = dict(disk.problems), dict(disk.dedup)
        loaded.offsets = [disk.offsets[at] for at in sorted(disk.offsets)][-OFFSETS_KEPT:]
        loaded.stamp = disk.stamp
        return loaded

    async def turns(self, entity: str) -> list[JournalTurn]:
        last = next((row[4] for row in self._disk.actors.values() if row[1] == entity), 0)
        return [JournalTurn(*row[2:]) for row in reversed(self._story(last))]

    def _number(self, commit: Commit) -> None:
        lines = enumerate(commit.history, start=self._disk.newest + 1)
        self._disk.history += [
            Line(number, at, entity, application, msgspec.msgpack.decode(event, type=Event))
            for number, (at, entity, application, event) in lines
        ]
        if commit.visible:
            self._disk.number("turns", commit.at, commit.visible, lines=len(commit.history))

    def _put_actors(self, commit: Commit) -> None:
        disk = self._disk
        disk.actors |= commit.actors
        disk.fixed |= dict(commit.fixed.values())
        disk.turns |= {row[0]: row for row in commit.turns}
        for last in commit.long:
            story = self._story(last)
            starts = [place for place, row in enumerate(story) if row[7] is not None]
            for row in story[starts[1] + 1 :] if len(starts) > 1 else ():
                del disk.turns[row[0]]

    def _story(self, last: int) -> list[TurnRow]:
        """Newest first."""
        found = []
        while row := self._disk.turns.get(last):
            found.append(row)
            last = row[1]
        return found

    def _put_mail(self, commit: Commit) -> None:
        mail = self._disk.mail
        mail |= {number: (number, entity, fact, bool(aside)) for number, entity, fact, aside in commit.mail}
        for number in commit.mail_aside:
            mail[number] = (*mail[number][:3], True)
        for number in commit.mail_gone:
            mail.pop(number, None)

    def _put_rest(self, commit: Commit) -> None:
        disk = self._disk
        _drop(disk.operations, commit.operations_gone)
        disk.operations |= commit.operations
        disk.publications |= dict(commit.publications.values())
        disk.subscriptions |= {pair: None for pair, there in commit.subscriptions.items() if there}
        _drop(disk.subscriptions, [pair for pair, there in commit.subscriptions.items() if not there])
        disk.fanouts |= {name: after for name, after in commit.fanouts.items() if after is not None}
        _drop(disk.fanouts, [name for name, after in commit.fanouts.items() if after is None])
        disk.problems |= {entity: problem[0] for entity, problem in commit.problems.items() if problem}
        _drop(disk.problems, [entity for entity, problem in commit.problems.items() if not problem])
        disk.dedup = dict(commit.dedup) | disk.dedup
        _drop(disk.dedup, commit.dedup_gone)
        disk.offsets |= {stamp.at: stamp for stamp in commit.offsets}
        disk.stamp = commit.stamp[-1] if commit.stamp else disk.stamp


def _drop(table: dict[Any, Any], keys: Iterable[Any]) -> None:
    for key in keys:
        table.pop(key, None)


class MemoryHistory:
    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def lines(
        self,
        *,
        entities: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        application: str = "",
        since: Instant = 0,
        until: Instant = 0,
        before: int = 0,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Line]:
        found = [
            line
            for line in self._disk.history
            if (not (entities or prefixes) or line.entity in entities or line.entity.startswith(tuple(prefixes)))
            and application in {"", line.application}
            and since <= line.at
            and (not until or line.at < until)
            and (not before or line.seq < before)
            and (after is None or line.seq > after)
        ]
        return (found[::-1] if after is None else found)[:limit]

    async def kinds(self) -> set[str]:
        return {line.event.kind for line in self._disk.history}


class MemoryChanges:
    def __init__(self, disk: Disk, bell: Bell) -> None:
        self._disk = disk
        self.wait = bell.wait

    async def newest(self) -> int:
        return self._disk.newest

    async def read(self, *, after: int, limit: int = 500) -> list[Change]:
        oldest = self._disk.changes[0].previous if self._disk.changes else self._disk.newest
        if not oldest <= after <= self._disk.newest:
            raise UnknownNumber(after, oldest, self._disk.newest)
        return [change for change in self._disk.changes if change.number > after][:limit]


class MemoryContent:
    identity = 7

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def put(self, specs: Iterable[Spec] = (), files: Iterable[bytes] = ()) -> None:
        specs = list(specs)
        if any(not spec.digest for spec in specs):
            raise ValueError(f"the spec of {specs[0].instance} has no digest")
        self._disk.write()
        self._disk.specs |= {spec.digest: _encode(spec) for spec in specs}
        self._disk.files |= {sha256_of(content): content for content in files}

    async def spec(self, digest: str) -> Spec | None:
        body = self._disk.specs.get(digest)
        return None if body is None else msgspec.msgpack.decode(body, type=Spec)

    async def file(self, sha256: str) -> bytes | None:
        return self._disk.files.get(sha256)


class MemoryDocuments:
    def __init__(self, disk: Disk, bell: Bell) -> None:
        self._disk = disk
        self._bell = bell

    async def save(self, files: Mapping[str, bytes], executable: Collection[str] = (), *, at: Instant, person: str) -> Revision:
        named = {path: (sha256_of(content), path in executable) for path, content in files.items()}
        digest = hashlib.sha256(_encode(sorted(named.items()))).hexdigest()[:16]
        newest = await self.newest()
        if newest is not None and newest.digest == digest:
            return newest
        self._disk.write()
        revision = Revision(newest.number + 1 if newest else 1, digest, at, person)
        self._disk.files |= {sha256_of(content): content for content in files.values()}
        self._disk.revisions.append((revision, named))
        self._bell.ring(self._disk.number("configuration", at))
        return revision

    async def newest(self) -> Revision | None:
        return self._disk.revisions[-1][0] if self._disk.revisions else None

    async def revisions(self, *, limit: int = 100) -> list[Revision]:
        return [revision for revision, _ in reversed(self._disk.revisions)][:limit]

    async def load(self, number: int) -> dict[str, bytes]:
        return {path: self._disk.files[sha256] for path, (sha256, _) in sorted(self._named(number).items())}

    async def executables(self, number: int) -> list[str]:
        return sorted(path for path, (_, program) in self._named(number).items() if program)

    def _named(self, number: int) -> dict[str, tuple[str, bool]]:
        return next((named for revision, named in self._disk.revisions if revision.number == number), {})


class MemoryRecords:
    def __init__(self, disk: Disk, bell: Bell, kept: int) -> None:
        self._disk = disk
        self._bell = bell
        self._kept = kept

    async def put(self, kind: str, key: str, value: Any) -> None:
        self._disk.write()
        self._disk.records[kind, key] = _encode(value)

    async def get(self, kind: str, key: str, shape: type[T]) -> T | None:
        body = self._disk.records.get((kind, key))
        return None if body is None else msgspec.msgpack.decode(body, type=shape)

    async def all(self, kind: str, shape: type[T]) -> dict[str, T]:
        found = sorted((key, body) for (one, key), body in self._disk.records.items() if one == kind)
        return {key: msgspec.msgpack.decode(body, type=shape) for key, body in found}

    async def delete(self, kind: str, key: str) -> bool:
        self._disk.write()
        return self._disk.records.pop((kind, key), None) is not None

    async def append(self, kind: str, at: Instant, value: Any) -> int:
        self._disk.write()
        number = self._disk.number(kind, at)
        self._disk.logs.append((number, kind, at, _encode(value)))
        del self._disk.changes[: -self._kept]
        self._bell.ring(number)
        return number

    async def tail(self, kind: str, shape: type[T], *, before: int = 0, limit: int = 100) -> list[tuple[int, Instant, T]]:
        lines = [line for line in self._disk.logs if line[1] == kind and (not before or line[0] < before)]
        return [(number, at, msgspec.msgpack.decode(body, type=shape)) for number, _, at, body in reversed(lines)][:limit]


class MemoryRequests:
    def __init__(self, disk: Disk, most: int) -> None:
        self._disk = disk
        self._most = most

    async def claim(self, identity: str, payload: str, at: Instant) -> Claim:
        self._disk.write()
        kept = {name: one for name, one in self._disk.requests.items() if one[0] >= at - REQUESTS_KEPT}
        kept.setdefault(identity, (at, Claim(payload, None)))
        self._disk.requests = dict(list(kept.items())[-self._most :])
        return kept[identity][1]

    async def finish(self, identity: str, answer: bytes) -> None:
        self._disk.write()
        at, claim = self._disk.requests[identity]
        self._disk.requests[identity] = (at, claim._replace(answer=answer))


class MemoryStore:
    """A store on a disk of dictionaries."""

    name = "memory"
    software = "dictionaries"
    identity = MemoryContent.identity

    def __init__(self, disk: Disk, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        self.disk, bell = disk, Bell()
        self._bell = bell
        self.journal = MemoryJournal(disk, bell, bounds.changes)
        self.history = MemoryHistory(disk)
        self.changes = MemoryChanges(disk, bell)
        self.content = MemoryContent(disk)
        self.documents = MemoryDocuments(disk, bell)
        self.records = MemoryRecords(disk, bell, bounds.changes)
        self.requests = MemoryRequests(disk, bounds.requests)

    async def open(self) -> int:
        self.disk.write()
        self.disk.starts += 1
        self._bell.ring(self.disk.newest)
        return self.disk.starts

    async def close(self) -> None:
        self._bell.close()

    def look(self) -> None:
        """It is never lost."""

    async def keep_generation(self) -> None:
        """There are no copies."""

    async def check(self) -> StoreCondition:
        return StoreCondition(1, "")

    async def damaged(self) -> list[str]:
        return []
