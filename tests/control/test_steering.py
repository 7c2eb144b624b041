"""Pin, hold, rollback, retry: what they do, and when they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import OPS, STANDARD, House, house

from setpoint.control.errors import NotFound, Refused


async def _three_releases(found: House) -> None:
    for version in ("1.0", "1.1", "1.2"):
        await found.release(version)
        await found.good("web@production", version)


async def test_a_pin_keeps_a_version_until_it_is_unpinned(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await _three_releases(found)
        answer = await found.do("pin", OPS, target="web@production", version="1.0", why="demo")
        assert (answer.version, answer.release) == ("1.0", 1)
        assert (await found.good("web@production", "1.0")).pinned == "1.0"
        await found.release("1.3")
        await found.good("web@staging", "1.3")
        assert (await found.row("web@production")).good.version == "1.0"
        await found.do("unpin", OPS, target="production")
        await found.good("web@production", "1.3")


async def test_a_version_that_the_instance_has_forgotten_can_be_pinned(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for number in range(8):
            await found.release(f"1.{number}")
            await found.good("web@production", f"1.{number}")
        assert all(offer.version.name != "1.0" for offer in (await found.state("web@production")).life.offers)
        await found.do("pin", target="web@production", version="1.0")
        await found.good("web@production", "1.0")


@pytest.mark.parametrize(
    ("command", "payload", "error"),
    [
        ("pin", {"version": "9.9"}, NotFound),
        ("unpin", {}, Refused),
        ("resume", {}, Refused),
        ("retry", {}, Refused),
        ("retry", {"release": 1}, Refused),
        ("rollback", {}, Refused),
        ("rollback", {"version": "1.0"}, Refused),
    ],
)
async def test_what_would_mean_nothing_is_refused(
    tmp_path: Path, command: str, payload: dict[str, Any], error: type[Exception]
) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(error) as caught:
            await found.do(command, target="web@production", **payload)
        assert caught.value.hint  # type: ignore[attr-defined]
        assert (await found.ask("audit")).entries[0].outcome in {"refused", "not-found"}


async def test_a_hold_keeps_automation_off_until_it_is_resumed(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        assert (await found.do("hold", OPS, target="production", why="looking")).instances == ["saas/web@production"]
        await found.release("1.1")
        await found.good("web@staging", "1.1")
        assert (await found.comes_to("web@production", "held")).held_by == "ops"
        await found.do("resume", target="web@production")
        await found.good("web@production", "1.1")


async def test_a_rollback_goes_to_the_good_version_before_and_holds(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await _three_releases(found)
        answer = await found.do("rollback", OPS, target="web@production", why="errors")
        assert answer.instances == {"saas/web@production": "1.1"}
        await found._until("web@production", lambda row: row.good.version == "1.1" and row.held_by == "ops", "1.1 held")
        assert (await found.row("web@staging")).good.version == "1.2"


async def test_a_rollback_to_a_named_version_needs_one_that_was_good_there(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await _three_releases(found)
        await found.do("hold", target="web@production")
        await found.release("1.3")
        await found.good("web@staging", "1.3")
        with pytest.raises(Refused, match="never good"):
            await found.do("rollback", target="web@production", version="1.3")
        with pytest.raises(Refused, match=r"is at 1\.2 already"):
            await found.do("rollback", target="web@production", version="1.2")
        assert (await found.do("rollback", target="web@production", version="1.0")).instances == {"saas/web@production": "1.0"}
        await found._until("web@production", lambda row: row.good.version == "1.0", "1.0")


async def test_a_rollback_of_a_channel_says_who_stays(tmp_path: Path) -> None:
    text = STANDARD + "\n---\nkind: Service\napplication: saas\nname: api\nfake: {}\nenv: {V: '${version}'}\n"
    async with house(tmp_path, text) as found:
        await _three_releases(found)
        answer = await found.do("rollback", target="production")
        assert answer.instances == {"saas/web@production": "1.1"}
        assert list(answer.refused) == ["saas/api@production"]


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("wep@production", 'Did you mean "web@production"?'),
        ("web@prodution", 'Did you mean "web@production"?'),
        ("saas/web@prodution", 'Did you mean "saas/web@production"?'),
        ("stagging", 'Did you mean "staging"?'),
        ("sass/staging", 'Did you mean "saas"?'),
    ],
)
async def test_a_misspelt_target_is_answered_with_the_nearest(tmp_path: Path, target: str, hint: str) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(NotFound) as caught:
            await found.do("hold", target=target)
        assert caught.value.hint == hint
