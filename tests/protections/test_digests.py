"""An image that is named by a digest is that image: a registry that returns another one convinces no check."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.components.pretended_registry import PretendedRegistry, manifest, pretended_registry
from tests.protections.contract import definition, run

from setpoint.model.checks import CheckResult, Outcome
from setpoint.protections.images import ImageExists
from setpoint.protections.signatures import KIND, PAYLOAD, SIGNATURE, ImageSigned

REPOSITORY = "team/web"
ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


@pytest.fixture
def images() -> Iterator[PretendedRegistry]:
    with pretended_registry() as found:
        yield found


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def sign(images: PretendedRegistry, note: str, key: Ed25519PrivateKey) -> None:
    """Sign the image with this note, as cosign does."""
    digest = images.push(REPOSITORY, note, note)
    critical = {"identity": {"docker-reference": ""}, "image": {"docker-manifest-digest": digest}, "type": KIND}
    payload = json.dumps({"critical": critical, "optional": None}).encode()
    layer = {
        "mediaType": PAYLOAD,
        "digest": images.blob(REPOSITORY, payload),
        "annotations": {SIGNATURE: base64.b64encode(key.sign(payload)).decode()},
    }
    images.answer(REPOSITORY, f"{digest.replace(':', '-')}.sig", json.dumps({"layers": [layer]}).encode())


async def signed(images: PretendedRegistry, name: str, key: Ed25519PrivateKey, directory: Path) -> CheckResult:
    public = directory / "cosign.pub"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    options = {"image": f"{images.address}/{REPOSITORY}{name}", "key": str(public), "plainHttp": True}
    return await run(ImageSigned(), definition("image-signed", options))


async def exists(images: PretendedRegistry, name: str) -> CheckResult:
    options = {"image": f"{images.address}/{REPOSITORY}{name}", "plainHttp": True}
    return await run(ImageExists(), definition("image-exists", options))


@ALGORITHMS
async def test_a_registry_that_changes_its_answer_after_a_digest_was_verified_convinces_no_longer(
    images: PretendedRegistry, key: Ed25519PrivateKey, tmp_path: Path, algorithm: str
) -> None:
    digest = images.push(REPOSITORY, "1.0", "released", algorithm=algorithm)
    for note in ("released", "older"):
        sign(images, note, key)
    assert (await signed(images, f":1.0@{digest}", key, tmp_path)).outcome is Outcome.PASSING
    images.answer(REPOSITORY, digest, manifest("older"))
    result = await signed(images, f":1.0@{digest}", key, tmp_path)
    assert result.outcome is Outcome.UNAVAILABLE, "though the image that was returned is signed, too"
    assert "answered another manifest" in result.reason


@ALGORITHMS
async def test_a_digest_without_its_image_is_not_signed(
    images: PretendedRegistry, key: Ed25519PrivateKey, tmp_path: Path, algorithm: str
) -> None:
    digest = images.push(REPOSITORY, "1.0", "released", algorithm=algorithm)
    assert (await signed(images, f"@{digest}", key, tmp_path)).outcome is Outcome.BLOCKING


async def test_a_registry_that_has_another_image_for_a_digest_does_not_have_it(images: PretendedRegistry) -> None:
    digest = images.push(REPOSITORY, "1.0", "released")
    assert (await exists(images, f"@{digest}")).outcome is Outcome.PASSING
    images.answer(REPOSITORY, digest, manifest("older"))
    assert (await exists(images, f"@{digest}")).outcome is Outcome.UNAVAILABLE
