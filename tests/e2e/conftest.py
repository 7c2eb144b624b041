"""An engine for each end-to-end test, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.machine import Machine, copy_app


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that may take longest come first, so that no worker is left alone with one of them."""
    items.sort(key=lambda item: -max((mark.args[0] for mark in item.iter_markers("timeout")), default=0))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    copy_app(made)
    try:
        yield made
    finally:
        made.close()
