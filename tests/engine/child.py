"""A toy world in a process of its own, to be killed: ``python -m tests.engine.child MODULE:FUNCTION HOME COUNT``.

Posts COUNT numbered facts (each with an apply, a check, a message and a line of history), those that were not acknowledged before
again, with the same deduplication keys; says ``acked N`` for each, ``quiet`` when everything ended, and then waits for SIGTERM.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from tests.engine.recordings import comes_to_its_state
from tests.engine.toy import Outside, tell

from setpoint.core.instructions import Apply, RunCheck

ACTORS = 4


def say(text: str) -> None:
    """To the parent, at once."""
    print(text, flush=True)


def fact(number: int) -> tuple[str, Any]:
    """The ``number``-th fact: to whom, and what."""
    entity = f"toy:{number % ACTORS}"
    steps = [
        ("send", "toy:sink", tell(f"s{number}")),
        ("apply", f"{entity}/apply/{number}", number),
        ("check", f"{entity}/check/{number}"),
        ("record", f"line {number}"),
        ("publish", f"p{number}"),
    ]
    return entity, tell(f"m{number}", *steps)


async def wait_a_little(_: str, effect: Apply | RunCheck) -> None:
    """Effects take some time."""
    await asyncio.sleep(0.002)


async def post_all(engine: Any, count: int) -> None:
    """Everything, in order."""
    for actor in range(ACTORS):
        await engine.post("toy:sink", tell(f"sub{actor}", ("subscribe", f"toy:{actor}")), dedup=f"sub{actor}")
    for number in range(count):
        await engine.post(*fact(number), dedup=f"m{number}")
        say(f"acked {number}")


def is_quiet(engine: Any) -> bool:
    """Nothing waits."""
    health = engine.health()
    return not health.queued and not health.operations


async def main(maker: str, home: Path, count: int) -> None:
    """Serve until SIGTERM."""
    module, _, name = maker.partition(":")
    outside = Outside(home.parent / "outside")
    outside.on_apply = outside.on_check = wait_a_little
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with getattr(importlib.import_module(module), name)(home, outside) as engine:
        say("serving")
        posting = asyncio.create_task(post_all(engine, count))
        while not stop.is_set() and not (posting.done() and is_quiet(engine)):  # noqa: ASYNC110 - quiet is no event
            await asyncio.sleep(0.01)
        if posting.done():
            await posting
            stories = {entity: state.story for entity, state in await engine.scan("toy")}
            told = {entity: await comes_to_its_state(engine, entity) for entity in stories}
            say(f"quiet {json.dumps({'stories': stories, 'told': told, 'problems': engine.problems()})}")
        await stop.wait()
        posting.cancel()
    say("ended")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
