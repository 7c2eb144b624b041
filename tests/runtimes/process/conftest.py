"""The address of ``world`` as a fixture: closed at the end, with all that a test opened behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.runtimes.process.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.address.close()
    for target in made.targets:
        target.retire()
    for server in made.servers:
        server.close()
    for task in made.serving_now:
        task.cancel()
    await asyncio.gather(*made.serving_now, return_exceptions=True)
    await asyncio.sleep(0)
