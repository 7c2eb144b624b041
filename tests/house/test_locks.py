"""The locks: what pyproject.toml asks for, exact, with hashes, from no particular index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = {name: (ROOT / "requirements" / f"{name}.txt").read_text("utf-8") for name in ("run", "dev")}
ENTRY = re.compile(r"^([a-z0-9.-]+(?:\[[a-z0-9,-]+\])?)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def normal(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def versions(lock: str) -> dict[str, str]:
    return {normal(name): version for name, version, _ in ENTRY.findall(LOCKS[lock])}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_an_exact_version_with_hashes_or_a_comment(lock):
    rest = ENTRY.sub("", LOCKS[lock])
    assert [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_is_named(lock):
    assert re.search(r"https?:|file:|--(extra-)?index|--find-links|--trusted-host", LOCKS[lock]) is None


def test_what_runs_and_what_builds_it_is_in_both():
    wanted = {normal(one) for one in [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"], "editables"]}
    assert wanted <= set(versions("run"))
    assert versions("run").items() <= versions("dev").items()


def test_what_develops_it_is_locked():
    extras = PROJECT["project"]["optional-dependencies"]
    assert {normal(one) for one in [*extras["dev"], *extras["postgresql"]]} <= set(versions("dev"))


def test_compiled_packages_are_locked_for_every_platform():
    for name in ("msgspec", "pydantic-core", "psutil"):
        hashes = next(hashes for found, _, hashes in ENTRY.findall(LOCKS["run"]) if normal(found) == name)
        assert hashes.count("--hash") > 5, f"{name} has the hashes of few files: was it locked from one platform's?"


def test_an_extra_that_a_locked_package_needs_is_locked_with_it():
    """Older versions of pip take ``coverage[toml]`` for another requirement than ``coverage==…``, and go for the newest one."""
    assert "coverage[toml]==" in LOCKS["dev"]
