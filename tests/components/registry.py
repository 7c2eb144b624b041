"""A real container registry on loopback that keeps what tests push; open to all, asking for tokens, or for passwords."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.eventually import wait_until
from tests.support.ports import free_port
from tests.support.webserver import text, webserver

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY_CONFIG = b"{}"


@dataclass
class Registry:
    """``address``: host and port, as it stands in the names of its images. Spoken to without TLS."""

    address: str
    token: str = ""

    def push(self, repository: str, tag: str, layers: Sequence[Mapping[str, Any]] = (), note: str = "") -> str:
        """An image, which needs no layers; its digest. With another ``note`` it is another one."""
        config = self.blob(repository, _EMPTY_CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": list(layers)}
        body = json.dumps(manifest | {"annotations": {"note": note}}).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", body, MANIFEST)
        return _digest(body)

    def blob(self, repository: str, content: bytes) -> dict[str, Any]:
        """Anything; what a manifest says of it."""
        place = self._send("POST", f"/v2/{repository}/blobs/uploads/")
        joined = "&" if "?" in place else "?"
        self._send("PUT", f"{place}{joined}digest={_digest(content)}", content)
        return {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": _digest(content), "size": len(content)}

    def _send(self, method: str, place: str, body: bytes = b"", kind: str = "application/octet-stream") -> str:
        url = place if "://" in place else f"http://{self.address}{place}"
        headers = {"content-type": kind} | ({"authorization": f"Bearer {self.token}"} if self.token else {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, body, headers, method=method), timeout=10) as response:
            return str(response.headers.get("location", ""))


@contextmanager
def registry(directory: Path) -> Iterator[Registry]:
    """One that lets everybody in."""
    with _running(directory, "") as address:
        yield Registry(address)


@contextmanager
def registry_with_tokens(directory: Path) -> Iterator[Registry]:
    """One that lets in who has a token, and a server beside it that gives everybody one for what they name in ``scope``.

    Repositories below ``private/`` are no business of theirs.
    """
    issuer = _Issuer(directory)
    with webserver() as server:
        server.routes["/token"] = issuer.answer
        auth = (
            f"auth: {{token: {{realm: {server.url}/token, service: test, issuer: test, rootcertbundle: {issuer.certificate}}}}}"
        )
        with _running(directory, auth) as address:
            names = ["team/web", "private/web"]
            yield Registry(address, issuer.token([(name, ["pull", "push"]) for name in names]))


@contextmanager
def registry_with_passwords(directory: Path) -> Iterator[Registry]:
    """One that lets in who knows a password, which is nobody."""
    (directory / "htpasswd").write_text("")
    with _running(directory, f"auth: {{htpasswd: {{realm: test, path: {directory / 'htpasswd'}}}}}") as address:
        yield Registry(address)


class _Issuer:
    """Signs tokens as the registry's token authentication wants them."""

    def __init__(self, directory: Path) -> None:
        self._key, self.certificate = directory / "key.pem", directory / "certificate.pem"
        subject = ["-subj", "/CN=test", "-days", "2"]
        files = ["-keyout", str(self._key), "-out", str(self.certificate)]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files], check=True, capture_output=True
        )

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        scopes = parse_qs(urlsplit(request.path).query).get("scope", [])
        names = [scope.split(":")[1] for scope in scopes]
        token = self.token([(name, ["pull"]) for name in names if not name.startswith("private/")])
        text(200, json.dumps({"token": token}))(request)

    def token(self, access: list[tuple[str, list[str]]]) -> str:
        pem = self.certificate.read_text().split("-----")[2]
        header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(pem.split())]}
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": "test",
            "sub": "",
            "aud": "test",
            "exp": now + 600,
            "nbf": now - 60,
            "iat": now,
            "jti": "1",
        }
        claims["access"] = [{"type": "repository", "name": name, "actions": actions} for name, actions in access]
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(command, input=signed, check=True, capture_output=True).stdout
        return (signed + b"." + _encoded(signature)).decode()


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def _running(directory: Path, auth: str) -> Iterator[str]:
    port = free_port()
    storage = f"storage: {{filesystem: {{rootdirectory: {directory / 'images'}}}}}"
    (directory / "config.yml").write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{auth}\n")
    command = ["docker-registry", "serve", str(directory / "config.yml")]
    quiet = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
    with ExitStack() as stack:
        log = stack.enter_context((directory / "registry.log").open("wb"))
        process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log, env=quiet))
        stack.callback(process.terminate)
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/v2/"), 30, "the registry did not start", every=0.1)
        yield f"127.0.0.1:{port}"


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
