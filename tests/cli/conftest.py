"""An engine for each test that only talks to it, and a configuration to apply."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.terminal import CONFIGURATION, Terminal
from tests.support.processes import assert_none_left, new_mark


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A directory with a configuration."""
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "saas.setpoint.yaml").write_text(CONFIGURATION)
    return directory


@pytest.fixture
def mark() -> Iterator[dict[str, str]]:
    """Everything that a test starts bears it, and is gone when the test ends."""
    found = new_mark()
    yield found
    assert_none_left(found)


@pytest.fixture
def terminal(tmp_path: Path, mark: dict[str, str]) -> Iterator[Terminal]:
    """With a running engine."""
    found = Terminal(tmp_path / "home", mark)
    found.engine()
    yield found
    found.ok("down")
