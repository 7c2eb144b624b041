"""A web server that speaks as much of a registry's protocol as a tag's resolution takes, for machines without a registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.webserver import WebServer, text, webserver


@dataclass
class PretendedRegistry:
    """As ``tests.components.registry.Registry``, without layers."""

    server: WebServer

    @property
    def address(self) -> str:
        """Host and port."""
        return self.server.url.removeprefix("http://")

    def push(self, repository: str, tag: str, note: str = "", *, algorithm: str = "sha256") -> str:
        """An image, whose tag stands for it from now on; its digest. With another ``note`` it is another one."""
        body = manifest(note)
        digest = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
        for reference in (tag, digest):
            self.answer(repository, reference, body)
        return digest

    def answer(self, repository: str, reference: str, body: bytes) -> None:
        """From now on this is the manifest for a tag or digest, whether it has that digest or not."""
        self.server.routes[f"/v2/{repository}/manifests/{reference}"] = text(
            200, body, docker_content_digest=f"sha256:{hashlib.sha256(body).hexdigest()}"
        )

    def blob(self, repository: str, content: bytes) -> str:
        """Something beside the images, by its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.server.routes[f"/v2/{repository}/blobs/{digest}"] = text(200, content)
        return digest

    def down(self) -> None:
        """Every request fails from now on."""
        self.server.routes = dict.fromkeys(self.server.routes, text(503))

    def asked_for(self, tag: str) -> int:
        """How often this tag was looked at."""
        return sum(path.endswith(f"/manifests/{tag}") for _, path, _, _ in self.server.seen)


def manifest(note: str) -> bytes:
    """The manifest of an image without layers."""
    return json.dumps({"schemaVersion": 2, "annotations": {"note": note}}).encode()


@contextmanager
def pretended_registry() -> Iterator[PretendedRegistry]:
    """Serves until the body ends."""
    with webserver() as server:
        yield PretendedRegistry(server)
