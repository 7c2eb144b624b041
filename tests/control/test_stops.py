"""A stop is always visible (§10.9), an end is seen to (§10.8), and counts are the viewer's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, BOB, EVE, PLAIN, RUNTIME, SERVICE, STANDARD, WITH_APPROVALS, House, documents, house
from tests.support.eventually import eventually

from setpoint.control.errors import Malformed
from setpoint.control.views import standing
from setpoint.model.people import Person
from setpoint.model.time import DAY, format_instant

ANN = Person("ann", ("release-managers",), admin=True)
CLOSED = documents(
    RUNTIME,
    SERVICE,
    PLAIN.replace("after: staging", "after: staging, calendars: [never]"),
    "kind: Calendar\nname: never\ntimezone: UTC\nopen: [{from: '2001-01-01T00:00:00Z', until: '2001-01-02T00:00:00Z'}]",
)


async def shown(found: House, target: str = "web@production") -> list[list[str]]:
    """Codes of the stops in status, in explain, and what doctor reports."""
    status = (await found.ask("status")).applications[0].stops
    explained = await found.ask("explain", target=target)
    [doctor] = [one for one in (await found.ask("doctor")).findings if one.name == "stops"]
    return [[stop.code for stop in status], [stop.code for stop in explained.stops], [doctor.state, doctor.text]]


@pytest.mark.parametrize(
    ("order", "code", "text"),
    [
        ("stop-the-line", "frozen", "ann froze channel production: drill"),
        ("pause", "paused", "ann paused channel production: drill"),
    ],
)
async def test_a_stop_is_in_every_screen_although_nothing_waits(tmp_path: Path, order: str, code: str, text: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        assert await shown(found) == [[], [], ["ok", "nothing is stopped"]]
        await found.do(order, ANN, scope="production", why="drill")
        assert await shown(found) == [[code], [code], ["warning", f"{text} (1 instances)"]]
        assert (await shown(found, "web@staging"))[1] == []


async def test_a_closed_calendar_is_in_every_screen_although_nothing_waits(tmp_path: Path) -> None:
    async with house(tmp_path, CLOSED) as found:
        status, explained, [state, text] = await shown(found)
        assert (status, explained, state) == (["calendar-closed"], ["calendar-closed"], "ok")
        assert "never" in text


async def test_what_holds_a_release_that_waits_is_a_reason_and_not_told_twice(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do("stop-the-line", ANN, scope="staging", why="drill")
        await found.release("1.0")
        await found.waits_for("web@staging", "frozen")
        explained = await found.ask("explain", target="web@staging")
        assert [one.code for one in explained.reasons] == ["frozen"]
        assert explained.stops == []


async def test_only_who_may_approve_is_counted_as_needed(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0", ANN)
        await found.waits_for("web@production", "approval-missing")

        async def needed(person: Any) -> tuple[int, str]:
            [view] = (await found.ask("status", person)).applications
            return view.you, next(row.attention for row in view.instances if row.instance == "saas/web@production")

        assert [await needed(one) for one in (BOB, ANN, EVE, ADMIN)] == [(1, "you"), (0, "others"), (0, "others"), (0, "others")]
        await found.do("approve", BOB, target="web@production")
        assert await needed(BOB) == (0, "others"), "bob has approved, and another one must"


# --- ends

ORDERS: dict[str, dict[str, Any]] = {
    "hold": {"target": "web@staging"},
    "observe": {"target": "web@staging"},
    "pin": {"target": "web@staging", "version": "1.0"},
    "stop-the-line": {"scope": "staging"},
    "pause": {"scope": "staging"},
    "skip": {"target": "web@production", "gate": "release-manager", "why": "x"},
}


@pytest.mark.parametrize("order", sorted(ORDERS))
async def test_every_order_takes_an_end_and_a_link_and_ends(tmp_path: Path, order: str) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        link = "https://tickets/7"
        given = await found.do(order, ANN, **ORDERS[order], **{"for": "400ms", "link": link})
        assert given.until > found.services.clock()

        async def ended() -> list[Any]:
            target = ORDERS[order].get("target", "web@staging")
            events: list[Any] = (await found.ask("history", target=target, kinds=["expired"])).events
            return events

        [event] = await eventually(ended, 10, lambda: f"{order} has not ended")
        assert (event.person, event.link) == ("ann", link)
        assert "has ended" in event.text


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"until": "tomorrow"}, 'until: "tomorrow" is not a valid date or RFC 3339 time'),
        ({"until": "2026-02-30"}, "is not a valid date"),
        ({"until": "2026-12-24T18:00:00"}, "is not a valid date or RFC 3339 time"),
        ({"until": "2001-01-01"}, "is in the past"),
        ({"for": "0"}, "lasts 0"),
        ({"for": "2 hours"}, "for: "),
        ({"for": "2h", "until": "2999-01-01"}, "one end"),
        ({"link": "INC-7"}, "link"),
    ],
)
async def test_an_end_that_is_none_is_refused(tmp_path: Path, end: dict[str, Any], words: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(Malformed) as caught:
            await found.do("hold", target="web@staging", **end)
        assert words in caught.value.message
        assert not (await found.state("web@staging")).life.hold


async def test_a_date_means_its_beginning_and_a_time_has_an_offset(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for text, meant in (("2999-01-02", "2999-01-02T00:00:00Z"), ("2999-01-02T18:00:00+02:00", "2999-01-02T16:00:00Z")):
            given = await found.do("hold", target="web@staging", until=text)
            assert format_instant(given.until) == meant
        assert "until 2999-01-02T16:00:00Z" in (await found.ask("history", target="web@staging")).events[0].text


async def test_doctor_lists_what_has_no_end_after_seven_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        for order in ("pin", "hold", "observe", "stop-the-line", "pause"):
            await found.do(order, ANN, **ORDERS[order], why=order)

        async def listed() -> list[str]:
            return [one.text for one in (await found.ask("doctor")).findings if one.name == "orders"]

        assert standing._UNBOUNDED == 7 * DAY
        assert await listed() == []
        monkeypatch.setattr(standing, "_UNBOUNDED", 0)
        texts = await listed()
        assert len(texts) == 5
        assert "the pin of web@staging by ann has stood for 0 days and has no end: pin" in texts
        for order in ("pin", "hold", "observe", "stop-the-line", "pause"):
            await found.do(order, ANN, **ORDERS[order], **{"for": "1h"})
        assert await listed() == []
