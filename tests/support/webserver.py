"""A real web server on loopback whose answers a test decides: a map from path to a function of the request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Respond = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class WebServer:
    """``routes``: path → function. ``seen``: (method, path and query, headers, body) of each. ``closing``: set at the end."""

    url: str = ""
    routes: dict[str, Respond] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def hang(self, _request: BaseHTTPRequestHandler) -> None:
        """Never answer: as a route."""
        self.closing.wait(60)


def text(status: int, body: str | bytes = b"", **headers: str) -> Respond:
    """Answers with this status and body."""
    data = body.encode() if isinstance(body, str) else body

    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return respond


@contextmanager
def webserver() -> Iterator[WebServer]:
    """Serves until the body ends. Unknown paths are 404."""
    site = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            site.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            site.routes.get(self.path.partition("?")[0], text(404, "nothing here"))(self)

        do_GET = do_POST = do_HEAD = do_PUT = handle_any  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            return  # a client that hung up is part of the tests

    with Quiet(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()
