"""The embedded engine does what every engine must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine.conformance import EngineConformance
from tests.engine.crashes import CrashConformance
from tests.engine.toy import Outside, ToyCodec, decide, watch

from setpoint.engine.embedded import EmbeddedEngine


def make(home: Path, outside: Outside, **options: Any) -> EmbeddedEngine:
    """An embedded engine of toys."""
    step = {"clock_step": 20} if "clock" in options else {}
    return EmbeddedEngine(
        home, **{"decide": decide, "codec": ToyCodec(), "performer": outside, "watch": watch, **step, **options}
    )


class TestEmbedded(EngineConformance):
    def host(self, home: Path, outside: Outside, **options: Any) -> EmbeddedEngine:
        return make(home, outside, **options)


class TestEmbeddedCrashes(CrashConformance):
    maker = "tests.engine.test_embedded:make"
