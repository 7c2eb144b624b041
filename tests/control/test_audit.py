"""The audit log: attempts with who, what, why, by which token, from where, and the outcome; a flood of them takes few lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.fields import OPERATIONS, payload_of
from tests.control.house import ADMIN, ANN, EVE, STANDARD, House, house

from setpoint.control.audit import (
    ACTORS,
    BEGUN,
    LINES,
    RECORDED_READS,
    SUMMARISED,
    UNRECORDED_READS,
    Audit,
    AuditAct,
    Entry,
    Limiter,
    Origin,
)
from setpoint.control.errors import ControlError, Forbidden, NotFound, Unavailable
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS
from setpoint.engine.errors import EngineDegraded
from setpoint.model.time import MINUTE
from setpoint.store.port import StoreError


async def entries(found: House) -> list[Entry]:
    """What people attempted, newest first."""
    return [one for one in await found.services.audit.entries(limit=1000) if one.act is not AuditAct.ENGINE]


async def test_each_command_is_written_with_its_outcome(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0", ANN, why="sprint 12")
        with pytest.raises(ControlError):
            await found.do("hold", EVE, target="web@staging", why="hm")
        with pytest.raises(ControlError):
            await found.do("release", EVE, services={"wbe": {"version": "1.0"}}, why="hm")
        with pytest.raises(ControlError):
            await found.do("hold", EVE)
        told = [(one.person, one.command, one.subject, one.why, one.outcome) for one in await entries(found)]
    assert told == [
        ("eve", "hold", "", "", "malformed"),
        ("eve", "release", "wbe=1.0", "hm", "not-found"),
        ("eve", "hold", "web@staging", "hm", "forbidden"),
        ("ann", "release", "web=1.0", "sprint 12", "done"),
        ("admin", "apply", "/config", "", "done"),
    ]


async def test_a_command_that_the_engine_did_not_outlive_shows_as_begun(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await Audit(found.services.stores.records).begin(Entry("ann", "release", "web=1.0", at=5))
        entry = (await found.ask("audit")).entries[0]
    assert (entry.person, entry.outcome) == ("ann", BEGUN)


async def test_pages_go_back_to_the_first(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for number in range(7):
            await found.do("token-create", user=f"p{number}")
        pages, before = [], 0
        while page := (await found.ask("audit", limit=3, before=before)).entries:
            pages += [one.subject for one in page if one.act == "command"]
            before = page[-1].number
    assert pages == ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]


async def test_queries_that_show_states_only_leave_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.ask("status")
        with pytest.raises(NotFound):
            await found.ask("explain", target="x@y")
        assert [one.command for one in await entries(found)] == ["apply"]


async def test_an_engine_that_cannot_write_says_so_instead_of_breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise EngineDegraded("the disk is full")

    async with house(tmp_path, STANDARD) as found:
        monkeypatch.setattr(found.services.engine, "ask", refuse)
        with pytest.raises(Unavailable, match="the disk is full"):
            await found.do("hold", ADMIN, target="web@staging")
        assert (await found.ask("audit")).entries[0].outcome == "unavailable"


# --- what else is recorded


def test_each_query_and_stream_is_recorded_or_not_by_the_table() -> None:
    assert RECORDED_READS.keys() | UNRECORDED_READS == QUERIES.keys() | STREAMS.keys()
    assert not RECORDED_READS.keys() & UNRECORDED_READS
    for name, field in RECORDED_READS.items():
        assert not field or field in OPERATIONS[name].request.model_fields, name


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_each_operation_leaves_what_the_table_says(tmp_path: Path, name: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        await attempt(found, name)
        left = [one for one in await entries(found) if one.command == name and one.source]
        if name in UNRECORDED_READS:
            assert not left
            return
        [one] = left
        assert (one.person, one.token, one.source, len(one.digest)) == ("admin", "0a1b2c3d", "127.0.0.1", 64)
        assert one.act == ("command" if name in COMMANDS else "query" if name in QUERIES else "stream")
        assert one.subject == str(payload_of(OPERATIONS[name].request).get(RECORDED_READS.get(name, ""), one.subject))


@pytest.mark.parametrize("name", sorted(name for name, one in COMMANDS.items() if one.rehearsable))
async def test_each_dry_run_leaves_a_line(tmp_path: Path, name: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        payload = payload_of(COMMANDS[name].request)
        try:
            await found.control.rehearse(name, payload, ADMIN, origin=ORIGIN)
            outcome = "done"
        except ControlError as error:
            outcome = error.code
        one = (await entries(found))[0]
    assert (one.act, one.command, one.outcome, one.token, len(one.digest)) == ("dry-run", name, outcome, ORIGIN.token, 64)


ORIGIN = Origin("0a1b2c3d", "127.0.0.1")


async def attempt(found: House, name: str) -> None:
    payload = payload_of(OPERATIONS[name].request)
    try:
        if name in COMMANDS:
            await found.control.command(name, payload, ADMIN, origin=ORIGIN)
        elif name in QUERIES:
            await found.control.query(name, payload, ADMIN, origin=ORIGIN)
        else:
            await (await found.control.stream(name, payload, ADMIN, origin=ORIGIN)).aclose()  # type: ignore[attr-defined]  # it is a generator
    except ControlError:
        assert name in UNRECORDED_READS or await entries(found)


async def test_starts_stops_and_the_token_of_the_first_start_are_recorded(tmp_path: Path) -> None:
    for _ in range(2):
        async with house(tmp_path) as found:
            [token] = found.services.people.known()
            lines = [(one.person, one.command, one.subject) for one in await found.services.audit.entries()]
    started = ("setpoint", "start", lines[0][2])
    assert lines == [started, ("setpoint", "stop", ""), ("setpoint", "token-create", f"admin ({token.id})"), started]
    assert started[2].startswith("Setpoint ")


async def test_a_made_and_a_revoked_token_are_recorded_without_the_token(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.do("token-create", user="ann")
        await found.do("token-revoke", id=made.id)
        shown = (await found.ask("audit")).model_dump_json()
        assert [(one.command, one.subject) for one in await entries(found)][1:] == [
            ("token-revoke", made.id),
            ("token-create", "ann"),
        ]
    kept = found.services.people.known()
    assert made.token not in shown
    assert not any(token.sha256 in shown for token in kept)


# --- floods


async def test_a_flood_of_refused_attempts_takes_few_lines_and_each_is_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for number in range(300):
            with pytest.raises(Forbidden):
                await found.do("hold", EVE, target=f"web@c{number}")
            with pytest.raises(Forbidden):
                await found.ask("audit", EVE)
        await found.services.audit.settle(None)
        lines = await entries(found)
    assert len(lines) <= 2 * LINES + 1
    assert sum(one.times for one in lines) == 600
    assert SUMMARISED in {one.outcome for one in lines}


async def test_numbers_of_repeated_attempts_are_shown_once_their_minute_is_over(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        audit, at = found.services.audit, found.services.clock()
        denied = Entry("eve", "pin", outcome="forbidden", at=at)
        for _ in range(5):
            await audit.note(denied)
        assert [one.times for one in await entries(found)] == [1]
        await audit.settle(at + MINUTE)
        assert [one.times for one in await entries(found)] == [4, 1]


async def test_what_is_counted_when_the_engine_stops_is_written(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for _ in range(5):
            await found.control.note_stranger("127.0.0.1")
    async with house(tmp_path) as again:
        left = [(one.act, one.source, one.outcome, one.times) for one in await entries(again)]
    assert left == [(AuditAct.AUTHENTICATE, "127.0.0.1", "unauthenticated", times) for times in (4, 1)]


def test_the_memory_for_counts_is_bounded_and_a_flood_hides_no_one_elses_lines() -> None:
    limiter = Limiter()
    written = [
        limiter.admit(Entry(f"p{actor}", "pin", f"{number}", outcome="forbidden", at=1))
        for actor in range(2 * ACTORS)
        for number in range(2 * LINES)
    ]
    lines = limiter.closed(None)
    assert written.count(True) == (ACTORS + 1) * LINES
    assert written.count(True) + sum(one.times for one in lines) == len(written)
    assert len(lines) <= (ACTORS + 1) * (LINES + 1)
    assert not limiter.closed(None)


async def test_a_long_text_of_a_refused_attempt_is_cut(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        with pytest.raises(Forbidden):
            await found.do("pin", EVE, target="x" * 1000, version="1", why="y" * 1000)
        one = (await entries(found))[0]
    assert max(len(one.subject), len(one.why), len(one.message)) == 200


async def test_what_cannot_be_recorded_can_still_be_read_but_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreError("the disk is full")

    async with house(tmp_path, STANDARD) as found:
        monkeypatch.setattr(found.services.stores.records, "append", full)
        assert (await found.ask("tokens")).tokens
        with pytest.raises(Unavailable, match="The audit cannot be written"):
            await found.do("hold", target="web@staging")


def test_strangers_take_no_window_and_nobody_is_named_for_another() -> None:
    limiter = Limiter()
    own = 0
    for number in range(300):
        own += limiter.admit(
            Entry("", "status", at=1, act=AuditAct.AUTHENTICATE, source=f"127.0.0.{number}", outcome=f"{number}")
        )
    assert own <= 20, "loopback has many addresses, and a stranger may use them all"
    for person in ("mallory", "bob"):
        for target in range(30):
            entry = Entry(person, "logs", f"shop/web@{target}", at=1, act=AuditAct.STREAM, outcome="done", token=person)
            limiter.admit(entry)
    lines = limiter.closed(None)
    assert {(line.person, line.token) for line in lines} == {("", ""), ("mallory", "mallory"), ("bob", "bob")}
    assert {line.times for line in lines if line.person} == {10}


def test_in_a_window_that_actors_share_each_is_counted_apart() -> None:
    limiter = Limiter()
    for number in range(251):
        limiter.admit(Entry(f"p{number}", "status", at=1, outcome="forbidden", token=f"t{number}"))
    for person in ("mallory", "bob"):
        for _ in range(3):
            limiter.admit(Entry(person, "logs", "shop/web@prod", at=1, outcome="done", token=person))
        for target in range(25):
            limiter.admit(Entry(person, "logs", f"shop/{target}@prod", at=1, outcome="done", token=person))
    lines = limiter.closed(None)
    assert not [line for line in lines if (line.person, line.token) not in {(one, one) for one in ("", "mallory", "bob")}]
    assert sum(line.times for line in lines if line.outcome == SUMMARISED) > 10
    assert {line.person for line in lines if line.outcome == SUMMARISED} == {""}
