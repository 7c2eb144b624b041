"""A text of a request becomes part of a path only if it names something that the engine made."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.control.fields import KEY, OPERATIONS, PLACES, Place, with_text
from tests.control.house import ADMIN, PLAIN, RUNTIME, SERVICE, House, documents, house

from setpoint.control.errors import ControlError
from setpoint.control.permissions import Permission
from setpoint.control.registry import COMMANDS, QUERIES
from setpoint.durable import files
from setpoint.runtimes.fake import FakeRuntime
from setpoint.runtimes.process import ProcessRuntime
from setpoint.runtimes.process.home import Home
from setpoint.runtimes.process.logs import log_file
from setpoint.runtimes.process.records import GoneRecord, InstanceRecord

CANARY = "canary7f3a"
ON_THIS_MACHINE = """
kind: Service
application: tools
name: shell
process: {command: [sleep, inf]}
env: {VERSION: "${version}"}                  # nothing of it is released by an apply
---
kind: Application
name: tools
channels: [{name: here, runtime: local}]
"""
ROOTS = {("apply", ("root",)), ("preview", ("root",)), ("validate", ("root",))}
"""Where an administrator's configuration lies: programs marked ``mutable`` are looked for below it."""

_touched: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _touched is not None and (event == "open" or event.startswith(("os.", "pathlib.", "shutil.", "glob."))):
        _touched.extend(f"{event}: {one!r}" for one in arguments if isinstance(one, str | bytes | os.PathLike))


sys.addaudithook(_watch)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Paths that Python hands to the operating system, looks at their attributes included."""
    global _touched  # noqa: PLW0603 - an audit hook can never be removed
    seen: list[str] = []
    with monkeypatch.context() as patched:
        for name in ("stat", "lstat", "readlink"):
            patched.setattr(os, name, _recording(getattr(os, name), seen))
        _touched = seen
        try:
            yield seen
        finally:
            _touched = None


def _recording(call, seen: list[str]):
    def recorded(path, *arguments, **named):
        seen.append(f"{call.__name__}: {path!r}")
        return call(path, *arguments, **named)

    return recorded


def hostile(directory: Path) -> list[str]:
    """Texts that would lead somewhere if they were joined to a path; what they name is there."""
    secret = directory / f"{CANARY}.log"
    secret.write_text("secret\n")
    link, fifo, device = (directory / f"{CANARY}-{kind}" for kind in ("link", "fifo", "device"))
    link.symlink_to(secret)
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    climbing = "../" * 20
    return [
        *(str(path) for path in (secret, secret.with_suffix(""), link, fifo, device)),
        f"{climbing}{secret}".replace("//", "/"),
        f"..%2f..%2f{CANARY}",
        f"..\\{CANARY}",
        f"{CANARY}\0.log",
        f"file://{secret}",
        CANARY,
    ]


async def test_no_text_of_any_request_reaches_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = hostile(tmp_path)
    touched: list[tuple[str, Place, str, str]] = []
    async with house(tmp_path / "home", documents(RUNTIME, SERVICE, PLAIN)) as found:
        for name, place in PLACES:
            for text in texts:
                with watched(monkeypatch) as seen:
                    await _call(found, name, with_text(OPERATIONS[name].request, place, text))
                touched += [(name, place, text, one) for one in seen if CANARY in one]
    assert {(name, place) for name, place, _, _ in touched} <= ROOTS, touched


async def _call(found: House, name: str, payload: dict[str, object]) -> None:
    try:
        async with asyncio.timeout(10):
            if name in COMMANDS:
                await found.control.command(name, payload, ADMIN)
            elif name in QUERIES:
                await found.control.query(name, payload, ADMIN)
            else:
                bits = await found.control.stream(name, payload, ADMIN)
                await asyncio.wait_for(anext(bits, None), 0.05)
    except (ControlError, TimeoutError):
        pass


@pytest.mark.parametrize(("name", "place"), sorted(ROOTS))
def test_only_an_administrator_names_a_directory(name: str, place: Place) -> None:
    assert OPERATIONS[name].permission is Permission.CONFIGURE


def test_the_keys_of_files_are_among_the_texts() -> None:
    assert ("apply", ("files", KEY)) in PLACES
    assert ("logs", ("replica",)) in PLACES


async def test_logs_are_those_of_replicas_that_were_recorded(tmp_path: Path) -> None:
    home = tmp_path / "home"
    place = Home(home)
    files.make_directory(home)
    place.prepare()
    gone = GoneRecord(name="shell-1", digest="d", version="1", ended="exited with 3", at=1)
    place.write(InstanceRecord(instance="tools/shell@here", halted=True, gone=[gone]))
    directory = place.logs_of("tools/shell@here")
    files.make_directory(directory)
    log_file(directory, "shell-1").write_text("own line\n")
    log_file(directory, "stranger").symlink_to(home / "admin.token")
    async with house(home, ON_THIS_MACHINE, runtimes={"fake": FakeRuntime, "process": ProcessRuntime}) as found:
        assert await _texts(found, "shell-1") == ["own line"]
        for text in [*hostile(tmp_path), "stranger", "../../../../admin", "shell-1/../stranger"]:
            assert await _texts(found, text) == [], text


async def _texts(found: House, replica: str) -> list[str]:
    try:
        bits = await found.control.stream("logs", {"target": "tools/shell@here", "replica": replica}, ADMIN)
        return [bit.text async for bit in bits]  # type: ignore[attr-defined]  # a line
    except ControlError as error:
        assert error.code in {"not-found", "malformed"}  # noqa: PT017 - a refusal is one of the two
        return []
