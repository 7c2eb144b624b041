"""What all tests share: real components are skipped by name where they are missing, and required in CI.

Temporary directories are in memory where there is room: no test cuts the power, so no test needs to wait for a disk. Compiled
modules are kept even where PYTHONDONTWRITEBYTECODE is set: tests start hundreds of Python processes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings


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


settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("nightly", deadline=None, max_examples=200)
settings.load_profile("quick")

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes: about three times what all quick tests leave behind when each of them fails."""


def _is_usable(memory: Path) -> bool:
    """Whether there is a file system in memory that is large enough, and where programs may be started."""
    if not os.access(memory, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(memory)
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize >= ROOM


def pytest_configure() -> None:
    """Workers inherit the environment from here, and so do the programs that tests start."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if "TMPDIR" not in os.environ and _is_usable(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


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
