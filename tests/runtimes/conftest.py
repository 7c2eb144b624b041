"""A home for each test; whatever a test left running is ended, and that nothing is left is asserted from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.runtimes.helpers import processes_of

from setpoint.runtimes.process import ProcessRuntime, shutdown


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path
    await shutdown(tmp_path)
    assert processes_of(tmp_path) == []


@pytest.fixture
async def processes(home: Path) -> ProcessRuntime:
    return ProcessRuntime({}, home)
