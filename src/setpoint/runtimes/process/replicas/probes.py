"""Probes the health of a replica: over HTTP, by a TCP connection, or by a command of the user's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from setpoint.programs.procfs import RUN, members, send_all
from setpoint.runtimes.process.ports import LOOPBACK
from setpoint.runtimes.process.reaper import Reaper, describe_exit
from setpoint.runtimes.process.records import Launch

_REST = 65_536
_PATIENCE = 0.2


async def ask(launch: Launch, port: int, env: dict[str, str], reaper: Reaper) -> str:
    """Empty when the replica is well, else why not, in a few words that stay the same while the fault does.

    ``env``: of a command, which runs where the replica does, and as the same user.
    """
    health = launch.health
    try:
        async with asyncio.timeout(health.timeout / 1000):
            if health.kind == "http":
                return await _ask_http(health.path, port)
            if health.kind == "tcp":
                return await _ask_tcp(port)
            return await _ask_command(launch, env, reaper)
    except TimeoutError:
        return f"the {health.kind} health check did not end within {health.timeout} ms"
    except ConnectionError:
        return f"nothing listens at its port {port}"
    except (OSError, ValueError) as error:
        return f"the {health.kind} health check failed: {error}"


async def _ask_http(path: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nUser-Agent: setpoint\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        line = await reader.readline()
        await _rest_of(reader)
    finally:
        writer.close()
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1") or not words[1].isdigit():
        return f"GET {path} was not answered in HTTP/1"
    status = int(words[1])
    return "" if 200 <= status < 400 else f"GET {path} answered {status}"


async def _rest_of(reader: asyncio.StreamReader) -> None:
    """Hanging up in the middle of an answer would fill the logs of many a server with complaints."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await reader.read(_REST)


async def _ask_tcp(port: int) -> str:
    _, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.close()
    return ""


async def _ask_command(launch: Launch, env: dict[str, str], reaper: Reaper) -> str:
    """A check is a run of its own, so that whatever it leaves behind ends with it and is not taken for the replica."""
    run = f"{env[RUN]}.check"
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        command = list(launch.health.command)
        _, ended = reaper.spawn(command, launch.directory, {**env, RUN: run}, null, user=launch.user)
    finally:
        os.close(null)
    try:
        code = await ended
    except asyncio.CancelledError:
        send_all(members(run, None), signal.SIGKILL)
        raise
    return "" if code == 0 else f"the health command {describe_exit(code)}"
