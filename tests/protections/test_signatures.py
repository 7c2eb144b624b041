"""image-signed, against a real registry with signatures that openssl made, in the form that cosign gives them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.components.registry import Registry, registry
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.ports import free_port
from tests.support.webserver import WebServer, text, webserver

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.signatures import KIND, MOST_SIGNATURES, PAYLOAD, SIGNATURE, ImageSigned

pytestmark = pytest.mark.needs("registry")
REPOSITORY = "team/web"
OTHER = f"sha256:{'0' * 64}"


class Signer:
    """A pair of keys: ``public`` is the file that a configuration names."""

    def __init__(self, directory: Path, name: str, *algorithm: str) -> None:
        self._private, self.public = directory / f"{name}.key", directory / f"{name}.pub"
        self._directory, self._raw = directory, "ed25519" in algorithm
        openssl("genpkey", "-algorithm", *algorithm, "-out", str(self._private))
        openssl("pkey", "-in", str(self._private), "-pubout", "-out", str(self.public))

    def sign(self, content: bytes) -> str:
        (self._directory / "content").write_bytes(content)
        words = ["-sign", "-inkey", str(self._private), "-rawin", "-in", str(self._directory / "content")]
        digest = [] if self._raw else ["-digest", "sha256"]
        return base64.b64encode(openssl("pkeyutl", *words, *digest)).decode()


def openssl(*words: str) -> bytes:
    return subprocess.run(["openssl", *words], check=True, capture_output=True).stdout


def payload(digest: str, kind: str = KIND) -> bytes:
    critical = {"identity": {"docker-reference": "anything"}, "image": {"docker-manifest-digest": digest}, "type": kind}
    return json.dumps({"critical": critical, "optional": None}).encode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Signer]:
    directory = tmp_path_factory.mktemp("keys")
    curve = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    return {
        "ours": Signer(directory, "ours", *curve),
        "theirs": Signer(directory, "theirs", *curve),
        "edwards": Signer(directory, "edwards", "ed25519"),
        "rsa": Signer(directory, "rsa", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    }


class Shelf:
    """A registry to sign images in, under tags of their own."""

    def __init__(self, images: Registry) -> None:
        self._images = images
        self._count = 0

    def image(self, *signers: Signer | str, content: Callable[[str], bytes] = payload, kind: str = PAYLOAD) -> str:
        """The name of a new image, signed by each of these, or with a text in a signature's place; ``content`` of its digest."""
        self._count += 1
        tag = f"1.0.{self._count}"
        digest = self._images.push(REPOSITORY, tag, note=tag)
        if signers:
            layers = [self._layer(content(digest), signer, kind) for signer in signers]
            self._images.push(REPOSITORY, f"{digest.replace(':', '-')}.sig", layers)
        return f"{self._images.address}/{REPOSITORY}:{tag}"

    def _layer(self, content: bytes, signer: Signer | str, kind: str) -> dict[str, Any]:
        signature = signer if isinstance(signer, str) else signer.sign(content)
        return self._images.blob(REPOSITORY, content) | {"mediaType": kind, "annotations": {SIGNATURE: signature}}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with registry(tmp_path_factory.mktemp("registry")) as images:
        yield Shelf(images)


@pytest.fixture
def site() -> Iterator[WebServer]:
    with webserver() as site:
        site.routes[f"/v2/{REPOSITORY}/manifests/1"] = site.hang
        yield site


def options(image: str, key: Signer) -> dict[str, Any]:
    return {"image": image, "key": str(key.public), "plainHttp": True}


async def ask(image: str, key: Signer) -> CheckResult:
    return await run(ImageSigned(), definition("image-signed", options(image, key)))


class TestImageSigned(ProtectionContract, MayTakeLong):
    protection = ImageSigned()

    @pytest.fixture
    def passing(self, shelf: Shelf, keys: dict[str, Signer]) -> CheckDefinition:
        return definition("image-signed", options(shelf.image(keys["ours"]), keys["ours"]))

    @pytest.fixture
    def blocking(self, shelf: Shelf, keys: dict[str, Signer]) -> CheckDefinition:
        return definition("image-signed", options(shelf.image(), keys["ours"]))

    @pytest.fixture
    def unavailable(self, keys: dict[str, Signer]) -> CheckDefinition:
        return definition("image-signed", options(f"127.0.0.1:{free_port()}/{REPOSITORY}:1", keys["ours"]))

    @pytest.fixture
    def misconfigured(self, shelf: Shelf, keys: dict[str, Signer]) -> CheckDefinition:
        return definition("image-signed", options(shelf.image(keys["ours"]), keys["rsa"]))

    @pytest.fixture
    def hanging(self, site: WebServer, keys: dict[str, Signer]) -> CheckDefinition:
        return definition("image-signed", options(f"{site.url.removeprefix('http://')}/{REPOSITORY}:1", keys["ours"]))


