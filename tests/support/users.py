"""Another Unix user to run things as, and a place that every user may enter; skipped by name where that cannot be had."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from setpoint.programs.users import UserError, account_of, closed_to

USER, OTHER = "nobody", "daemon"
PYTHON = shutil.which("python3", path=f"/usr/local/bin:{os.defpath}") or ""
"""An interpreter that such a user may start: the one of the tests may lie in a closed directory."""


def _missing() -> str:
    try:
        account = account_of(USER)
        account_of(OTHER)
    except UserError as error:
        return str(error)
    if not PYTHON or closed_to(account, Path(PYTHON).resolve().parent):
        return f"no python3 that {USER} may start"
    return ""


MISSING = _missing()
needs_users = pytest.mark.skipif(bool(MISSING), reason=f"needs root: {MISSING}")


@contextmanager
def open_place() -> Iterator[Path]:
    """A directory that every user may enter; those of pytest are closed."""
    with tempfile.TemporaryDirectory(prefix="setpoint-users-") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place
