"""What every store must do. A store's tests subclass this and say how it is made; nothing here knows which one it is."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.eventually import eventually

from setpoint.core.instructions import Event
from setpoint.model.spec import Spec, Version, Workload
from setpoint.model.time import Stamp
from setpoint.store.following import follow_changes, follow_lines
from setpoint.store.journal import Commit, Loaded, StoredActor
from setpoint.store.port import REQUESTS_KEPT, Bounds, Line, Store, StoreUnavailable, UnknownNumber, sha256_of

PROGRAM = b"#!/bin/sh\n"
BOUNDS = Bounds()


class Token(msgspec.Struct, frozen=True):
    """A value of a record."""

    name: str
    groups: tuple[str, ...] = ()


def spec_of(instance: str) -> Spec:
    return Spec(instance, "local", Version("1.0"), Workload("process", {"command": ["web"]})).sealed()


def with_lines(*texts: str, entity: str = "toy:a", application: str = "", at: int = 5) -> Commit:
    """A commit that changes one state and writes these lines."""
    commit = Commit()
    commit.actors[1] = (1, entity, b"state", None, 0, 0)
    commit.fixed[1] = (1, b"fixed")
    commit.stamp = [Stamp(at, 1)]
    commit.history = [(at, entity, application, msgspec.msgpack.encode(Event("toy", text))) for text in texts]
    return commit


async def texts(lines: AsyncIterator[Line], count: int) -> list[str]:
    """Of the next ``count`` lines."""
    return [(await anext(lines)).event.text for _ in range(count)]


async def nothing_more(lines: AsyncIterator[Any]) -> bool:
    """Whether a reader waits."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(lines), 0.05)
    return True


