"""The bill of materials lists exactly what the lock of the running dependencies has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCK = (REQUIREMENTS / "run.txt").read_text()


@pytest.fixture(scope="module")
def bill() -> Any:
    return json.loads((REQUIREMENTS / "sbom.cdx.json").read_text())


def test_it_is_the_one_that_the_lock_gives() -> None:
    done = subprocess.run([sys.executable, REQUIREMENTS / "sbom.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_locked_package_is_there_with_its_version_and_hashes(bill: Any) -> None:
    assert [(one["name"], one["version"]) for one in bill["components"]] == re.findall(r"(?m)^([\w.-]+)(?:\[.*\])?==(\S+)", LOCK)
    hashes = [entry["content"] for one in bill["components"] for entry in one["externalReferences"][0]["hashes"]]
    assert hashes == re.findall(r"sha256:([0-9a-f]{64})", LOCK)


def test_what_setpoint_itself_needs_is_known(bill: Any) -> None:
    needed = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    project = tomllib.loads((REQUIREMENTS.parent / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^A-Za-z0-9.-]", one)[0].replace(".", "-") for one in project["dependencies"]}
    assert declared <= {one["name"] for one in bill["components"]}
    assert "pkg:pypi/" in needed["setpoint"][0]
    assert {one["bom-ref"] for one in bill["components"]} == needed.keys() - {"setpoint"}
    assert set().union(*needed.values()) == needed.keys() - {"setpoint"}, "each is there for something"
