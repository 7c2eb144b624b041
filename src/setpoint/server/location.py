"""Where an engine keeps its data and where it answers. Imports next to nothing, so that the command line is quick."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from setpoint.durable import files, locks
from setpoint.durable.home import LOCK_FILE

TOKEN_VARIABLE = "SETPOINT_TOKEN"  # noqa: S105 - the variable's name
SERVER_FILE = "server.json"
LOG_FILE = "engine.log"
DEFAULT_PORT = 7350


@dataclass(frozen=True)
class Location:
    """Where an engine answers."""

    url: str
    pid: int
    version: str


def write(home: Path, location: Location) -> None:
    """Write the engine's address; only its user can read it."""
    files.replace(home / SERVER_FILE, json.dumps(asdict(location)).encode(), sync=False)


def forget(home: Path) -> None:
    """The engine ends."""
    files.remove(home / SERVER_FILE)


def find(home: Path) -> Location | None:
    """Return the address of a data directory's engine; None: none runs, whatever an old file contains.

    The lock decides, not the file: after a crash the port may belong to another user, who must not get a token – also
    while the next engine holds the lock already, and has not written its address yet.
    """
    engine = holder(home)
    try:
        with (home / SERVER_FILE).open() as file:
            if os.fstat(file.fileno()).st_uid not in {0, os.geteuid()}:
                return None  # a token is sent to the address in it
            found = Location(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.pid == engine else None


def held(home: Path) -> bool:
    """Whether an engine holds the data directory now."""
    try:
        return locks.is_held(home / LOCK_FILE)
    except OSError:
        return False


def closed(home: Path) -> str:
    """Why this user cannot know whether an engine runs there, as a sentence; empty: it can be known."""
    try:
        os.close(os.open(home / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError:
        return f"{home} is not open to you: it belongs to {_owner(home)}."
    except OSError:
        return ""
    return ""


def _owner(home: Path) -> str:
    for path in (home, *home.parents):
        try:
            found = path.stat()
        except OSError:
            continue
        if path != home or found.st_uid != os.geteuid():
            return f"the user with the id {found.st_uid}"
        break
    return "another user"


def holder(home: Path) -> int | None:
    """Process id of the engine that holds the data directory; None: none does."""
    if not held(home):
        return None
    try:
        return int(json.loads((home / LOCK_FILE).read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