class StoreConformance:
    """Subclasses give ``make`` and ``full``; each test opens the stores it needs, one after the other, in one place."""

    @abstractmethod
    def make(self, home: Path, bounds: Bounds = BOUNDS) -> Store:
        """The store of this place, not open."""

    @abstractmethod
    def full(self, store: Any) -> AbstractContextManager[None]:
        """Until it ends, there is no room for half a megabyte."""

    @asynccontextmanager
    async def opened(self, home: Path, bounds: Bounds = BOUNDS) -> AsyncIterator[Store]:
        store = self.make(home, bounds)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        async with self.opened(tmp_path) as store:
            yield store

    # --- the journal

    async def loaded(self, home: Path, *commits: Commit) -> Loaded:
        """What is there after a restart."""
        async with self.opened(home) as store:
            for commit in commits:
                await store.journal.commit(commit)
        async with self.opened(home) as store:
            return await store.journal.load()

    async def test_each_start_has_a_higher_number_and_the_store_the_same_identity(self, tmp_path: Path) -> None:
        starts, identities = [], set()
        for _ in range(3):
            store = self.make(tmp_path)
            starts.append(await store.open())
            identities.add(store.identity)
            await store.close()
            await store.close()
        assert starts == sorted(set(starts))
        assert len(identities) == 1
        assert identities != {0}

    async def test_a_store_that_is_new_is_empty(self, store: Store) -> None:
        loaded = await store.journal.load()
        assert vars(loaded) == vars(Loaded())
        assert await store.history.lines() == []
        assert await store.changes.newest() == 0
        assert await store.changes.read(after=0) == []

    async def test_a_commit_is_loaded_as_it_was_written(self, tmp_path: Path) -> None:
        commit = Commit()
        commit.actors = {2: (2, "toy:b", b"b", 70, 8, 1), 1: (1, "toy:c", b"c", None, 7, 1)}
        commit.fixed = {2: (2, b"fixed b"), 1: (1, b"")}
        commit.turns = [(7, 0, 1, 60, 123, b"facts", None, None), (8, 0, 1, 60, 124, b"more", None, None)]
        commit.mail = [(4, "toy:b", b"second", 1), (3, "toy:b", b"first", 0)]
        commit.operations = {"op/2": ("op/2", "toy:b", b"apply"), "op/1": ("op/1", "toy:c", b"check")}
        commit.publications = {"toy:b": ("toy:b", b"news")}
        commit.subscriptions = {("toy:b", "toy:c"): True}
        commit.fanouts = {"toy:b": "toy:a"}
        commit.problems = {"toy:b": ("a turn raised", 60)}
        commit.dedup = [("key", 60)]
        commit.offsets = [Stamp(50, 1), Stamp(60, -2)]
        commit.stamp = [Stamp(60, -2)]
        loaded = await self.loaded(tmp_path, commit)
        expected = Loaded()
        expected.actors = [
            StoredActor(2, "toy:b", b"fixed b", b"b", 70, 8, 1, ""),
            StoredActor(1, "toy:c", b"", b"c", None, 7, 1, ""),
        ]
        expected.mail = [(3, "toy:b", b"first", False), (4, "toy:b", b"second", True)]
        expected.operations = [("op/1", "toy:c", b"check"), ("op/2", "toy:b", b"apply")]
        expected.publications = [("toy:b", b"news")]
        expected.subscriptions = [("toy:b", "toy:c")]
        expected.fanouts = [("toy:b", "toy:a")]
        expected.problems = {"toy:b": "a turn raised"}
        expected.dedup = {"key": 60}
        expected.offsets, expected.stamp = commit.offsets, Stamp(60, -2)
        expected.next_mail, expected.next_turn = 5, 9
        assert vars(loaded) == vars(expected)

    async def test_what_a_later_commit_removes_or_replaces_is_gone(self, tmp_path: Path) -> None:
        first, then = Commit(), Commit()
        first.actors, first.fixed = {1: (1, "toy:a", b"old", 70, 0, 0)}, {1: (1, b"fixed")}
        first.mail = [(1, "toy:a", b"one", 0), (2, "toy:a", b"two", 0)]
        first.operations = {name: (name, "toy:a", b"old") for name in ("op/1", "op/2")}
        first.publications = {"toy:a": ("toy:a", b"old")}
        first.subscriptions = {("toy:a", "toy:b"): True, ("toy:a", "toy:c"): True}
        first.fanouts, first.problems = {"toy:a": ""}, {"toy:a": ("broken", 1)}
        first.dedup = [("a", 1), ("b", 1)]
        first.stamp = [Stamp(1, 0)]
        then.actors = {1: (1, "toy:a", b"new", None, 0, 0)}
        then.mail_gone, then.mail_aside = [1], [2]
        then.operations_gone, then.operations = ["op/1", "op/2"], {"op/2": ("op/2", "toy:a", b"again")}
        then.publications = {"toy:a": ("toy:a", b"new")}
        then.subscriptions = {("toy:a", "toy:b"): False, ("toy:a", "toy:c"): True}
        then.fanouts, then.problems = {"toy:a": None}, {"toy:a": None}
        then.dedup, then.dedup_gone = [("b", 9)], ["a"]
        then.stamp = [Stamp(2, 0)]
        loaded = await self.loaded(tmp_path, first, then)
        assert loaded.actors == [StoredActor(1, "toy:a", b"fixed", b"new", None, 0, 0, "")]
        assert loaded.mail == [(2, "toy:a", b"two", True)]
        assert loaded.operations == [("op/2", "toy:a", b"again")]
        assert loaded.publications == [("toy:a", b"new")]
        assert loaded.subscriptions == [("toy:a", "toy:c")]
        assert (loaded.fanouts, loaded.problems, loaded.dedup, loaded.stamp) == ([], {}, {"b": 1}, Stamp(2, 0))

    async def test_turns_are_kept_in_chapters_and_old_ones_are_dropped_when_told(self, store: Store) -> None:
        """Chapters of three turns here; a reader gets them oldest first."""
        commit = Commit()
        for number in range(1, 10):
            before = (b"fixed", b"changing") if number > 1 and number % 3 == 1 else (None, None)
            commit.turns.append((2 * number, 2 * number - 2, number, number, 0, b"facts", *before))
        commit.actors, commit.fixed = {1: (1, "toy:a", b"", None, 18, 9)}, {1: (1, b"")}
        commit.stamp = [Stamp(1, 0)]
        await store.journal.commit(commit)
        assert [turn.number for turn in await store.journal.turns("toy:a")] == list(range(1, 10))
        assert await store.journal.turns("toy:b") == []
        drop = Commit()
        drop.long = [18]
        await store.journal.commit(drop)
        kept = await store.journal.turns("toy:a")
        assert [turn.number for turn in kept] == list(range(4, 10))
        assert (kept[0].fixed, kept[0].changing) == (b"fixed", b"changing")

    async def test_a_commit_for_which_there_is_no_room_leaves_nothing_behind(self, tmp_path: Path) -> None:
        large = with_lines("lost")
        large.mail = [(1, "toy:a", bytes(1024 * 1024), 0)]
        async with self.opened(tmp_path) as store:
            await store.journal.commit(with_lines("kept"))
            with self.full(store):
                with pytest.raises(StoreUnavailable) as caught:
                    await store.journal.commit(large)
                assert caught.value.remedy
                with pytest.raises(StoreUnavailable):
                    await store.journal.probe()
            await store.journal.probe()
            assert (await store.journal.load()).mail == []
            assert [line.event.text for line in await store.history.lines()] == ["kept"]
            assert await store.changes.newest() == 1
            await store.journal.commit(large)
        async with self.opened(tmp_path) as store:
            assert [line.seq for line in await store.history.lines()] == [2, 1]

    async def test_a_commit_that_ends_before_it_is_durable_leaves_nothing_behind(self, store: Store) -> None:
        def end() -> None:
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            await store.journal.commit(with_lines("lost"), written=end)
        assert (await store.journal.load()).actors == []
        assert await store.changes.newest() == 0

    # --- history

    async def test_history_is_read_by_entity_application_and_time_page_by_page(self, store: Store) -> None:
        names = [("instance:saas/web@a", "saas"), ("instance:saas/api@a", "saas"), ("line:shop", "shop")]
        for number in range(6):
            for entity, application in names:
                text = f"{entity} {number}"
                await store.journal.commit(with_lines(text, entity=entity, application=application, at=number + 1))
        history = store.history
        assert len(await history.lines()) == 18
        newest = await history.lines(entities=["line:shop"], limit=2)
        assert [line.event.text for line in newest] == ["line:shop 5", "line:shop 4"]
        saas = await history.lines(application="saas")
        assert {line.entity for line in saas} == {"instance:saas/web@a", "instance:saas/api@a"}
        page = await history.lines(application="saas", limit=5)
        assert page + await history.lines(application="saas", before=page[-1].seq) == saas
        assert [line.at for line in await history.lines(prefixes=["line:sh"], since=2, until=4)] == [3, 2]
        assert {line.entity for line in await history.lines(entities=["line:shop"], prefixes=["instance:saas/w"])} == {
            "line:shop",
            "instance:saas/web@a",
        }
        assert [line.seq for line in await history.lines(after=15)] == [16, 17, 18]
        assert [line.seq for line in await history.lines(after=0, limit=2)] == [1, 2]
        assert await history.kinds() == {"toy"}

    # --- the change log

    async def test_a_commit_that_changes_what_anyone_sees_takes_one_number_however_much_it_changes(self, store: Store) -> None:
        commit = with_lines("one", "two", at=10)
        commit.actors[2] = (2, "toy:b", b"", None, 0, 0)
        commit.fixed[2] = (2, b"")
        commit.problems = {"toy:c": ("broken", 10)}
        await store.journal.commit(commit)
        quiet = Commit()
        quiet.dedup, quiet.mail, quiet.stamp = [("key", 1)], [(1, "toy:a", b"", 0)], [Stamp(11, 0)]
        await store.journal.commit(quiet)
        await store.journal.commit(with_lines(at=12))
        changes = await store.changes.read(after=0)
        assert [(one.number, one.previous, one.at, one.kind) for one in changes] == [(2, 0, 11, "turns"), (3, 2, 13, "turns")]
        assert [set(one.entities) for one in changes] == [{"toy:a", "toy:b", "toy:c"}, {"toy:a"}]
        assert [line.seq for line in await store.history.lines(after=0)] == [1, 2]

    async def test_lines_of_logs_and_configurations_take_their_numbers_from_the_same_sequence(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as store:
            begun = await store.records.append("audit", 1, {"command": "apply"})
            await store.documents.save({"a.yaml": b"a: 1\n"}, at=2, person="ada")
            await store.documents.save({"a.yaml": b"a: 1\n"}, at=3, person="ada")
            await store.journal.commit(with_lines("one", at=4))
        async with self.opened(tmp_path) as store:
            ended = await store.records.append("audit", 6, {"command": "apply"})
            changes = await store.changes.read(after=0)
            assert (begun, ended) == (1, 4)
            assert [(one.number, one.previous) for one in changes] == [(1, 0), (2, 1), (3, 2), (4, 3)]
            assert [one.kind for one in changes] == ["audit", "configuration", "turns", "audit"]
            assert [one.at for one in changes] == [1, 2, 5, 6]

    async def test_writers_at_the_same_time_take_different_numbers_and_readers_see_them_in_order(self, store: Store) -> None:
        seen: list[int] = []

        async def read() -> None:
            async for change in follow_changes(store, after=0):
                assert change.previous == (seen[-1] if seen else 0)
                seen.append(change.number)

        reading = asyncio.create_task(read())
        await asyncio.gather(
            *(store.records.append("audit", number, number) for number in range(30)),
            *(store.journal.commit(with_lines("a", "b")) for _ in range(10)),
        )
        newest = await store.changes.newest()
        assert newest == 50
        await eventually(lambda: seen[-1:] == [newest])
        reading.cancel()
        assert len(seen) == 40

    async def test_a_reader_that_resumes_inside_a_commit_or_after_a_restart_misses_and_repeats_nothing(
        self, tmp_path: Path
    ) -> None:
        async with self.opened(tmp_path) as store:
            await store.journal.commit(with_lines("1", "2", "3"))
            await store.records.append("audit", 1, {})
            await store.journal.commit(with_lines("4"))
            reader = follow_lines(store, after=0)
            assert await texts(reader, 2) == ["1", "2"]
        assert [line.event.text async for line in reader] in ([], ["3", "4"]), "it ends; some may have been read already"
        async with self.opened(tmp_path) as store:
            reader = follow_lines(store, after=2)
            assert await texts(reader, 2) == ["3", "4"]
            assert await nothing_more(reader)
            newest = await store.changes.newest()
            reader = follow_lines(store, after=newest)
            await store.journal.commit(with_lines("5"))
            assert await texts(reader, 1) == ["5"]

    async def test_a_reader_from_now_on_sees_only_what_comes(self, store: Store) -> None:
        await store.journal.commit(with_lines("before"))
        reader = follow_lines(store)
        first = asyncio.create_task(texts(reader, 1))
        await asyncio.sleep(0.02)
        await store.journal.commit(with_lines("after"))
        assert await first == ["after"]

    async def test_more_lines_than_one_read_takes_come_all_and_once(self, store: Store) -> None:
        expected = [str(number) for number in range(1300)]
        await store.journal.commit(with_lines(*expected))
        assert await texts(follow_lines(store, after=0), 1300) == expected

    async def test_a_number_that_was_never_given_out_is_refused(self, store: Store) -> None:
        await store.journal.commit(with_lines("1"))
        for reader in (follow_lines(store, after=2), follow_changes(store, after=2)):
            with pytest.raises(UnknownNumber, match=r"number 2: this store has not come so far.*to 1"):
                await anext(reader)

    async def test_old_changes_are_pruned_and_a_reader_who_needs_them_is_refused(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path, Bounds(changes=5)) as store:
            for number in range(150):
                await store.records.append("audit", number, number)
            with pytest.raises(UnknownNumber, match=r"number 0: changes after it are no longer kept.*to 150") as caught:
                await store.changes.read(after=0)
            oldest = int(str(caught.value).rpartition("can resume from ")[2].partition(" ")[0])
            kept = await store.changes.read(after=oldest)
            assert [one.number for one in kept] == list(range(oldest + 1, 151))
            assert 5 <= len(kept) < 150
            with pytest.raises(UnknownNumber):
                await store.changes.read(after=oldest - 1)
            assert len(await store.records.tail("audit", int, limit=1000)) == 150, "lines themselves are kept"

    async def test_who_waits_is_let_go_when_the_store_closes(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as store:
            waiting = [asyncio.ensure_future(one) for one in (store.changes.wait(after=0), anext(follow_lines(store), None))]
            await asyncio.sleep(0.02)
        assert await asyncio.gather(*waiting) == [None, None]

    # --- content, configurations, records, requests

    async def test_specs_and_files_are_kept_by_what_they_contain(self, tmp_path: Path) -> None:
        spec = spec_of("saas/web@production")
        async with self.opened(tmp_path) as store:
            await store.content.put([spec, spec], [PROGRAM, PROGRAM])
            await store.content.put([spec], [PROGRAM])
        async with self.opened(tmp_path) as store:
            assert await store.content.spec(spec.digest) == spec
            assert await store.content.file(sha256_of(PROGRAM)) == PROGRAM
            assert await store.content.spec("0000") is None
            assert await store.content.file("0000") is None
            assert store.content.identity == store.identity

    async def test_a_spec_that_is_not_sealed_is_refused(self, store: Store) -> None:
        with pytest.raises(ValueError, match="saas/web@x has no digest"):
            await store.content.put([Spec("saas/web@x", "local", Version("1"), Workload("fake"))])

    async def test_a_configuration_is_saved_as_a_revision_and_the_same_one_is_not_saved_again(self, tmp_path: Path) -> None:
        files = {"a.yaml": b"a: 1\n", "b/c.sh": PROGRAM}
        async with self.opened(tmp_path) as store:
            documents = store.documents
            assert await documents.newest() is None
            first = await documents.save(files, ["b/c.sh"], at=1, person="ada")
            same = await documents.save(dict(reversed(files.items())), ["b/c.sh"], at=2, person="bob")
            second = await documents.save(files, at=3, person="bob")
            assert (first.number, same, second.number) == (1, first, 2)
        async with self.opened(tmp_path) as store:
            documents = store.documents
            assert await documents.newest() == second
            assert await documents.revisions() == [second, first]
            assert await documents.revisions(limit=1) == [second]
            assert await documents.load(1) == files
            assert await documents.load(9) == {}
            assert [await documents.executables(number) for number in (1, 2)] == [["b/c.sh"], []]

    async def test_records_are_replaced_as_a_whole_and_listed_in_order(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as store:
            await store.records.put("token", "b", Token("bob"))
            await store.records.put("token", "a", Token("ada"))
            await store.records.put("token", "b", Token("bob", ("ops",)))
            await store.records.put("other", "a", {"free": [1, 2]})
        async with self.opened(tmp_path) as store:
            records = store.records
            assert list((await records.all("token", Token)).items()) == [("a", Token("ada")), ("b", Token("bob", ("ops",)))]
            assert await records.get("other", "a", dict) == {"free": [1, 2]}
            assert await records.get("token", "c", Token) is None
            assert await records.delete("token", "a")
            assert not await records.delete("token", "a")

    async def test_a_log_is_read_from_its_newest_line_backwards(self, store: Store) -> None:
        records = store.records
        numbers = [await records.append("audit", at, {"command": f"c{at}"}) for at in range(5)]
        await records.append("other", 9, {})
        assert numbers == sorted(set(numbers))
        newest = await records.tail("audit", dict, limit=2)
        assert newest == [(numbers[4], 4, {"command": "c4"}), (numbers[3], 3, {"command": "c3"})]
        older = await records.tail("audit", dict, before=newest[-1][0])
        assert [at for _, at, _ in older] == [2, 1, 0]

    async def test_a_request_is_claimed_once_and_keeps_what_its_command_returned(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as store:
            assert await store.requests.claim("id", "payload", 1) == ("payload", None)
            await store.requests.finish("id", b"answer")
        async with self.opened(tmp_path) as store:
            assert await store.requests.claim("id", "other", 2) == ("payload", b"answer")

    async def test_claims_that_are_too_old_or_too_many_are_forgotten(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path, Bounds(requests=3)) as store:
            stored = store.requests
            for number in range(5):
                await stored.claim(f"id{number}", "first", at=number)
            assert (await stored.claim("id2", "second", at=5)).payload == "first"
            assert (await stored.claim("id0", "second", at=5)).payload == "second"
            assert (await stored.claim("id0", "third", at=5 + REQUESTS_KEPT)).payload == "second"
            assert (await stored.claim("id0", "third", at=6 + REQUESTS_KEPT)).payload == "third"

    async def test_what_is_written_while_there_is_no_room_is_refused_and_can_be_written_afterwards(self, store: Store) -> None:
        large = bytes(1024 * 1024)
        writes: Sequence[Callable[[], Any]] = (
            lambda: store.content.put(files=[large]),
            lambda: store.documents.save({"a": large + b"a"}, at=1, person="ada"),
            lambda: store.records.put("kind", "key", large),
            lambda: store.records.append("audit", 1, large),
        )
        with self.full(store):
            for write in writes:
                with pytest.raises(StoreUnavailable):
                    await write()
        assert await store.changes.newest() == 0
        for write in writes:
            await write()
        assert [one.kind for one in await store.changes.read(after=0)] == ["configuration", "audit"]

    # --- for people

    async def test_a_store_in_order_is_sound(self, store: Store) -> None:
        await store.journal.commit(with_lines("one"))
        await store.content.put([spec_of("saas/web@a")], [PROGRAM])
        store.look()
        size, wrong = await store.check()
        assert (size > 0, wrong) == (True, "")
        assert await store.damaged() == []
        assert store.name
        assert store.software
