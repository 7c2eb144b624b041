"""The contract of runtimes, on real processes."""

from __future__ import annotations

import pytest
from tests.runtimes.contract import RuntimeContract
from tests.runtimes.helpers import spec

from setpoint.model.spec import Spec
from setpoint.runtimes.process import ProcessRuntime


class TestProcessContract(RuntimeContract):
    @pytest.fixture
    def runtime(self, processes: ProcessRuntime) -> ProcessRuntime:
        return processes

    def healthy(self, version: str) -> Spec:
        return spec(version)

    def failing(self, version: str) -> Spec:
        return spec(version, command=["/bin/false"])
