"""The service that the quickstart deploys: a small web server that remembers its visitors in a SQLite database.

It takes its port, its channel and its database from the environment, answers /healthz, and on SIGTERM answers what it was
asked before it goes. Which of its versions this is, the command line says; what they differ in is in pages.py.
"""

import argparse
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pages import PAGES


class Handler(BaseHTTPRequestHandler):
    """One connection; kept alive between requests."""

    protocol_version = "HTTP/1.1"
    timeout = 5
    version = ""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/healthz":
            self.answer(200, "ok")
        elif address.path == "/":
            self.page({name: values[-1] for name, values in parse_qs(address.query).items()})
        else:
            self.answer(404, "there is only /")

    def page(self, question: dict[str, str]) -> None:
        """The page itself; what goes wrong in it is an answer 500 and a line in the log, as in any framework."""
        try:
            with closing(sqlite3.connect(os.environ["DATABASE"], timeout=10)) as database, database:
                text = PAGES[self.version](database, question)
        except Exception as error:  # noqa: BLE001 - no page may end the server
            print(f"error: {type(error).__name__}: {error}", flush=True)
            self.answer(500, f"error: {type(error).__name__}")
        else:
            self.answer(200, text)

    def answer(self, status: int, text: str) -> None:
        """The first line always tells who answers."""
        body = f"web {self.version} in {os.environ['CHANNEL']}\n{text}\n".encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-version", self.version)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Only errors are worth a line."""


class Server(ThreadingHTTPServer):
    """Waits, when it is closed, for the requests that are being answered."""

    daemon_threads = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True, choices=sorted(PAGES))
    Handler.version = parser.parse_args().version
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    # shutdown() waits for serve_forever() to return, so it must not run in the thread that serves.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"web {Handler.version} listens", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    sys.exit(0)


if __name__ == "__main__":
    main()
