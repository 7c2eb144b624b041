"""`release --wait`: watch one release until it is finalized everywhere it was sent to, or will not be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import Output
from setpoint.cli.render import status as screen
from setpoint.cli.render.live import follow
from setpoint.cli.session import Session
from setpoint.model.names import short_name
from setpoint.model.time import parse_duration

if TYPE_CHECKING:
    from setpoint.server.client import Client

_MOVING = frozenset({"deploying", "verifying", "rolling-back"})


def patience(text: str) -> float:
    """Return the seconds of a duration. Raises Quit for an invalid one."""
    try:
        return parse_duration(text) / 1000
    except ValueError as error:
        raise Quit(ExitCode.ERROR, f"--timeout: {error}.", "Write a duration such as 10m or 90s.") from error


class ReleaseProgress:
    """How far one release got."""

    def __init__(self, number: int, rows: list[dict[str, Any]], vetoed: set[str]) -> None:
        self.number = number
        self.rows = rows
        self.arrived = [row for row in rows if row["good"] and row["good"]["release"] >= number]
        self.failed = [row for row in rows if row not in self.arrived and (row["instance"] in vetoed or self._stuck(row))]
        self.replaced = [row for row in rows if row not in (*self.arrived, *self.failed) and self._replaced(row)]

    def _stuck(self, row: dict[str, Any]) -> bool:
        return row["condition"] in {"failed", "rollback-failed"} and row["release"] == self.number

    def _replaced(self, row: dict[str, Any]) -> bool:
        return bool(row["desired"] and row["desired"]["release"] > self.number and row["release"] != self.number)

    @property
    def moving(self) -> bool:
        """Whether something is under way that may still change how it ends."""
        return any(row["condition"] in _MOVING and row["release"] == self.number for row in self.rows)

    @property
    def over(self) -> bool:
        """Whether waiting any longer is of no use."""
        if len(self.arrived) == len(self.rows):
            return True
        return bool(self.failed or self.replaced) and not self.moving


def until_settled(client: Client, released: dict[str, Any], seconds: float, session: Session) -> None:
    """Show the progress until the release is settled. Raises Quit with the exit code of its result."""
    deadline = time.monotonic() + seconds
    last: list[ReleaseProgress] = []

    def look(columns: int) -> tuple[Iterator[Text], bool]:
        progress, status = _progress(client, released)
        last[:] = [progress]
        return screen.lines(status, columns, everything=True), progress.over or time.monotonic() > deadline

    if session.output is Output.TABLE:
        follow(look)
    else:
        while not look(80)[1]:
            time.sleep(0.5)
    _end(last[0], released, session)


def _progress(client: Client, released: dict[str, Any]) -> tuple[ReleaseProgress, dict[str, Any]]:
    status = client.query("status", {"application": released["application"]})
    named = set(released["instances"])
    for application in status["applications"]:
        application["instances"] = [row for row in application["instances"] if row["instance"] in named]
    rows = [row for application in status["applications"] for row in application["instances"]]
    vetoed = _vetoed(client, released) if len(rows) != sum(bool(row["settled"]) for row in rows) else set()
    return ReleaseProgress(released["release"], rows, vetoed), status


def _vetoed(client: Client, released: dict[str, Any]) -> set[str]:
    found = client.query("releases", {"application": released["application"], "limit": 100})["releases"]
    return {one for release in found if release["number"] == released["release"] for one in release["vetoed_in"]}


def _end(progress: ReleaseProgress, released: dict[str, Any], session: Session) -> None:
    names = {kind: [short_name(row["instance"]) for row in getattr(progress, kind)] for kind in ("arrived", "failed", "replaced")}
    waiting = {
        short_name(row["instance"]): row["reason"]["text"] if row["reason"] else row["condition"]
        for row in progress.rows
        if row not in (*progress.arrived, *progress.failed, *progress.replaced)
    }
    session.show({**released, **names, "waiting": waiting}, lambda: None)
    number = progress.number
    if progress.failed:
        raise Quit(
            ExitCode.FAILED,
            f"Release {number} failed at {', '.join(names['failed'])}.",
            f"See `setpoint explain {names['failed'][0]}`.",
        )
    if progress.replaced:
        raise Quit(
            ExitCode.FAILED,
            f"Release {number} was replaced by a newer one at {', '.join(names['replaced'])}.",
            "See `setpoint releases`.",
        )
    if waiting:
        sentences = [f"{name}: {text}" for name, text in waiting.items()]
        raise Quit(
            ExitCode.TIMED_OUT,
            f"Release {number} is still in progress. It continues in the background.",
            "See `setpoint status`.",
            sentences,
        )
