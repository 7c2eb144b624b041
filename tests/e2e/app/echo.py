"""A service that returns what identifies a request, framed in each way that HTTP/1.1 has – and rudely, where the path says so."""

import argparse
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--version", required=True)
arguments = parser.parse_args()
STRAY = b"HTTP/1.1 200 OK\r\nX-Value: stray\r\nContent-Length: 5\r\n\r\nstray"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """``/KIND/VALUE``."""
        _, kind, value = self.path.split("/")
        body = self.received() or value.encode()
        head = f"X-Value: {value}\r\nX-Version: {arguments.version}\r\n"
        rude = STRAY if kind.startswith("rude") else b""
        if kind.endswith(("204", "304")):
            text = f"HTTP/1.1 {kind[-3:]} x\r\n{head}\r\n".encode()
        elif kind.endswith("chunked"):
            half = len(body) // 2
            pieces = (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]))
            text = f"HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"".join(pieces) + b"0\r\n\r\n"
        elif kind.endswith("close"):
            text = f"HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n".encode() + body
            self.close_connection = True
        else:
            shown = b"" if self.command == "HEAD" else body
            text = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + shown
        self.connection.sendall(text + rude)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names that http.server looks for

    def received(self) -> bytes:
        """The request's body."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *values: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
server.server_close()
sys.exit(0)
