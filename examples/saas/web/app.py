"""The product: a web server that tells its version and its channel. Any version may be asked for; they differ in their name."""

import argparse
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Two pages: /healthz, and one for everything else."""

    protocol_version = "HTTP/1.1"
    timeout = 5
    version = ""

    def do_GET(self) -> None:
        text = "ok" if self.path == "/healthz" else f"web {self.version} in {os.environ.get('CHANNEL', 'no channel')}"
        body = f"{text}\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing happens here that is worth a line."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    Handler.version = parser.parse_args().version
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.daemon_threads = False  # requests under way are answered before the end
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"web {Handler.version} listens", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
