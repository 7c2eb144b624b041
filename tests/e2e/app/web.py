"""The service of the end-to-end tests: says its version, is slow on request, ends gracefully, gets sick when a file says so."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--version", required=True)
parser.add_argument("--sick", default="", help="a directory: while it holds a file named like the version, /healthz says 500")
parser.add_argument("--warm-up", type=float, default=0, help="seconds before it listens")
arguments = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            time.sleep(2)
        sick = bool(arguments.sick) and (Path(arguments.sick) / arguments.version).exists()
        status = 500 if self.path == "/healthz" and sick else 200
        facts = {"version": arguments.version, "pid": os.getpid(), "instance": os.environ.get("SETPOINT_INSTANCE")}
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *values: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


time.sleep(arguments.warm_up)
server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"version {arguments.version} listens", flush=True)
server.serve_forever(poll_interval=0.05)
server.server_close()
print("ended", flush=True)
sys.exit(0)
