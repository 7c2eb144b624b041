"""The built-in ``image-signed``: a container image has a signature, as cosign makes them, of a given public key.

Signatures lie in the image's repository under a tag that its digest gives: a manifest whose layers are payloads that name the
digest, with the signature as an annotation. Certificates and transparency logs (keyless signing) play no part.
Source: sigstore/cosign, specs/SIGNATURE_SPEC.md.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.grammars.images import Image, parse_image
from setpoint.programs.text import printable
from setpoint.protections.images import image_mistakes
from setpoint.protections.options import Options, as_text
from setpoint.protections.web.oci import Registry, in_all, manifest_digest, refused

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
KIND = "cosign container image signature"
MOST_SIGNATURES = 32
"""Of one image that are looked at: each is a request, and an attacker may add some."""
_LONGEST_KEY = 64 * 1024

Key = EllipticCurvePublicKey | Ed25519PublicKey


class _Layer(msgspec.Struct):
    digest: str
    media_type: str = msgspec.field(default="", name="mediaType")
    annotations: dict[str, str] = {}


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


class _Named(msgspec.Struct):
    digest: str = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct):
    image: _Named
    type: str


class _Payload(msgspec.Struct):
    critical: _Critical


class ImageSigned:
    """Options: ``image``, as it is pulled · ``key``, the file with the public key (PEM; ECDSA or Ed25519) · ``plainHttp``."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        key = await asyncio.to_thread(_load, Path(as_text(check.options["key"])))
        if isinstance(key, CheckResult):
            return key
        name = as_text(check.options["image"])
        image = parse_image(name)
        registry = Registry(image, check.timeout, plain_http=check.options.get("plainHttp") is True)
        return await in_all(_Verification(registry, name, image, key).result(), image, check.timeout)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"image", "key", "plainHttp"})
        image_mistakes(read)
        read.text("key", required=True)
        read.directory("key")
        return read.wrong


def _load(path: Path) -> Key | CheckResult:
    try:
        with path.open("rb") as file:
            key = load_pem_public_key(file.read(_LONGEST_KEY))
    except OSError as error:
        return _mend(f"the key {path} cannot be read: {error.strerror}")
    except (ValueError, UnsupportedAlgorithm):
        return _mend(f"the key {path} is not a public key in PEM form: write the file that cosign calls cosign.pub")
    if not isinstance(key, Key):
        return _mend(f"the key {path} is neither ECDSA nor Ed25519")
    return key


def _mend(reason: str) -> CheckResult:
    return CheckResult(Outcome.MISCONFIGURED, printable(reason))


class _Verification:
    """One image, fetched and verified step by step."""

    def __init__(self, registry: Registry, name: str, image: Image, key: Key) -> None:
        self._registry, self._name, self._image, self._key = registry, name, image, key

    async def result(self) -> CheckResult:
        """Whether one signature of the image holds."""
        digest = await manifest_digest(self._registry, self._name, self._image)
        if isinstance(digest, CheckResult):
            return digest
        layers = await self._layers(digest)
        if isinstance(layers, CheckResult):
            return layers
        for layer in layers[:MOST_SIGNATURES]:
            held = await self._holds(layer, digest)
            if held is True:
                return CheckResult(Outcome.PASSING, f"{printable(self._name, 120)} ({digest}) is signed by the key")
            if isinstance(held, CheckResult):
                return held
        return self._no(f"has {len(layers)} signatures, but none of the key for {digest}")

    def _no(self, what: str) -> CheckResult:
        return CheckResult(Outcome.BLOCKING, printable(f"{printable(self._name, 120)} {what}"))

    async def _layers(self, digest: str) -> list[_Layer] | CheckResult:
        answer = await self._registry.manifest(f"{digest.replace(':', '-')}.sig")
        if isinstance(answer, CheckResult):
            return answer
        if failure := refused(answer, f"the signatures of {self._name}", self._image):
            return failure
        if answer.status == 404:
            return self._no(f"({digest}) is not signed")
        try:
            layers = msgspec.json.decode(answer.body, type=_Manifest).layers
        except msgspec.MsgspecError:
            return self._no("has signatures that cannot be read")
        return [layer for layer in layers if layer.media_type == PAYLOAD and SIGNATURE in layer.annotations and _is_digest(layer)]

    async def _holds(self, layer: _Layer, digest: str) -> bool | CheckResult:
        """Whether this signature is of the key, and of a payload that names the image."""
        answer = await self._registry.blob(layer.digest)
        if isinstance(answer, CheckResult):
            return answer
        if failure := refused(answer, f"a signature of {self._name}", self._image):
            return failure
        return (
            answer.status == 200 and verified(self._key, layer.annotations[SIGNATURE], answer.body) and names(answer.body, digest)
        )


def _is_digest(layer: _Layer) -> bool:
    return re.fullmatch(r"sha256:[0-9a-f]{64}", layer.digest) is not None


def verified(key: Key, signature: str, payload: bytes) -> bool:
    """Whether the signature (base64) over a payload is the key's."""
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, payload)
        else:
            key.verify(raw, payload, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def names(payload: bytes, digest: str) -> bool:
    """Return whether a payload is for a signature of the image with this digest."""
    try:
        critical = msgspec.json.decode(payload, type=_Payload).critical
    except msgspec.MsgspecError:
        return False
    return critical.type == KIND and critical.image.digest == digest
