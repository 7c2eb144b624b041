"""What a deployed program may do on its machine: each attempt is a kind and a target, and comes to ``open`` or an error.

With an argument: makes the attempts that it lists (JSON) and prints what came of them. Without: a service that gets them by POST.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)


def write(directory: str) -> None:
    path = Path(directory) / "written-by-a-version"
    path.touch()
    path.unlink()


KINDS: dict[str, Callable[[str], object]] = {
    "list": os.listdir,
    "read": lambda path: Path(path).read_bytes(),
    "write": write,
    "connect": connect,
    "signal": lambda pid: os.kill(int(pid), 0),
    "request": lambda url: urllib.request.urlopen(url, timeout=5).read(),
}


def came_of(kind: str, target: str) -> str:
    try:
        KINDS[kind](target)
    except OSError as error:
        return type(error).__name__
    return "open"


def attempted(attempts: list[list[str]]) -> list[str]:
    return [came_of(*attempt) for attempt in attempts]


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def do_POST(self) -> None:
        body = json.dumps(attempted(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if len(sys.argv) > 1:
    print(json.dumps(attempted(json.loads(sys.argv[1]))))
else:
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Service).serve_forever()
