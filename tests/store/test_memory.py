"""A store of dictionaries passes the suite: the port asks for nothing that only SQLite has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.conformance import BOUNDS, StoreConformance
from tests.store.memory import Disk, MemoryStore

from setpoint.store.port import Bounds, Store


class TestMemory(StoreConformance):
    @pytest.fixture(autouse=True)
    def _disks(self) -> None:
        self.disks: defaultdict[Path, Disk] = defaultdict(Disk)

    def make(self, home: Path, bounds: Bounds = BOUNDS) -> Store:
        return MemoryStore(self.disks[home], bounds)

    @contextmanager
    def full(self, store: MemoryStore) -> Iterator[None]:
        store.disk.full = True
        yield
        store.disk.full = False
