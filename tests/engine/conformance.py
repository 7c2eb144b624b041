"""What every engine must do. A host's tests subclass this and say how it is made; nothing here knows which one it is."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.engine.recordings import comes_to_its_state
from tests.engine.toy import Outside, decide, tell
from tests.support.eventually import eventually

from setpoint.core import facts as happened
from setpoint.core.instructions import Decision
from setpoint.engine.errors import EngineStopped
from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.store.port import UnknownNumber

HOUR = 3_600_000


class MovableClock:
    """A host's clock that stands still until it is moved."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Taken:
    """A ``decide`` that also keeps every fact it was given."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, happened.AnyFact]] = []

    def __call__(self, entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
        self.facts += [(entity, fact) for fact in facts]
        return decide(entity, state, facts, now)

    def of(self, entity: str, kind: type[Any]) -> list[Any]:
        return [fact for name, fact in self.facts if name == entity and isinstance(fact, kind)]


def broken_until_mended(entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
    """A ``decide`` that always raises."""
    raise ArithmeticError(entity)


class EngineConformance:
    """Subclasses give ``host``; each test makes the hosts it needs on one data directory."""

    @abstractmethod
    def host(self, home: Path, outside: Outside, **options: Any) -> AbstractAsyncContextManager[Any]:
        """A host that serves while the context lasts. ``options``: ``decide``, ``clock``, ``monotonic``, ``queued``."""

    @pytest.fixture
    def outside(self) -> Outside:
        return Outside()

    @pytest.fixture
    async def engine(self, tmp_path: Path, outside: Outside) -> AsyncIterator[Any]:
        async with self.host(tmp_path, outside) as engine:
            yield engine

    @staticmethod
    async def story(engine: Any, entity: str) -> tuple[str, ...]:
        state = await engine.read(entity)
        return state.story if state is not None else ()

    async def told(self, engine: Any, entity: str, *entries: str) -> tuple[str, ...]:
        """The story, once it has all of these."""

        async def complete() -> tuple[str, ...] | None:
            story = await self.story(engine, entity)
            return story if set(entries) <= set(story) else None

        return await eventually(complete, why=f"{entity} was not told {entries}")

    # --- health and clocks

    async def test_health_counts_what_there_is(self, tmp_path: Path, outside: Outside) -> None:
        async with self.host(tmp_path, outside) as engine:
            await engine.ask("toy:a", tell("m1", ("watch", 1)))
            await engine.ask("toy:b", tell("m1", ("raise", "no")))
            health = engine.health()
            assert (health.status, health.reason) == ("serving", "")
            assert (health.entities, health.watched, health.problems) == (2, 1, 1)
            assert health.turns >= 2
            assert list(engine.problems()) == ["toy:b"]
        assert engine.health().status == "stopped"

    async def test_the_steady_clock_goes_on_when_the_wall_clock_is_set(self, tmp_path: Path, outside: Outside) -> None:
        wall, monotonic = MovableClock(), MovableClock(1_000)
        async with self.host(tmp_path, outside, clock=wall, monotonic=monotonic) as engine:
            first = engine.clock()
            assert (first, engine.clock.wall(), engine.clock.offset, engine.clock.was_set) == (wall.now, wall.now, 0, False)
            wall.now += HOUR
            await eventually(lambda: engine.clock.was_set)
            assert (engine.clock(), engine.clock.offset) == (first, HOUR)
            assert (engine.clock.wall_at(first - 1), engine.clock.wall_at(first)) == (first - 1, first + HOUR)
            stamped = engine.clock.stamped(tell("m1"))
            assert (stamped.at, stamped.offset) == (first, HOUR)
            assert (await engine.ask("toy:a", tell("m1"))).now == first

    # --- dry runs

    async def test_a_dry_run_decides_on_what_is_committed_and_leaves_no_trace(self, engine: Any, outside: Outside) -> None:
        await engine.ask("toy:b", tell("m1", ("subscribe", "toy:a")))
        before = await engine.ask("toy:a", tell("m1"))
        health = engine.health()
        dry = engine.rehearse()
        steps = (("publish", "news"), ("send", "toy:c", tell("hello")), ("record", "line"), ("apply", "op"))
        assert (await dry.ask("toy:a", tell("m2", *steps))).story == ("m1", "m2")
        assert (await dry.read("toy:b")).story == ("m1", "status:news")
        assert (await dry.until("toy:c", lambda state: state is not None)).story == ("hello",)
        assert [(entity, event.text) for entity, event in dry.outcome.events] == [("toy:a", "line")]
        assert [(entity, effect.operation) for entity, effect in dry.outcome.effects] == [("toy:a", "op")]
        assert (dry.outcome.before["toy:a"], dry.outcome.cut_off) == (before, False)
        assert dict(await dry.scan("toy"))["toy:a"].story == ("m1", "m2")
        assert engine.health() == health
        assert (await engine.read("toy:a"), await engine.read("toy:c")) == (before, None)

    # --- what is written down

    async def test_each_turn_is_written_down_with_what_it_was_given(self, tmp_path: Path, outside: Outside) -> None:
        clock = MovableClock()
        async with self.host(tmp_path, outside, clock=clock) as engine:
            assert await engine.recorded("toy:a") is None
            await engine.post("toy:a", tell("m1"))
            clock.now += HOUR
            await engine.post("toy:a", tell("m2", ("send", "toy:b", tell("hello"))))
            await self.told(engine, "toy:b", "hello")
            recording = await engine.recorded("toy:a")
            assert (recording.entity, recording.first, recording.base) == ("toy:a", 1, None)
            assert [[fact.person.name for fact in turn.facts] for turn in recording.turns] == [["m1"], ["m2"]]
            assert [turn.now for turn in recording.turns] == [clock.now - HOUR, clock.now]
            assert len({turn.digest for turn in recording.turns}) == 2
            assert await comes_to_its_state(engine, "toy:b")

    async def test_what_is_written_down_goes_on_after_a_restart(self, tmp_path: Path, outside: Outside) -> None:
        for part in ("m1", "m2", "m3"):
            async with self.host(tmp_path, outside) as engine:
                await engine.post("toy:a", tell(part))
        async with self.host(tmp_path, outside) as engine:
            told = [fact.person.name for turn in (await engine.recorded("toy:a")).turns for fact in turn.facts]
            assert told == ["m1", "m2", "m3"]
            assert await comes_to_its_state(engine, "toy:a")

    async def test_a_turn_that_raised_is_written_down_when_it_succeeds(self, tmp_path: Path, outside: Outside) -> None:
        async with self.host(tmp_path, outside, decide=broken_until_mended) as engine:
            await engine.post("toy:a", tell("kept"))
            assert await engine.recorded("toy:a") is None
        async with self.host(tmp_path, outside) as engine:
            await self.told(engine, "toy:a", "kept")
            assert await comes_to_its_state(engine, "toy:a")

    @pytest.mark.parametrize(
        ("shown", "seen"),
        [("\udcff", "the observation is not valid text: surrogates not allowed"), ("!\udcff", "the look raised RuntimeError: ?")],
    )
    async def test_what_a_runtime_tells_that_is_no_text_counts_as_nothing_seen(
        self, engine: Any, outside: Outside, shown: str, seen: str
    ) -> None:
        outside.shown["toy:a"] = shown
        await engine.post("toy:a", tell("m1", ("watch", 1, 20)))
        await self.told(engine, "toy:a", f"unobserved:1:{seen}")
        outside.shown["toy:a"] = "text"
        await self.told(engine, "toy:a", "observed:1:text")
        assert not engine.problems()
        assert await comes_to_its_state(engine, "toy:a")

    # --- facts

    async def test_facts_for_one_entity_are_taken_in_the_order_in_which_they_were_posted(self, engine: Any) -> None:
        names = [f"m{number}" for number in range(300)]
        await asyncio.gather(*(engine.post("toy:a", tell(name)) for name in names))
        assert await self.told(engine, "toy:a", names[-1]) == tuple(names)

    async def test_facts_that_wait_for_one_entity_are_folded_into_few_turns(self, engine: Any) -> None:
        await asyncio.gather(*(engine.post("toy:a", tell(f"m{number}")) for number in range(300)))
        await self.told(engine, "toy:a", "m299")
        assert (await engine.read("toy:a")).turns < 100

    async def test_a_fact_seen_before_is_dropped_also_after_a_restart(self, tmp_path: Path, outside: Outside) -> None:
        async with self.host(tmp_path, outside) as engine:
            await asyncio.gather(*(engine.post("toy:a", tell("once"), dedup="request-1") for _ in range(5)))
            await engine.post("toy:a", tell("once"), dedup="request-1")
        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:a", tell("once"), dedup="request-1")
            await engine.post("toy:a", tell("twice"), dedup="request-2")
            assert await self.told(engine, "toy:a", "twice") == ("once", "twice")

    async def test_a_posted_fact_is_durable_when_post_returns(self, tmp_path: Path, outside: Outside) -> None:
        async with self.host(tmp_path, outside) as engine:
            for number in range(20):
                await engine.post(f"toy:{number}", tell("here"))
        async with self.host(tmp_path, outside) as engine:
            for number in range(20):
                await self.told(engine, f"toy:{number}", "here")

    async def test_asking_returns_the_committed_state_after_the_turn_that_took_the_fact(self, engine: Any) -> None:
        names = [f"m{number}" for number in range(50)]
        states = await asyncio.gather(*(engine.ask("toy:a", tell(name)) for name in names))
        assert all(name in state.story for name, state in zip(names, states, strict=True))
        assert await self.story(engine, "toy:a") == tuple(names)

    async def test_asking_with_a_fact_seen_before_returns_the_state_after_the_first_also_after_a_restart(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        async with self.host(tmp_path, outside) as engine:
            both = await asyncio.gather(
                engine.post("toy:a", tell("m1"), dedup="once"), engine.ask("toy:a", tell("again"), dedup="once")
            )
            assert both[1].story == ("m1",)
            assert (await engine.ask("toy:a", tell("again"), dedup="once")).story == ("m1",)
        async with self.host(tmp_path, outside) as engine:
            assert (await engine.ask("toy:a", tell("again"), dedup="once")).story == ("m1",)
            assert await comes_to_its_state(engine, "toy:a")

    async def test_asking_returns_the_state_that_is_kept_where_the_turn_raises(self, engine: Any) -> None:
        assert (await engine.ask("toy:a", tell("m1"))).story == ("m1",)
        assert (await engine.ask("toy:a", tell("m2", ("raise", "no")))).story == ("m1",)
        assert "no" in engine.problem("toy:a")

    async def test_asking_raises_when_the_engine_stops_meanwhile_and_the_fact_is_taken_later(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        async with self.host(tmp_path, outside) as engine:
            asked = [asyncio.create_task(engine.ask(f"toy:{number}", tell("m1"))) for number in range(2_000)]
            await asked[0]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        stopped = [number for number, end in enumerate(ended) if isinstance(end, EngineStopped)]
        assert stopped
        assert {end.story for end in ended if not isinstance(end, BaseException)} == {("m1",)}
        assert all(isinstance(end, EngineStopped) for end in ended if isinstance(end, BaseException))
        with pytest.raises(EngineStopped):
            await engine.ask("toy:late", tell("m1"))
        async with self.host(tmp_path, outside) as engine:
            await eventually(lambda: not engine.health().queued)
            for number in set(range(2_000)) - set(stopped):
                assert await self.story(engine, f"toy:{number}") == ("m1",)

    async def test_many_facts_posted_together_are_durable_in_their_order_when_that_returns(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        async with self.host(tmp_path, outside) as engine:
            await engine.post_all((f"toy:{number % 3}", tell(f"m{number}")) for number in range(30))
        async with self.host(tmp_path, outside) as engine:
            for entity in range(3):
                await self.told(engine, f"toy:{entity}", f"m{27 + entity}")
                assert await self.story(engine, f"toy:{entity}") == tuple(f"m{number}" for number in range(entity, 30, 3))

    async def test_waiting_until_a_state_holds_returns_it_when_it_is_committed(self, engine: Any) -> None:
        waiting = asyncio.create_task(engine.until("toy:b", lambda state: state is not None and "hello" in state.story))
        await engine.ask("toy:b", tell("other"))
        assert not waiting.done()
        await engine.post("toy:a", tell("m1", ("send", "toy:b", tell("hello"))))
        assert (await waiting).story == ("other", "hello")
        assert (await engine.until("toy:b", lambda state: "hello" in state.story)).story == ("other", "hello")

    async def test_waiting_ends_with_the_time_with_a_turn_that_raises_and_with_the_engine(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        async with self.host(tmp_path, outside) as engine:
            with pytest.raises(TimeoutError):
                await engine.until("toy:a", lambda state: False, within=0.05)
            with pytest.raises(ZeroDivisionError):
                await asyncio.gather(
                    engine.until("toy:c", lambda state: state is not None and bool(1 // 0)), engine.post("toy:c", tell("m1"))
                )
            raised = asyncio.create_task(engine.until("toy:a", lambda state: False))
            await asyncio.sleep(0)
            await engine.post("toy:a", tell("m1", ("raise", "no")))
            assert await raised is None
            ended = asyncio.create_task(engine.until("toy:b", lambda state: False))
            await asyncio.sleep(0)
        with pytest.raises(EngineStopped):
            await ended

    async def test_a_fact_without_a_stamp_gets_the_hosts_time(self, tmp_path: Path, outside: Outside) -> None:
        clock = MovableClock()
        async with self.host(tmp_path, outside, clock=clock) as engine:
            await engine.post("toy:a", tell("now"))
            await self.told(engine, "toy:a", "now")
            assert (await engine.read("toy:a")).now == clock.now

    async def test_a_message_arrives_stamped_with_the_senders_time(self, tmp_path: Path, outside: Outside) -> None:
        taken = Taken()
        async with self.host(tmp_path, outside, decide=taken) as engine:
            fact = tell("go", ("send", "toy:b", tell("hello")))
            await engine.post("toy:a", happened.Voted(at=12345, person=fact.person, yes=True, why=fact.why))
            await self.told(engine, "toy:b", "hello")
        assert [fact.at for fact in taken.of("toy:b", happened.Voted)] == [12345]

    async def test_messages_from_one_to_another_keep_their_order_and_none_is_lost(self, engine: Any) -> None:
        for number in range(50):
            await engine.post(
                "toy:a", tell(f"m{number}", ("send", "toy:b", tell(f"m{number}")), ("send", "toy:a", tell(f"self{number}")))
            )
        assert await self.told(engine, "toy:b", "m49") == tuple(f"m{number}" for number in range(50))
        own = [entry for entry in await self.told(engine, "toy:a", "self49") if entry.startswith("self")]
        assert own == [f"self{number}" for number in range(50)]

    async def test_entities_are_listed_by_kind_in_order(self, engine: Any) -> None:
        for key in ("c", "a", "b"):
            await engine.post(f"toy:{key}", tell("here"))
            await engine.post(f"other:{key}", tell("here"))
        await self.told(engine, "other:b", "here")
        assert [entity for entity, _ in await engine.scan("toy", limit=2)] == ["toy:a", "toy:b"]
        assert [entity for entity, _ in await engine.scan("toy", after="toy:b")] == ["toy:c"]

    async def test_many_facts_make_their_posters_wait_instead_of_piling_up(self, tmp_path: Path, outside: Outside) -> None:
        piles: list[int] = []

        def slow(entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
            piles.append(engine.health().queued)
            return decide(entity, state, facts, now)

        async with self.host(tmp_path, outside, decide=slow, queued=50) as engine:
            await asyncio.gather(*(engine.post(f"toy:{number % 200}", tell(f"m{number}")) for number in range(1000)))
            await eventually(lambda: not engine.health().queued)
            stories = [await self.story(engine, f"toy:{number}") for number in range(200)]
        assert sum(len(story) for story in stories) == 1000
        assert max(piles) <= 2 * 51, "what waits, and what is being committed"

    # --- timers

    async def test_an_entity_is_woken_when_its_time_has_come_and_not_before(self, tmp_path: Path, outside: Outside) -> None:
        clock, taken = MovableClock(), Taken()
        async with self.host(tmp_path, outside, clock=clock, decide=taken) as engine:
            await engine.post("toy:a", tell("sleep", ("wake", clock.now + HOUR)))
            clock.now += HOUR - 1
            await engine.post("toy:b", tell("tick", ("wake", clock.now)))
            await self.told(engine, "toy:b", "due")
            assert "due" not in await self.story(engine, "toy:a")
            clock.now += 1
            assert await self.told(engine, "toy:a", "due") == ("sleep", "due")
            assert (await engine.read("toy:a")).now == clock.now

    async def test_arming_again_replaces_the_time(self, tmp_path: Path, outside: Outside) -> None:
        clock, taken = MovableClock(), Taken()
        async with self.host(tmp_path, outside, clock=clock, decide=taken) as engine:
            await engine.post("toy:a", tell("sooner", ("wake", clock.now + HOUR)))
            await engine.post("toy:a", tell("later", ("wake", clock.now + 2 * HOUR)))
            await engine.post("toy:c", tell("never", ("wake", clock.now + HOUR)))
            await engine.post("toy:c", tell("mind", ("wake", None)))
            clock.now += HOUR
            await engine.post("toy:b", tell("tick", ("wake", clock.now)))
            await self.told(engine, "toy:b", "due")
            assert not taken.of("toy:a", happened.Woken)
            clock.now += HOUR
            await self.told(engine, "toy:a", "due")
        assert not taken.of("toy:c", happened.Woken)

    async def test_a_time_that_passed_while_nobody_served_is_told_at_the_next_start_as_of_now(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        clock = MovableClock()
        async with self.host(tmp_path, outside, clock=clock) as engine:
            await engine.post("toy:a", tell("sleep", ("wake", clock.now + HOUR)))
            await self.told(engine, "toy:a", "sleep")
        clock.now += 5 * HOUR
        async with self.host(tmp_path, outside, clock=clock) as engine:
            await self.told(engine, "toy:a", "due")
            assert (await engine.read("toy:a")).now == clock.now

    async def test_a_clock_that_goes_back_hangs_nobody(self, tmp_path: Path, outside: Outside) -> None:
        clock, taken = MovableClock(), Taken()
        async with self.host(tmp_path, outside, clock=clock, decide=taken) as engine:
            await engine.post("toy:a", tell("sleep", ("wake", clock.now + HOUR)))
            await self.told(engine, "toy:a", "sleep")
            clock.now -= 100 * HOUR
            await eventually(lambda: taken.of("toy:a", happened.Woken))
            clock.now += 102 * HOUR
            await self.told(engine, "toy:a", "due")

    # --- publications

    async def test_subscribers_get_what_is_published_beginning_with_the_last(self, engine: Any) -> None:
        await engine.post("toy:p", tell("1", ("publish", "one")))
        await engine.post("toy:p", tell("2", ("publish", "two")))
        await engine.post("toy:s", tell("sub", ("subscribe", "toy:p")))
        await self.told(engine, "toy:s", "status:two")
        await engine.post("toy:s", tell("again", ("subscribe", "toy:p")))
        await engine.post("toy:p", tell("3", ("publish", "three")))
        assert await self.told(engine, "toy:s", "status:three") == ("sub", "status:two", "again", "status:three")

    async def test_who_unsubscribed_gets_nothing_any_more(self, engine: Any) -> None:
        await engine.post("toy:s", tell("sub", ("subscribe", "toy:p")))
        await engine.post("toy:t", tell("sub", ("subscribe", "toy:p")))
        await engine.post("toy:s", tell("unsub", ("unsubscribe", "toy:p")))
        await engine.post("toy:p", tell("1", ("publish", "one")))
        await self.told(engine, "toy:t", "status:one")
        assert "status:one" not in await self.story(engine, "toy:s")

    async def test_subscriptions_and_publications_outlive_the_host(self, tmp_path: Path, outside: Outside) -> None:
        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:s", tell("sub", ("subscribe", "toy:p")))
            await engine.post("toy:q", tell("1", ("publish", "kept")))
        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:p", tell("1", ("publish", "one")))
            await engine.post("toy:s", tell("more", ("subscribe", "toy:q")))
            await self.told(engine, "toy:s", "status:one", "status:kept")

    async def test_a_publication_reaches_a_thousand_subscribers_though_the_host_restarts(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        async with self.host(tmp_path, outside) as engine:
            await engine.post_all((f"toy:s{number}", tell("sub", ("subscribe", "toy:p"))) for number in range(1000))
            await eventually(lambda: not engine.health().queued)
            await engine.post("toy:p", tell("go", ("publish", "news")))
        async with self.host(tmp_path, outside) as engine:
            for number in range(1000):
                story = await self.told(engine, f"toy:s{number}", "status:news")
                assert story.count("status:news") == 1

    async def test_what_waited_for_a_turn_when_the_host_ended_is_taken_at_the_next_start_as_of_then(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        clock = MovableClock()
        async with self.host(tmp_path, outside, clock=clock) as engine:
            await engine.post_all((f"toy:s{number}", tell("sub", ("subscribe", "toy:p"))) for number in range(1000))
            await engine.post("toy:p", tell("go", ("publish", "news")))
        clock.now += 100 * HOUR
        async with self.host(tmp_path, outside, clock=clock) as engine:
            await self.told(engine, "toy:s999", "status:news")
            await eventually(lambda: engine.health().queued == 0, why=lambda: str(engine.health()))
            states = [state for _, state in await engine.scan("toy", limit=2000)]
        told = Counter(state.story.count("status:news") for state in states)
        assert told[0] == 1, "all but the publisher, and whoever subscribed while it was being told perhaps twice"

    # --- watches

    async def test_a_watch_posts_its_first_look_and_then_only_changes(self, tmp_path: Path, outside: Outside) -> None:
        outside.shown["toy:a"] = "starting"
        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:a", tell("look", ("watch", 1, 10)))
            await self.told(engine, "toy:a", "observed:1:starting")
            before, looks = engine.health().commits, outside.looks["toy:a"]
            await eventually(lambda: outside.looks["toy:a"] > looks + 5)
            assert engine.health().commits == before, "an unchanged look writes nothing"
            outside.shown["toy:a"] = "healthy"
            story = await self.told(engine, "toy:a", "observed:1:healthy")
        assert story == ("look", "observed:1:starting", "observed:1:healthy")

    async def test_a_new_watch_looks_at_once_and_posts_although_nothing_changed(self, engine: Any) -> None:
        await engine.post("toy:a", tell("look", ("watch", 1, HOUR)))
        await self.told(engine, "toy:a", "observed:1:")
        await engine.post("toy:a", tell("again", ("watch", 2, HOUR)))
        await self.told(engine, "toy:a", "observed:2:")

    async def test_a_hint_looks_at_once(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("look", ("watch", 1, HOUR)))
        await self.told(engine, "toy:a", "observed:1:")
        outside.shown["toy:a"] = "changed"
        engine.look("toy:a")
        await self.told(engine, "toy:a", "observed:1:changed")

    async def test_a_look_that_is_awaited_started_after_the_call_and_returns_its_number_where_it_found_a_change(
        self, engine: Any, outside: Outside
    ) -> None:
        assert await engine.look_now("toy:a") == 0, "not watched"
        await engine.post("toy:a", tell("look", ("watch", 1, HOUR)))
        await self.told(engine, "toy:a", "observed:1:")
        assert await engine.look_now("toy:a") == 0, "nothing changed"
        outside.shown["toy:a"] = "changed"
        both = await asyncio.gather(engine.look_now("toy:a"), engine.look_now("toy:a"))
        assert both[0] == both[1] > 0, "one look serves all who wait for it"
        await self.told(engine, "toy:a", "observed:1:changed")

    async def test_a_look_that_is_awaited_ends_when_its_watch_does(self, engine: Any, outside: Outside) -> None:
        hanging = asyncio.Event()

        async def hang(_entity: str, _watch: Any) -> None:
            await hanging.wait()

        await engine.post("toy:a", tell("look", ("watch", 1, HOUR)))
        await self.told(engine, "toy:a", "observed:1:")
        outside.on_look = hang
        first = asyncio.create_task(engine.look_now("toy:a"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(engine.look_now("toy:a"))
        await engine.post("toy:a", tell("no more", ("unwatch",)))
        assert await asyncio.wait_for(second, 5) == 0
        hanging.set()
        assert await asyncio.wait_for(first, 5) == 0

    async def test_an_outage_is_posted_once_and_so_is_its_end(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("look", ("watch", 1, 10)))
        await self.told(engine, "toy:a", "observed:1:")
        outside.shown["toy:a"] = "!gone"
        looks = outside.looks["toy:a"]
        await eventually(lambda: outside.looks["toy:a"] > looks + 5)
        outside.shown["toy:a"] = ""

        async def seen_again() -> tuple[str, ...] | None:
            story = await self.story(engine, "toy:a")
            return story if story.count("observed:1:") == 2 else None

        story = await eventually(seen_again)
        assert story == ("look", "observed:1:", "unobserved:1:the look raised RuntimeError: gone", "observed:1:")

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (Unreachable("no route to the runtime"), "no route to the runtime"),
            (asyncio.CancelledError(), "the runtime adapter gave up"),
        ],
    )
    async def test_a_runtime_that_cannot_be_seen_is_unobserved_and_looked_at_again(
        self, engine: Any, outside: Outside, error: BaseException, told: str
    ) -> None:
        async def unreachable(*_: Any) -> None:
            raise error

        outside.on_look = unreachable
        await engine.post("toy:a", tell("look", ("watch", 1, 10)))
        await self.told(engine, "toy:a", f"unobserved:1:{told}")
        outside.on_look = None
        await self.told(engine, "toy:a", "observed:1:")

    async def test_unwatch_stops_looking(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("look", ("watch", 1, 10)))
        await self.told(engine, "toy:a", "observed:1:")
        await engine.post("toy:a", tell("enough", ("unwatch",)))
        await eventually(lambda: not engine.health().watched)
        looks = outside.looks["toy:a"]
        await engine.post("toy:b", tell("look", ("watch", 1, 10)))
        await eventually(lambda: outside.looks["toy:b"] > 5)
        assert outside.looks["toy:a"] == looks

    async def test_after_a_restart_everything_watched_is_looked_at_with_higher_numbers(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        taken = Taken()
        for start in (1, 2):
            async with self.host(tmp_path, outside, decide=taken) as engine:
                if start == 1:
                    await engine.post("toy:a", tell("look", ("watch", 7, HOUR)))
                await eventually(lambda start=start: len(taken.of("toy:a", happened.Observed)) == start)  # type: ignore[misc]  # mypy infers no lambda that has defaults
                await eventually(lambda: not engine.health().queued)
        first, second = taken.of("toy:a", happened.Observed)
        assert (first.watch, second.watch) == (7, 7)
        assert second.look > first.look
        assert (first.gap, second.gap) == (0, 0)

    async def test_observed_time_counts_gaps_between_looks_at_most_twice_the_interval(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        clock, taken = MovableClock(), Taken()
        async with self.host(tmp_path, outside, clock=clock, decide=taken) as engine:
            await engine.post("toy:a", tell("look", ("watch", 1, HOUR)))
            await self.told(engine, "toy:a", "observed:1:")
            for change, passed in (("unchanged", 0), ("b", HOUR), ("c", 10 * HOUR), ("d", -HOUR)):
                clock.now += passed
                if change != "unchanged":
                    outside.shown["toy:a"] = change
                looks = outside.looks["toy:a"]
                engine.look("toy:a")
                await eventually(lambda looks=looks: outside.looks["toy:a"] > looks)  # type: ignore[misc]  # mypy infers no lambda that has defaults
                if change != "unchanged":
                    await self.told(engine, "toy:a", f"observed:1:{change}")
        assert [fact.gap for fact in taken.of("toy:a", happened.Observed)] == [0, HOUR, 2 * HOUR, 0]

    # --- operations

    async def test_an_apply_is_performed_told_and_then_looked_at(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("go", ("apply", "toy:a/1/apply/1", 3)))
        story = await self.told(engine, "toy:a", "observed:3:")
        assert story == ("go", "applied:toy:a/1/apply/1:", "observed:3:")
        assert outside.applied == {"toy:a/1/apply/1": 1}

    async def test_until_an_apply_was_taken_on_nobody_looks(self, engine: Any, outside: Outside) -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def wait(*_: Any) -> None:
            started.set()
            await go.wait()

        outside.on_apply = wait
        await engine.post("toy:a", tell("look", ("watch", 1, 10)))
        await self.told(engine, "toy:a", "observed:1:")
        await engine.post("toy:a", tell("go", ("apply", "op", 2, 10)))
        await started.wait()
        await eventually(lambda: not outside.running["toy:a"])
        looks = outside.looks["toy:a"]
        await engine.post("toy:b", tell("look", ("watch", 1, 10)))
        await eventually(lambda: outside.looks["toy:b"] > 5)
        assert outside.looks["toy:a"] == looks
        go.set()
        await self.told(engine, "toy:a", "observed:2:")

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (TransientError("come back later"), "applied:op:come back later"),
            (TerminalError("never"), "applied:op:terminal never"),
            (ValueError("a bug"), "applied:op:the runtime adapter raised ValueError: a bug"),
            (asyncio.CancelledError(), "applied:op:the runtime adapter gave up"),
        ],
    )
    async def test_an_apply_that_fails_says_how(self, engine: Any, outside: Outside, error: BaseException, told: str) -> None:
        async def fail(*_: Any) -> None:
            raise error

        outside.on_apply = fail
        await engine.post("toy:a", tell("go", ("apply", "op")))
        await self.told(engine, "toy:a", told)
        assert not outside.looks["toy:a"]

    async def test_a_check_that_somebody_waits_for_is_run_and_its_end_told(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:s", tell("sub", ("subscribe", "toy:a")))
        await engine.post("toy:a", tell("go", ("check", "op")))
        await self.told(engine, "toy:a", "finished:op:passing")
        assert outside.checked == {"op": 1}

    async def test_a_check_that_raises_is_unavailable(self, engine: Any, outside: Outside) -> None:
        async def fail(*_: Any) -> None:
            raise OSError("no more processes")

        outside.on_check = fail
        await engine.post("toy:s", tell("sub", ("subscribe", "toy:a")))
        await engine.post("toy:a", tell("go", ("check", "op")))
        await self.told(engine, "toy:a", "finished:op:unavailable")

    async def test_a_check_that_nobody_waits_for_is_not_run(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("go", ("check", "op")))
        await self.told(engine, "toy:a", "unwanted:op")
        assert not outside.checked

    async def test_a_task_is_run_whoever_listens_and_its_end_told(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("go", ("task", "op")))
        await self.told(engine, "toy:a", "done:op:succeeded")
        assert outside.tried == {"op": 1}

    async def test_a_task_that_raises_has_an_unknown_end(self, engine: Any, outside: Outside) -> None:
        async def fail(*_: Any) -> None:
            raise OSError("the disk is full")

        outside.on_task = fail
        await engine.post("toy:a", tell("go", ("task", "op")))
        await self.told(engine, "toy:a", "done:op:unknown")

    async def test_tasks_of_one_key_exclude_each_other_whatever_the_release(self, engine: Any, outside: Outside) -> None:
        go = asyncio.Event()

        async def wait(*_: Any) -> None:
            await go.wait()

        outside.on_task = wait
        await engine.post("toy:db#1", tell("go", ("task", "first")))
        await eventually(lambda: outside.tried["first"])
        await engine.post("toy:db#2", tell("go", ("task", "second")))
        await engine.post("toy:other#2", tell("go", ("task", "third")))
        await eventually(lambda: outside.tried["third"])
        assert not outside.tried["second"]
        go.set()
        await self.told(engine, "toy:db#2", "done:second:succeeded")

    async def test_one_entity_has_one_apply_in_flight_and_one_that_waits_can_be_cancelled(
        self, engine: Any, outside: Outside
    ) -> None:
        go = asyncio.Event()

        async def wait(*_: Any) -> None:
            await go.wait()

        outside.on_apply = wait
        await engine.post("toy:a", tell("go", ("apply", "first"), ("apply", "second"), ("apply", "third")))
        await eventually(lambda: outside.applied["first"])
        await engine.post("toy:a", tell("stop", ("cancel", "second"), ("cancel", "first")))
        await self.told(engine, "toy:a", "stop")
        go.set()
        story = await self.told(engine, "toy:a", "applied:third:")
        assert outside.applied == {"first": 1, "third": 1}
        assert [entry for entry in story if entry.startswith("applied")] == ["applied:first:", "applied:third:"]

    async def test_after_a_cancelled_apply_looking_goes_on(self, engine: Any, outside: Outside) -> None:
        await engine.post("toy:a", tell("look", ("watch", 1, 10)))
        await self.told(engine, "toy:a", "observed:1:")
        await engine.post("toy:a", tell("no", ("apply", "op"), ("cancel", "op")))
        await self.told(engine, "toy:a", "no")
        outside.shown["toy:a"] = "later"
        await self.told(engine, "toy:a", "observed:1:later")
        assert not outside.applied

    async def test_an_open_operation_begins_again_after_a_restart_with_the_same_id(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        async def hang(*_: Any) -> None:
            await asyncio.Event().wait()

        outside.on_check = hang
        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:s", tell("sub", ("subscribe", "toy:a")))
            await engine.post("toy:a", tell("go", ("check", "op")))
            await eventually(lambda: outside.checked["op"])
        outside.on_check = None
        async with self.host(tmp_path, outside) as engine:
            story = await self.told(engine, "toy:a", "finished:op:passing")
        assert story == ("go", "finished:op:passing")
        assert outside.checked == {"op": 2}

    async def test_many_operations_of_many_entities_all_end(self, engine: Any, outside: Outside) -> None:
        await engine.post_all((f"toy:{number}", tell("go", ("apply", f"op{number}"))) for number in range(300))
        for number in range(300):
            await self.told(engine, f"toy:{number}", f"applied:op{number}:")
        assert set(outside.applied.values()) == {1}
        await eventually(lambda: not engine.health().operations)

    # --- turns that raise

    async def test_a_turn_that_raises_costs_its_own_entity_only(self, engine: Any) -> None:
        posts = [
            engine.post(f"toy:{number}", tell("m", ("raise", "broken") if number == 7 else ("record", "fine")))
            for number in range(20)
        ]
        await asyncio.gather(*posts)
        for number in (*range(7), *range(8, 20)):
            await self.told(engine, f"toy:{number}", "m")
        assert await engine.read("toy:7") is None
        assert engine.problem("toy:7") == "a turn raised RuntimeError: broken"
        assert not engine.problem("toy:8")

    async def test_after_a_turn_that_raised_other_facts_are_taken_and_the_state_is_kept(self, engine: Any) -> None:
        await engine.post("toy:a", tell("before"))
        await engine.post("toy:a", tell("bad", ("raise", "broken")))
        await engine.post("toy:a", tell("after"))
        assert await self.told(engine, "toy:a", "after") == ("before", "after")
        assert engine.problem("toy:a")

    async def test_facts_of_a_turn_that_raised_are_kept_until_it_succeeds(self, tmp_path: Path, outside: Outside) -> None:
        def broken(entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
            raise KeyError("a bug of this release")

        async with self.host(tmp_path, outside, decide=broken) as engine:
            await engine.post("toy:a", tell("kept"))
            await eventually(lambda: engine.problem("toy:a"))
        async with self.host(tmp_path, outside) as engine:
            assert await self.told(engine, "toy:a", "kept") == ("kept",)
            assert not engine.problem("toy:a")

    async def test_the_end_of_an_operation_survives_a_turn_that_raised(self, tmp_path: Path, outside: Outside) -> None:
        def broken(entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
            if any(isinstance(fact, happened.Applied) for fact in facts):
                raise KeyError("a bug of this release")
            return decide(entity, state, facts, now)

        async with self.host(tmp_path, outside, decide=broken) as engine:
            await engine.post("toy:a", tell("go", ("apply", "op")))
            await eventually(lambda: engine.problem("toy:a"))
        async with self.host(tmp_path, outside) as engine:
            story = await self.told(engine, "toy:a", "applied:op:")
        assert story.count("applied:op:") == 1
        assert outside.applied == {"op": 1}

    async def test_a_turn_that_raised_is_tried_again_by_itself(self, tmp_path: Path, outside: Outside) -> None:
        failures: Callable[[], int] = iter(range(100)).__next__

        def shaky(entity: str, state: Any, facts: Sequence[happened.AnyFact], now: int) -> Decision:
            if failures() < 2:
                raise KeyError("for now")
            return decide(entity, state, facts, now)

        async with self.host(tmp_path, outside, decide=shaky) as engine:
            await engine.post("toy:a", tell("kept"))
            await self.told(engine, "toy:a", "kept")
            assert not engine.problem("toy:a")

    # --- history

    async def test_followers_get_every_line_of_history_in_order(self, engine: Any) -> None:
        seen: list[str] = []

        async def follow() -> None:
            async for line in engine.subscribe_events(after=0):
                seen.append(line.event.text)  # noqa: PERF401 - seen while it goes on

        following = asyncio.create_task(follow())
        try:
            for number in range(30):
                await engine.post(f"toy:{number}", tell("m", ("record", f"line {number}")))
            await eventually(lambda: len(seen) == 30)
        finally:
            following.cancel()
        assert seen == [f"line {number}" for number in range(30)]

    async def test_a_follower_that_resumes_from_its_last_number_misses_nothing_and_sees_nothing_twice(
        self, tmp_path: Path, outside: Outside
    ) -> None:
        """It leaves in the middle of a turn's lines, the host ends and starts again, and decides more meanwhile."""
        seen: list[str] = []
        last = 0

        async def read(engine: Any, count: int) -> None:
            nonlocal last
            following = engine.subscribe_events(after=last)
            for _ in range(count):
                line = await asyncio.wait_for(anext(following), 10)
                assert line.seq > last
                seen.append(line.event.text)
                last = line.seq

        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:a", tell("m1", *(("record", f"line {number}") for number in range(5))))
            await read(engine, 2)
            await engine.post("toy:b", tell("no line"))
            await engine.post("toy:b", tell("m2", ("record", "line 5")))
        async with self.host(tmp_path, outside) as engine:
            await engine.post("toy:a", tell("m3", ("record", "line 6")))
            await read(engine, 5)
            await engine.post("toy:a", tell("m4", ("record", "line 7")))
            await read(engine, 1)
        assert seen == [f"line {number}" for number in range(8)]

    async def test_a_follower_of_a_number_that_was_never_given_out_is_refused(self, engine: Any) -> None:
        await engine.post("toy:a", tell("m1", ("record", "line")))
        with pytest.raises(UnknownNumber, match="has not come so far"):
            await anext(engine.subscribe_events(after=1_000))
