"""What all tests share: real components are skipped by name where they are missing, and required in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Component:
    """Something real that tests run against: is it here, and which command brings it."""

    present: Callable[[], bool]
    install: str


def _programs(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name) for name in names)


def _postgresql() -> bool:
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


COMPONENTS = {
    "prometheus": Component(_programs("prometheus", "prometheus-alertmanager"), "apt install prometheus prometheus-alertmanager"),
    "postgresql": Component(_postgresql, "apt install postgresql"),
    "registry": Component(_programs("docker-registry", "openssl"), "apt install docker-registry openssl"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    required = bool(os.environ.get("CI")) or os.environ.get("SETPOINT_REQUIRE_COMPONENTS") == "1"
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if name not in COMPONENTS:
                pytest.fail(f"{name} is no component that tests/conftest.py knows: add it there")
            if COMPONENTS[name].present():
                continue
            message = f"needs {name}: {COMPONENTS[name].install}"
            if required:
                pytest.fail(message)
            pytest.skip(message)
