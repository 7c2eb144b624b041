"""Release: numbers, identity, parameters, and who is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, OPS, PLAIN, RUNTIME, SERVICE, STANDARD, WITH_APPROVALS, documents, house

from setpoint.control.errors import Forbidden, Invalid, Malformed, NotFound, Refused

PARAMETERS = (
    SERVICE
    + """
parameters:
  size: {values: [small, large], default: small}
  token: {required: true, carry: true}
constants: {}
""".replace("constants: {}\n", "")
)
USING = PARAMETERS.replace('"${version}"}', '"${version}", SIZE: "${params.size}", TOKEN: "${params.token}"}')


async def test_releases_are_numbered_and_brought_everywhere_in_order(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        first = await found.release("1.0")
        assert (first.release, first.instances, first.followers) == (1, ["saas/web@staging", "saas/web@production"], [])
        await found.good("web@production", "1.0")
        assert (await found.release("1.1")).release == 2
        await found.good("web@production", "1.1")


async def test_the_same_request_twice_is_one_release(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        payload: dict[str, Any] = {"services": {"web": {"version": "1.0"}}}
        numbers = [(await found.do("release", request="ci-run-7", **payload)).release for _ in range(3)]
        assert numbers == [1, 1, 1]
        assert (await found.do("release", request="ci-run-8", **payload)).release == 2


async def test_a_release_of_what_is_finalized_already_converges_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.release("1.0")
        await found.waits_until_release("web@production", 2)
        attempts = [event.text for event in (await found.ask("history", target="web@staging", release=2)).events]
        assert "rollout of 1.0 started" not in attempts


async def test_a_release_to_one_channel_names_just_that_one_and_its_mirrors(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        staging = await found.release("1.0", channels=["staging"])
        assert (staging.instances, staging.followers) == (["saas/web@staging"], [])
        production = await found.release("1.0", channels=["production"])
        assert (production.instances, production.followers) == (["saas/web@production"], ["saas/web@globex"])


@pytest.mark.parametrize(
    ("payload", "error", "says"),
    [
        ({"services": {"wep": {"version": "1"}}}, NotFound, 'has no service "wep"'),
        ({"services": {"web": {"version": "1"}}, "channels": ["prod"]}, NotFound, 'has no channel or group "prod"'),
        ({"services": {"web": {"version": "1"}}, "channels": ["globex"]}, Refused, "mirrors production"),
        ({"services": {"web": {"version": "1"}}, "application": "sass"}, NotFound, 'Application "sass" does not exist'),
        ({"services": {"web": {"version": "../1"}}}, Malformed, "not well-formed"),
        ({"services": {"web": {"version": "1", "parameters": {"color": "red"}}}}, Invalid, "color"),
        ({"services": {}}, Malformed, "not well-formed"),
        ({"services": {"web": {"version": "1"}}, "urgnt": True}, Malformed, "urgnt"),
        ({"services": {"web": {"version": "1"}}, "skip": ["nothing"], "why": "x"}, Refused, 'a gate "nothing"'),
        ({"services": {"web": {"version": "1"}}, "skip": ["release-manager"]}, Malformed, "needs a reason"),
    ],
)
async def test_what_cannot_be_released_is_refused_with_a_sentence(
    tmp_path: Path, payload: dict[str, Any], error: type[Exception], says: str
) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        with pytest.raises(error) as caught:
            await found.do("release", **payload)
        assert says in str(caught.value)
        assert caught.value.hint  # type: ignore[attr-defined]
        assert (await found.ask("releases")).releases == []


async def test_parameters_are_checked_carried_over_and_part_of_the_identity(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, USING, PLAIN)) as found:
        with pytest.raises(Invalid, match="required"):
            await found.release("1.0")
        with pytest.raises(Invalid, match="may not be"):
            await found.release("1.0", web={"parameters": {"token": "t", "size": "huge"}})
        await found.release("1.0", web={"parameters": {"token": "t", "size": "large"}})
        await found.release("1.1")
        await found.release("1.1", web={"parameters": {"size": "small"}})
        newest, middle, oldest = (await found.ask("releases")).releases
        assert oldest.parameters == middle.parameters == {"web": {"size": "large", "token": "t"}}
        assert newest.parameters == {"web": {"size": "small", "token": "t"}}
        offers = (await found.state("web@staging")).life.offers
        assert len({offer.version for offer in offers}) == 3


async def test_a_gate_can_be_skipped_with_the_release(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0", skip=["release-manager"], why="first one")
        await found.good("web@production", "1.0")
        told = [event.text for event in (await found.ask("history", target="web@production", kinds=["signal"])).events]
        assert told == ["admin skips release-manager: first one"]


async def test_what_nobody_may_skip_is_not_skipped_with_the_release_either(tmp_path: Path) -> None:
    text = WITH_APPROVALS.replace("min: 2}", "min: 2, override: []}")
    async with house(tmp_path, text) as found:
        with pytest.raises(Forbidden, match="no one may"):
            await found.release("1.0", OPS, skip=["*"], why="hurry")
        assert (await found.ask("releases")).releases == []


async def test_nothing_can_be_released_before_the_first_apply(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        with pytest.raises(Refused, match="No configuration"):
            await found.release("1.0", ADMIN)
