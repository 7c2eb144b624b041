"""A real PostgreSQL on loopback, in a directory of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from tests.support.eventually import wait_until
from tests.support.ports import free_port

USER, PASSWORD = "setpoint", "s3cret/word"
QUOTED_PASSWORD = "s3cret%2Fword"


class PostgreSQL:
    """One cluster; ``start`` and ``stop`` as often as a test likes."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", scheme: str = "postgresql") -> str:
        return f"{scheme}://{USER}:{QUOTED_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self, name: str) -> str:
        """Its URL."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 30,
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            command = [*_as_postgres(), _binary("postgres"), "-D", str(self.directory / "data"), *arguments]
            self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log)
        wait_until(self._is_ready, 30, (self.directory / "log").read_text)

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def _is_ready(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A cluster that runs until the body ends."""
    # Not in tmp_path: the user postgres may not enter directories of root's.
    with tempfile.TemporaryDirectory(prefix="setpoint-postgresql-") as name:
        server = PostgreSQL(Path(name))
        password = server.directory / "password"
        password.write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(server.directory, "postgres")
            shutil.chown(password, "postgres")
        initdb = [
            _binary("initdb"),
            "-D",
            str(server.directory / "data"),
            "-U",
            USER,
            "--auth=scram-sha-256",
            f"--pwfile={password}",
        ]
        subprocess.run(
            [*_as_postgres(), *initdb, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], cwd="/", check=True, capture_output=True
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if getpass.getuser() == "root" else []


def _binary(name: str) -> str:
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    return found[-1] if found else shutil.which(name) or name
