"""The deliberate bugs stay usable: each patch applies, README.md lists it, and a sample is caught."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.mutants import run

README = (run.HERE / "README.md").read_text("utf-8")
LAW = (run.ROOT / "docs/design/law.md").read_text("utf-8")
KEPT = {row[0]: row[1:] for row in re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \| (.+) \|$", README, re.MULTILINE)}
"""Name of a bug -> what it stands for, its description, who catches it."""
DROPPED = dict(re.findall(r"^\| `([\w-]+)` \| `([\w-]+)` \|$", README, re.MULTILINE))
QUICK = ("back-to-oldest", "hold-ignored", "soak-from-release")


def catcher(patch: Path) -> str:
    return "<br>".join(f"`{test}`" for test in run.tests_of(patch)) or "the simulator alone"


def implemented(heading: str) -> set[str]:
    """Return the numbers of the paragraphs of the law that match this pattern, except what is planned."""
    return {number for number, title in re.findall(heading, LAW, re.MULTILINE) if "planned" not in title}


@pytest.mark.parametrize("patch", run.patches(), ids=lambda patch: patch.stem)
def test_every_patch_describes_its_bug_and_applies(patch: Path, tmp_path: Path):
    assert run.words(patch).endswith(".")
    run.mutate(patch, tmp_path)


@pytest.mark.parametrize("patch", run.patches(), ids=lambda patch: patch.stem)
def test_every_test_that_a_patch_names_exists(patch: Path):
    for test in run.tests_of(patch):
        file, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}" in (run.ROOT / file).read_text("utf-8")


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_each_bug_uses_only_names_that_exist(tmp_path: Path):
    """Any test catches a NameError, which shows nothing about the bug."""
    unknown = {}
    for patch in run.patches():
        run.mutate(patch, tmp_path / patch.stem)
        changed = re.findall(r"^\+\+\+ b/(\S+)$", patch.read_text("utf-8"), re.MULTILINE)
        config = ("--config-file", str(run.ROOT / "pyproject.toml"), "--cache-dir", "../cache")
        command = (sys.executable, "-m", "mypy", *config, "--follow-imports", "silent", *changed)
        done = subprocess.run(command, cwd=tmp_path / patch.stem, capture_output=True, text=True, check=False)
        if found := re.findall(r"^.*\[(?:name-defined|attr-defined|call-arg)\]$", done.stdout, re.MULTILINE):
            unknown[patch.stem] = found
    assert not unknown


def test_the_page_lists_each_patch_with_its_words_and_its_tests():
    assert {name: row[1:] for name, row in KEPT.items()} == {
        patch.stem: (run.words(patch), catcher(patch)) for patch in run.patches()
    }


def test_each_dropped_bug_is_represented_by_one_that_is_kept():
    assert set(DROPPED.values()) <= set(KEPT)
    assert not set(DROPPED) & set(KEPT)


def test_a_bug_stands_for_each_rule_of_section_10_that_code_implements():
    rules = implemented(r"^### 10\.(\d+) (.*)$")
    assert len(rules) > 15
    assert rules <= {number for row in KEPT.values() for number in re.findall(r"§10\.(\d+)", row[0])}


def test_a_bug_stands_for_each_invariant():
    invariants = implemented(r"^(\d+)\. (\*\*\w.*)$")
    assert invariants == {str(number) for number in range(1, 21)}
    named = {row[0] for row in KEPT.values()}
    for number in invariants:
        assert any(re.search(rf"invariants?\b[^;]* {number} [a-z]", text) for text in named), f"invariant {number}"


@pytest.mark.nightly
@pytest.mark.parametrize("name", QUICK)
def test_the_simulator_alone_catches_a_sample(name: str):
    caught = run.hunt(run.HERE / f"{name}.patch", seeds=30, simulate=True)
    assert caught.by, f"{caught.words} went unnoticed"


def test_a_patch_that_does_not_apply_is_an_error(tmp_path: Path):
    patch = tmp_path / "gone.patch"
    patch.write_text("A bug.\n\n--- a/setpoint/core/line.py\n+++ b/setpoint/core/line.py\n@@ -1 +1 @@\n-not there\n+anywhere\n")
    with pytest.raises(ValueError, match="does not apply"):
        run.mutate(patch, tmp_path / "copy")