@pytest.mark.parametrize("name", ["ours", "edwards"])
async def test_both_kinds_of_keys_are_understood(shelf: Shelf, keys: dict[str, Signer], name: str) -> None:
    image = shelf.image(keys[name])
    result = await ask(image, keys[name])
    assert result.outcome is Outcome.PASSING
    assert result.reason.startswith(f"{image} (sha256:")
    assert result.reason.endswith("is signed by the key")


async def test_one_signature_of_several_is_enough(shelf: Shelf, keys: dict[str, Signer]) -> None:
    image = shelf.image(keys["theirs"], "no base64!", keys["ours"])
    assert (await ask(image, keys["ours"])).outcome is Outcome.PASSING


async def test_an_image_without_signatures_is_told_as_that(shelf: Shelf, keys: dict[str, Signer]) -> None:
    result = await ask(shelf.image(), keys["ours"])
    assert (result.outcome, result.reason.rpartition(") ")[2]) == (Outcome.BLOCKING, "is not signed")


async def test_an_image_that_is_not_there_is_told_as_that(shelf: Shelf, keys: dict[str, Signer]) -> None:
    result = await ask(shelf.image().replace(":1.0.", ":9.0."), keys["ours"])
    assert (result.outcome, " is not in 127.0.0.1:" in result.reason) == (Outcome.BLOCKING, True)


async def test_the_signature_of_somebody_else_is_none(shelf: Shelf, keys: dict[str, Signer]) -> None:
    result = await ask(shelf.image(keys["theirs"]), keys["ours"])
    assert result.outcome is Outcome.BLOCKING
    assert "has 1 signatures, but none of the key" in result.reason


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda digest: payload(OTHER), "of another image"),
        (lambda digest: payload(digest, "atomic container signature"), "of another kind"),
        (lambda digest: b"{}", "of nothing"),
        (lambda digest: b"no JSON", "that nobody can read"),
    ],
)
async def test_a_good_signature_of_something_else_is_none(
    shelf: Shelf, keys: dict[str, Signer], content: Callable[[str], bytes], why: str
) -> None:
    assert (await ask(shelf.image(keys["ours"], content=content), keys["ours"])).outcome is Outcome.BLOCKING, why


async def test_layers_that_are_no_signatures_do_not_count(shelf: Shelf, keys: dict[str, Signer]) -> None:
    image = shelf.image(keys["ours"], kind="application/vnd.oci.image.layer.v1.tar")
    assert (await ask(image, keys["ours"])).outcome is Outcome.BLOCKING


async def test_no_more_signatures_are_looked_at_than_is_sensible(shelf: Shelf, keys: dict[str, Signer]) -> None:
    noise = ["bm9pc2U="] * MOST_SIGNATURES
    assert (await ask(shelf.image(*noise, keys["ours"]), keys["ours"])).outcome is Outcome.BLOCKING
    assert (await ask(shelf.image(*noise[1:], keys["ours"]), keys["ours"])).outcome is Outcome.PASSING


async def test_a_registry_that_shows_another_image_for_a_digest_is_not_believed(site: WebServer, keys: dict[str, Signer]) -> None:
    site.routes[f"/v2/{REPOSITORY}/manifests/{OTHER}"] = text(200, "{}", docker_content_digest=OTHER)
    result = await ask(f"{site.url.removeprefix('http://')}/{REPOSITORY}@{OTHER}", keys["ours"])
    assert result.outcome is Outcome.UNAVAILABLE
    assert "another manifest" in result.reason


@pytest.mark.parametrize("digest", ["sha256:12", "../../../v2/other/blobs/x", ""])
async def test_what_is_no_digest_is_not_asked_for(site: WebServer, keys: dict[str, Signer], digest: str) -> None:
    layer = {"mediaType": PAYLOAD, "digest": digest, "annotations": {SIGNATURE: "bm9pc2U="}}
    site.routes[f"/v2/{REPOSITORY}/manifests/1"] = text(200, "{}")
    tag = "sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.sig"
    site.routes[f"/v2/{REPOSITORY}/manifests/{tag}"] = text(200, json.dumps({"layers": [layer]}))
    result = await ask(f"{site.url.removeprefix('http://')}/{REPOSITORY}:1", keys["ours"])
    assert (result.outcome, len(site.seen)) == (Outcome.BLOCKING, 2)


async def test_a_key_that_is_none_is_misconfigured(shelf: Shelf, keys: dict[str, Signer], tmp_path: Path) -> None:
    image = shelf.image(keys["ours"])
    (tmp_path / "cosign.pub").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    for key, sentence in {"cosign.pub": "is not a public key in PEM form", "nowhere": "No such file or directory"}.items():
        result = await run(ImageSigned(), definition("image-signed", options(image, keys["ours"]) | {"key": str(tmp_path / key)}))
        assert result.outcome is Outcome.MISCONFIGURED
        assert sentence in result.reason


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image": ""}, "image is missing"),
        ({"key": ""}, "key is missing"),
        ({"key": "cosign.pub"}, "key must be an absolute path"),
    ],
)
def test_mistakes_are_told_in_sentences(change: dict[str, Any], sentence: str) -> None:
    (mistake,) = ImageSigned().validate({"image": "web", "key": "/cosign.pub"} | change)
    assert sentence in mistake
