"""Who decided what (§10.10): history of every instance that an act counts for; what is decided already; orders that stand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, EVE, RUNTIME, SERVICE, STANDARD, House, documents, house

from setpoint.control.errors import Decided, Forbidden, Refused
from setpoint.model.people import Person

ANN = Person("ann", ("release-managers",), admin=True)
BOB = Person("bob", ("release-managers", "on-call"), admin=True)
SHARED = documents(
    RUNTIME,
    SERVICE,
    SERVICE.replace("name: web", "name: api"),
    """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: prod
    runtime: pretend
    each: {items: [{name: us}, {name: eu}]}
    after: staging
    approvals: [{topic: go-live, from: "group:release-managers", per: group}]
""",
)
ROUNDS = 25


async def told(found: House, target: str) -> list[str]:
    """What people did, oldest first."""
    events = (await found.ask("history", target=target, kinds=["vote", "signal"])).events
    return [event.text for event in reversed(events)]


# --- history


async def test_what_people_decide_is_in_the_history_of_all_that_it_counts_for_and_of_no_other(tmp_path: Path) -> None:
    async with house(tmp_path, SHARED) as found:
        await found.release("1.0", ANN)
        await found.waits_for("web@prod-us", "approval-missing")
        await found.do("stop-the-line", ANN, why="drill")
        await found.do("start-the-line", ANN)
        await found.do("stop-the-line", ANN, scope="prod-eu", why="cables")
        await found.do("pause", ANN, scope="prod", why="disks")
        await found.do("unpause", ANN, scope="prod")
        await found.do("skip", ANN, target="web@prod-us", gate="go-live", why="agreed")
        await found.do("approve", BOB, target="web@prod-eu", why="seen")
        await found.do("hold", ANN, target="web@staging", why="look")
        await found.do("mark-bad", ANN, service="web", version="1.0", why="slow")
        await found.do("cancel", ANN, release=1, why="wrong")
        everywhere = ["ann stops the line: drill", "ann lets the line go on"]
        group = ["ann pauses everything: disks", "ann ends the pause"]
        ends = ["ann marks web 1.0 bad: slow", "ann cancels release 1: wrong"]
        vote = "bob approves release 1 for go-live: seen"
        us, eu = await told(found, "web@prod-us"), await told(found, "web@prod-eu")
        assert us == [*everywhere, *group, "ann skips go-live: agreed", vote, *ends]
        assert eu == [*everywhere, "ann stops the line: cables", *group, vote, *ends]
        assert await told(found, "prod-us") == us
        assert await told(found, "web@staging") == [*everywhere, "ann holds: look", *ends]
        assert await told(found, "api@prod-eu") == [*everywhere, "ann stops the line: cables", *group]
        whole = await told(found, "prod")
        assert sorted(set(us) | set(eu)) == sorted(whole)


# --- a shared approval


async def test_a_shared_approval_shows_for_whom_else_it_counts_before_and_after(tmp_path: Path) -> None:
    async with house(tmp_path, SHARED) as found:
        await found.release("1.0", ANN)
        await found.waits_for("web@prod-us", "approval-missing")
        await found.waits_for("web@prod-eu", "approval-missing")
        [reason] = (await found.ask("explain", target="web@prod-us")).reasons
        assert reason.counts_for == ["saas/web@prod-eu"]
        would = await found.control.rehearse("approve", {"target": "web@prod-us"}, BOB)
        given = await found.do("approve", BOB, target="web@prod-us")
        assert would.answer["also"] == given.also == ["saas/web@prod-eu"]
        assert given.instances == ["saas/web@prod-eu", "saas/web@prod-us"]
        for place in ("us", "eu"):
            await found.good(f"web@prod-{place}", "1.0")
            [vote] = (await found.ask("history", target=f"web@prod-{place}", kinds=["vote"])).events
            assert vote.counts_for == ["saas/web@prod-us", "saas/web@prod-eu"]


async def test_who_may_not_approve_is_told_who_may(tmp_path: Path) -> None:
    async with house(tmp_path, SHARED) as found:
        await found.release("1.0", ANN)
        await found.waits_for("web@prod-us", "approval-missing")
        with pytest.raises(Forbidden) as caught:
            await found.do("approve", EVE, target="web@prod-us")
        assert caught.value.hint.startswith("No one with a token is group:release-managers")
        for name in ("ann", "bob", "cleo"):
            await found.do("token-create", user=name, groups=["release-managers"])
        await found.do("token-create", user="eve")
        for person, names in ((EVE, "bob or cleo"), (ANN, "bob or cleo")):
            with pytest.raises(Forbidden) as caught:
                await found.do("approve", person, target="web@prod-us")
            assert caught.value.hint == f"Ask {names}."
        [reason] = (await found.ask("explain", target="web@prod-us")).reasons
        assert reason.approvers == ["bob", "cleo"]


# --- what is decided


async def test_of_an_approval_and_a_rejection_in_the_same_moment_the_one_that_succeeds_is_what_happens(tmp_path: Path) -> None:
    text = documents(
        RUNTIME, SERVICE, "kind: Application\nname: saas\nchannels: [{name: prod, runtime: pretend, approvals: [{topic: t}]}]"
    )
    seen = set()
    async with house(tmp_path, text) as found:
        for number in range(1, ROUNDS + 1):
            await found.release(f"{number}.0")
            await found.waits_for("web@prod", "approval-missing")
            votes = [("approve", ANN), ("reject", BOB)] if number % 2 else [("reject", BOB), ("approve", ANN)]
            done = await asyncio.gather(
                *(found.do(name, person, target="web@prod", release=number) for name, person in votes), return_exceptions=True
            )
            [won] = [one for one in done if not isinstance(one, BaseException)]
            [lost] = [one for one in done if isinstance(one, Exception)]
            assert isinstance(lost, Decided)
            seen.add(won.yes)
            if won.yes:
                await found.good("web@prod", f"{number}.0")
                assert f"elease {number} " in lost.message
                assert "approved by ann" in lost.message
            else:
                assert (await found.state("web@prod")).life.vetoes[-1].release == number
                assert "bob rejected it for t" in lost.message
    assert seen == {True, False}


async def undecided(found: House) -> None:
    """Release 1 waits for an approval at prod-us."""
    await found.release("1.0")
    await found.waits_for("web@prod-us", "approval-missing")


@pytest.mark.parametrize(
    ("act", "payload", "words"),
    [
        ("approve", {"target": "web@prod-us"}, "Release 1 was rejected at web@prod-us: bob rejected it for go-live: no"),
        ("reject", {"target": "web@prod-us"}, "Release 1 was rejected at web@prod-us: bob rejected it for go-live: no"),
        ("skip", {"target": "web@prod-us", "gate": "go-live", "why": "x"}, "Release 1 was rejected"),
        ("cancel", {"release": 1}, "Release 1 was cancelled by ann: wrong"),
        ("retry", {"target": "web@prod-us", "release": 1}, "Release 1 is under way at web@prod-us"),
    ],
)
async def test_what_is_decided_already_is_refused_with_the_decision(
    tmp_path: Path, act: str, payload: dict[str, Any], words: str
) -> None:
    async with house(tmp_path, SHARED) as found:
        await undecided(found)
        await found.do("reject", BOB, target="web@prod-us", why="no")
        if act == "cancel":
            await found.do("cancel", ANN, release=1, why="wrong")
        if act == "retry":
            await found.do("retry", ANN, target="web@prod-us")
        before = await told(found, "prod")
        if act == "skip":
            payload = {**payload, "release": 1}
        with pytest.raises(Decided) as caught:
            await found.do(act, ANN, **payload)
        assert (caught.value.code, caught.value.status) == ("decided", 409)
        assert words in caught.value.message
        assert await told(found, "prod") == before


@pytest.mark.parametrize("act", ["approve", "reject"])
async def test_what_has_been_finalized_is_not_voted_on(tmp_path: Path, act: str) -> None:
    async with house(tmp_path, SHARED) as found:
        await undecided(found)
        await found.do("approve", BOB, target="web@prod-us")
        await found.good("web@prod-us", "1.0")
        await found.good("web@prod-eu", "1.0")
        with pytest.raises(Decided, match="Release 1 is finalized at web@prod-us, approved by bob"):
            await found.do(act, ANN, target="web@prod-us")


async def test_a_gate_is_skipped_once_and_the_second_is_told_by_whom(tmp_path: Path) -> None:
    async with house(tmp_path, SHARED) as found:
        await found.do("hold", target="web@prod-us")
        await undecided(found)
        both = await asyncio.gather(
            *(found.do("skip", person, target="web@prod-us", gate="go-live", why="agreed") for person in (ANN, BOB)),
            return_exceptions=True,
        )
        assert [type(one).__name__ for one in both] == ["SkippedGate", "Decided"]
        assert "ann skipped go-live of release 1 at web@prod-us already: agreed" in str(both[1])
        await found.do("skip", BOB, target="web@prod-us", gate="go-live", why="and seen to")
        assert (await told(found, "web@prod-us"))[-1] == "bob skips go-live: and seen to"


async def test_many_who_retry_in_the_same_moment_retry_once(tmp_path: Path) -> None:
    async with house(tmp_path, SHARED) as found:
        await undecided(found)
        await found.do("reject", BOB, target="web@prod-us")
        people = [Person(f"p{number}", admin=True) for number in range(30)]
        done = await asyncio.gather(
            *(found.do("retry", person, target="web@prod-us") for person in people), return_exceptions=True
        )
        assert sum(not isinstance(one, Exception) for one in done) == 1
        assert {type(one) for one in done if isinstance(one, Exception)} == {Decided}


# --- orders that stand

ORDERS: dict[str, dict[str, Any]] = {
    "hold": {"target": "web@staging"},
    "observe": {"target": "web@staging"},
    "pin": {"target": "web@staging", "version": "1.0"},
    "stop-the-line": {"scope": "staging"},
    "pause": {"scope": "staging"},
    "mark-bad": {"service": "web", "version": "1.0"},
}


@pytest.mark.parametrize("order", sorted(ORDERS))
async def test_an_order_that_stands_already_changes_nothing_but_a_new_reason_is_recorded(tmp_path: Path, order: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        payload = ORDERS[order]
        first = await found.do(order, ANN, **payload, why="first")
        assert not first.unchanged
        before = await told(found, "web@staging")
        for again in ({}, {"why": "first"}):
            assert (await found.do(order, BOB, **payload, **again)).unchanged
        assert await told(found, "web@staging") == before
        assert not (await found.do(order, BOB, **payload, why="second")).unchanged
        after = await told(found, "web@staging")
        assert after[:-1] == before
        assert after[-1].startswith("bob ")
        assert after[-1].endswith(": second")


async def test_an_act_is_taken_up_when_its_command_returns(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for number in range(5):
            await found.do("hold", target="staging", why=str(number))
            hold = (await found.state("web@staging")).life.hold
            assert hold is not None
            assert hold.by.why == str(number)
            await found.do("resume", target="staging")
            with pytest.raises(Refused):
                await found.do("resume", ADMIN, target="staging")
