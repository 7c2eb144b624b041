"""What was verified is what runs: an image's tag is resolved once per version, and its digest stays with the version (§10.7)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.components.pretended_registry import PretendedRegistry, pretended_registry
from tests.components.registry import registry
from tests.control.house import ANN, PLAIN, RUNTIME, House, documents, files, house
from tests.support.eventually import eventually

from setpoint.control.errors import ControlError, Refused, Unavailable
from setpoint.model.spec import Spec, Version

WEB = """
kind: Service
application: saas
name: web
fake: {becomes: healthy}
env: {IMAGE: "AT/team/web:${version}", SIZE: "1"}
protections: {use: image-exists, interval: 50ms, timeout: 5s, with: {image: "AT/team/web:${version}", plainHttp: true}}
"""
GATED = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: production
    runtime: pretend
    after: staging
    approvals: [{topic: go, from: "group:release-managers"}]
"""


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.needs("registry"))])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A registry: a real one, or what stands in for it."""
    if request.param == "pretended":
        with pretended_registry() as found:
            yield found
    else:
        (tmp_path / "registry").mkdir()
        with registry(tmp_path / "registry") as found:
            yield found


@pytest.fixture
def fake() -> Iterator[PretendedRegistry]:
    """A registry that can go down."""
    with pretended_registry() as found:
        yield found


def configuration(images: Any, application: str = PLAIN) -> str:
    return documents(RUNTIME, WEB.replace("AT", images.address), application)


async def runs(found: House, instance: str) -> Spec:
    """What is to run there."""
    life = (await found.state(instance)).life
    spec = await found.services.stores.content.spec(next(offer.spec for offer in life.offers if offer.pair == life.target))
    assert spec is not None
    return spec


async def image(found: House, instance: str) -> str:
    return (await runs(found, instance)).env["IMAGE"].partition("@")[2]


async def version(found: House, instance: str) -> Version:
    life = (await found.state(instance)).life
    return next(offer.version for offer in life.offers if offer.pair == life.target)


async def test_a_tag_that_moves_after_it_was_verified_changes_nothing_that_runs(tmp_path: Path, images: Any) -> None:
    verified = images.push("team/web", "1.0", note="verified")
    async with house(tmp_path / "home", configuration(images, GATED)) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        await found.waits_for("web@production", "approval-missing")
        assert images.push("team/web", "1.0", note="moved") != verified
        await found.do("approve", ANN, target="web@production")
        await found.good("web@production", "1.0")
        for instance in ("web@staging", "web@production"):
            spec = await runs(found, instance)
            assert spec.env["IMAGE"] == f"{images.address}/team/web:1.0@{verified}"
            assert spec.images == {f"{images.address}/team/web:1.0": verified}


async def test_the_checks_look_at_the_digest_and_the_tag_is_looked_at_once(tmp_path: Path, fake: PretendedRegistry) -> None:
    digest = fake.push("team/web", "1.0")
    async with house(tmp_path, configuration(fake)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
    assert fake.asked_for("1.0") == 1
    assert fake.asked_for(digest) >= 2, "once for each channel"


async def test_a_release_that_names_the_version_anew_resolves_again_and_is_another_version(tmp_path: Path, images: Any) -> None:
    first = images.push("team/web", "1.0", note="first")
    async with house(tmp_path / "home", configuration(images)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        before = await version(found, "web@production")
        second = images.push("team/web", "1.0", note="second")
        answer = await found.release("1.0")
        await found.waits_until_release("web@production", answer.release)
        after = await version(found, "web@production")
        assert await image(found, "web@production") == second != first
        assert before.name == after.name
        assert before.digest != after.digest


@pytest.mark.parametrize("checked", ["staging", "production"])
async def test_a_version_is_the_same_in_each_channel_it_is_released_to_wherever_its_image_is_checked(
    tmp_path: Path, fake: PretendedRegistry, checked: str
) -> None:
    fake.push("team/web", "1.0")
    check = WEB.replace("AT", fake.address).splitlines()[-1].replace("protections", "perChannel: {CHECKED: {protections") + "}}"
    web = "\n".join([*WEB.splitlines()[:-2], check.replace("CHECKED", checked)])
    application = GATED.replace('\n    approvals: [{topic: go, from: "group:release-managers"}]', "")
    async with house(tmp_path, documents(RUNTIME, web, application)) as found:
        for channel in ("staging", "production"):
            await found.release("1.0", channels=[channel])
            await found.good(f"web@{channel}", "1.0")
        assert (await version(found, "web@staging")).digest
        assert await version(found, "web@staging") == await version(found, "web@production")


async def test_what_was_resolved_stays_with_the_version_while_the_registry_is_down(
    tmp_path: Path, fake: PretendedRegistry
) -> None:
    digests = {name: fake.push("team/web", name, note=name) for name in ("1.0", "2.0")}
    async with house(tmp_path, _informational(fake)) as found:
        for name in digests:
            await found.release(name)
            await found.good("web@production", name)
        fake.down()
        await found.do("pin", target="web@production", version="1.0", why="trial")
        await found.good("web@production", "1.0")
        assert await image(found, "web@production") == digests["1.0"]
        await found.do("unpin", target="web@production")
        sent = await found.do("promote", target="web@production", version="2.0")
        await found.waits_until_release("web@production", sent.release)
        assert await image(found, "web@production") == digests["2.0"]
        await found.do("rollback", target="web@production", version="1.0", why="trial")
        await _until_version(found, "web@production", "1.0")
        assert await image(found, "web@production") == digests["1.0"]
    assert fake.asked_for("1.0") == fake.asked_for("2.0") == 1


async def test_a_change_of_configuration_keeps_the_digest_while_the_registry_is_down(
    tmp_path: Path, fake: PretendedRegistry
) -> None:
    digest = fake.push("team/web", "1.0")
    async with house(tmp_path, _informational(fake)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        fake.down()
        await found.do("apply", **files(_informational(fake).replace('SIZE: "1"', 'SIZE: "2"')))

        async def resized() -> bool:
            return (await runs(found, "web@production")).env["SIZE"] == "2"

        await eventually(resized, 10, lambda: "the configuration did not reach production")
        assert await image(found, "web@production") == digest


def _informational(images: Any) -> str:
    """The check blocks nothing: what was resolved is all that keeps the image."""
    return configuration(images).replace("use: image-exists", "informational: true, use: image-exists")


async def _until_version(found: House, instance: str, name: str) -> None:
    async def is_good() -> bool:
        good = (await found.row(instance)).good
        return bool(good and good.version == name)

    await eventually(is_good, 10, lambda: f"{instance} did not come to {name}")


async def test_a_configuration_that_names_the_image_elsewhere_keeps_its_digest(tmp_path: Path, fake: PretendedRegistry) -> None:
    digest = fake.push("team/web", "1.0")
    near = fake.push("near/web", "1.0")
    assert near == digest, "a copy"
    async with house(tmp_path, configuration(fake)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.do("apply", **files(configuration(fake).replace("/team/web", "/near/web")))

        async def moved() -> bool:
            return (await runs(found, "web@production")).env["IMAGE"] == f"{fake.address}/near/web:1.0@{digest}"

        await eventually(moved, 10, lambda: "the configuration did not reach production")
        assert fake.asked_for("1.0") == 1


@pytest.mark.parametrize(
    ("happens", "error", "reason"),
    [("down", Unavailable, "answered 503"), ("absent", Refused, "is not in 127.0.0.1")],
)
async def test_a_release_whose_tag_cannot_be_resolved_is_refused(
    tmp_path: Path, fake: PretendedRegistry, happens: str, error: type[ControlError], reason: str
) -> None:
    fake.push("team/web", "1.0")
    async with house(tmp_path, configuration(fake)) as found:
        if happens == "down":
            fake.down()
        with pytest.raises(error, match=reason) as refusal:
            await found.release("1.0" if happens == "down" else "9.9")
        assert "web" in refusal.value.message
        assert refusal.value.hint
        assert (await found.ask("releases")).releases == []


async def test_a_registry_that_does_not_reply_keeps_no_other_command_waiting(tmp_path: Path, fake: PretendedRegistry) -> None:
    fake.push("team/web", "1.0")
    answer, asked = fake.server.routes["/v2/team/web/manifests/1.0"], threading.Event()
    goes_on = threading.Event()

    def slow(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        goes_on.wait(10)
        answer(request)

    fake.server.routes["/v2/team/web/manifests/1.0"] = slow
    async with house(tmp_path, configuration(fake)) as found:
        releasing = asyncio.create_task(found.release("1.0"))
        await asyncio.to_thread(asked.wait, 10)
        await found.do("apply", **files(configuration(fake).replace('SIZE: "1"', 'SIZE: "2"')))
        assert not releasing.done()
        goes_on.set()
        await releasing
        await found.good("web@production", "1.0")
        assert (await runs(found, "web@production")).env["SIZE"] == "2", "it is compiled with what is in force by then"


async def test_a_release_without_images_needs_no_registry(tmp_path: Path, fake: PretendedRegistry) -> None:
    fake.down()
    plain = configuration(fake).partition("protections: {use: image-exists")
    async with house(tmp_path, plain[0] + plain[2].partition("\n")[2]) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
    assert fake.server.seen == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_an_image_named_by_its_digest_runs_by_that_digest_whatever_its_tag_stands_for(
    tmp_path: Path, fake: PretendedRegistry, algorithm: str
) -> None:
    digest = fake.push("team/web", "1.0", algorithm=algorithm)
    name = f"{fake.address}/team/web:1.0@{digest}"
    async with house(tmp_path, configuration(fake).replace(f"{fake.address}/team/web:${{version}}", name)) as found:
        fake.push("team/web", "1.0", note="moved")
        await found.release("1.0")
        await found.good("web@production", "1.0")
        assert (await runs(found, "web@production")).env["IMAGE"] == name
    assert fake.asked_for("1.0") == 0
    assert fake.asked_for(digest) >= 2
