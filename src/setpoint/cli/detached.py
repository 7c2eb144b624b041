"""The engine as a process of its own: started in the background, found again, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.output import echo
from setpoint.durable import files
from setpoint.durable.bounded_logs import rotate
from setpoint.durable.home import HOME_VARIABLE, default_home
from setpoint.server import location

_STARTS = 60.0
_STOPS = 60.0
_TICK = 0.02
_TAIL = 15


def start(home: Path, port: int | None, recovery: str = "") -> None:
    """Start it and wait until it answers. Raises Ended."""
    from setpoint.runtimes.process.supervision.keeping import AGAIN  # noqa: PLC0415 - only here

    if (found := location.find(home)) is not None and _answers(found.url):
        echo(f"The engine runs already (process {found.pid}).")
        greet(home, found.url)
        return
    log = home / location.LOG_FILE
    argv = [sys.executable, "-m", "setpoint.cli", "up", "--home", str(home), *(["--port", str(port)] if port else [])]
    argv += [f"--{recovery}"] if recovery else []
    descriptor = _open_log(log)
    try:
        began = os.fstat(descriptor).st_size
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd="/",
            env={**os.environ, AGAIN: "new"},
        )
    finally:
        os.close(descriptor)
    greet(home, _await_ready(home, process, log, began).url)


def _open_log(log: Path) -> int:
    try:
        files.make_directory(log.parent)
        rotate(log)
        return files.open_append(log)
    except OSError as error:
        message = f"The data directory {log.parent} cannot be used: {error.strerror}."
        raise Quit(ExitCode.ERROR, message, f"Name another one with --home or {HOME_VARIABLE}.") from error


def _answers(url: str) -> bool:
    """Whether it lives: a lock may outlast its holder for the blink of an eye."""
    import httpx2  # noqa: PLC0415 - only here

    try:
        return httpx2.get(f"{url}/healthz", timeout=5, trust_env=False).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False


def _await_ready(home: Path, process: subprocess.Popen[bytes], log: Path, began: int) -> location.Location:
    from setpoint.runtimes.process.reaper import describe_exit  # noqa: PLC0415 - only here

    deadline = time.monotonic() + _STARTS
    while time.monotonic() < deadline:
        found = location.find(home)
        if found is not None and found.pid == process.pid:
            return found
        if process.poll() is not None and found is not None:
            return found  # the engine that was killed had been started again already
        if process.poll() is not None and not location.held(home):
            message = f"The engine {describe_exit(process.returncode)} before it was ready."
            raise Quit(ExitCode.ERROR, message, f"Its log is {log}.", _tail(log, began))
        time.sleep(_TICK)
    raise Quit(ExitCode.TIMED_OUT, f"The engine was not ready within {_STARTS:.0f} s.", f"Its log is {log}.", _tail(log, began))


def _tail(log: Path, began: int) -> list[str]:
    with log.open("rb") as stream:
        cut = stream.seek(0, os.SEEK_END) < began
        stream.seek(0 if cut else began)
        return stream.read().decode(errors="replace").splitlines()[-_TAIL:]


def greet(home: Path, url: str) -> None:
    """Where it is, and what to try next."""
    echo(f"Setpoint answers at {url}")
    echo(f"  data directory   {home}")
    echo(f"  your token       {home / 'admin.token'} (the command line finds it)")
    elsewhere = "" if home == default_home().absolute() else f"{HOME_VARIABLE}={home} "
    echo(f"  try              {elsewhere}setpoint status")
    sys.stdout.flush()


def stop(home: Path) -> None:
    """Stop the engine, and wait until it has stopped. Raises Quit."""
    from setpoint.runtimes.process.supervision.keeping import RestartMark  # noqa: PLC0415 - only here

    RestartMark(home).remove()  # one that was killed and is just being started again ends, too
    pid = location.holder(home)
    if pid is None and (why := location.closed(home)):
        raise Quit(ExitCode.REFUSED, why, "Stop it as that user, or name your own data directory with --home.")
    if pid is None:
        echo(f"No engine runs in {home}.")
        return
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended just now
    except PermissionError as error:
        raise Quit(ExitCode.ERROR, f"The engine (process {pid}) belongs to another user.", "Stop it as that user.") from error
    deadline = time.monotonic() + _STOPS
    while location.held(home):
        if time.monotonic() > deadline:
            raise Quit(
                ExitCode.TIMED_OUT,
                f"The engine (process {pid}) has not stopped within {_STOPS:.0f} s.",
                "It may be finishing an apply. See its log.",
            )
        time.sleep(_TICK)
    echo("The engine has stopped.")


def stop_services(home: Path) -> None:
    """Stop the services of this data directory. Raises Quit."""
    import asyncio  # noqa: PLC0415 - only here

    from setpoint.plugins.errors import AdapterError  # noqa: PLC0415 - only here
    from setpoint.runtimes.process import shutdown  # noqa: PLC0415 - only here

    try:
        asyncio.run(shutdown(home))
    except AdapterError as error:
        raise Quit(ExitCode.ERROR, f"Could not stop the services on this machine: {error}.", "See the process table.") from error
    echo("The services on this machine have stopped. They start again with the engine.")
