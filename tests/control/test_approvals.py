"""Approve, reject, skip: who may, for which release, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, ANN, BOB, EVE, OPS, WITH_APPROVALS, house

from setpoint.control.errors import Forbidden, Malformed, NotFound, Refused


async def test_two_distinct_people_are_needed_and_enough(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        for _ in range(2):
            answer = await found.do("approve", ANN, target="web@production", why="looks good")
            assert (answer.release, answer.topics, answer.instances) == (1, ["release-manager"], ["saas/web@production"])
        assert "1 of 2 given" in (await found.waits_for("web@production", "approval-missing")).reason.text
        await found.do("approve", BOB, target="production")
        await found.good("web@production", "1.0")
        await found.good("web@globex", "1.0")


async def test_who_is_not_asked_may_not_answer_whatever_else_he_may(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        for person in (ADMIN, EVE):
            for command in ("approve", "reject"):
                with pytest.raises(Forbidden, match="release-manager is for group:release-managers"):
                    await found.do(command, person, target="web@production")
        assert (await found.waits_for("web@production", "approval-missing")).attention == "others"


async def test_the_author_does_not_count_but_may_reject(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0", ANN)
        await found.waits_for("web@production", "approval-missing")
        with pytest.raises(Forbidden, match="author of release 1 does not count"):
            await found.do("approve", ANN, target="web@production")
        await found.do("reject", ANN, target="web@production", why="too early")
        row = await found.comes_to("web@production", "empty")
        assert "too early" in (await found.ask("explain", target="web@production")).vetoes[0].reason
        assert row.good is None


async def test_a_rejected_release_is_tried_again_only_by_retry_and_needs_its_approvals_anew(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("approve", ANN, target="web@production")
        await found.do("reject", BOB, target="web@production")
        await found.comes_to("web@production", "empty")
        with pytest.raises(Refused):
            await found.do("approve", ANN, target="web@production")
        assert (await found.do("retry", OPS, target="web@production")).instances == {"saas/web@production": 1}
        await found.waits_for("web@production", "approval-missing")
        await found.do("approve", ANN, target="web@production")
        await found.do("approve", BOB, target="web@production")
        await found.good("web@production", "1.0")


@pytest.mark.parametrize("target", ["web@staging", "staging"])
async def test_nothing_is_approved_where_nothing_is_asked(tmp_path: Path, target: str) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        with pytest.raises(Refused):
            await found.do("approve", ANN, target=target)


async def test_an_approval_is_for_the_release_it_names_and_for_no_other(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("approve", ANN, target="web@production", release=1)
        await found.release("1.1")
        await found.good("web@staging", "1.1")
        await found.do("approve", BOB, target="web@production", release=2)
        assert (await found.waits_for("web@production", "approval-missing")).good is None
        with pytest.raises(NotFound):
            await found.do("approve", BOB, target="web@production", release=7)


async def test_an_unknown_topic_is_answered_with_the_nearest(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        with pytest.raises(Refused) as caught:
            await found.do("approve", ANN, target="web@production", topic="release-managre")
        assert caught.value.hint == 'Did you mean "release-manager"?'


async def test_the_same_vote_sent_twice_counts_once(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        for _ in range(2):
            await found.do("approve", ANN, target="web@production", request="one-click")
        votes = (await found.ask("history", kinds=["vote"])).events
        assert [vote.text for vote in votes] == ["ann approves release 1 for release-manager"]


async def test_a_gate_is_skipped_with_a_reason_by_whom_it_lets(tmp_path: Path) -> None:
    text = WITH_APPROVALS.replace("min: 2}", 'min: 2, override: "group:on-call"}')
    async with house(tmp_path, text) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        with pytest.raises(Malformed):
            await found.do("skip", BOB, target="web@production", gate="release-manager", why="")
        with pytest.raises(Forbidden, match="only group:on-call may"):
            await found.do("skip", ANN, target="web@production", gate="release-manager", why="hurry")
        for person, who in ((BOB, "an administrator"), (ADMIN, "group:on-call")):  # each may skip one of the two gates
            with pytest.raises(Forbidden, match=f"only {who} may"):
                await found.do("skip", person, target="web@production", gate="*", why="hurry")
        with pytest.raises(NotFound) as caught:
            await found.do("skip", BOB, target="web@production", gate="relase-manager", why="x")
        assert "release-manager" in caught.value.hint
        answer = await found.do("skip", BOB, target="production", gate="release-manager", why="INC-42")
        assert answer.instances == {"saas/web@production": 1}
        await found.good("web@production", "1.0")


async def test_a_skip_is_for_one_release(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("skip", OPS, target="web@production", gate="*", why="INC-42")
        await found.good("web@production", "1.0")
        await found.release("1.1")
        await found.good("web@staging", "1.1")
        assert (await found.waits_for("web@production", "approval-missing")).good.version == "1.0"
