"""The deliberate bugs stay usable: every patch applies, and a sample is caught. All of them: ``python tests/mutants/run.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants import run

QUICK = ("back-to-oldest", "hold-ignored", "soak-from-release")


@pytest.mark.parametrize("patch", run.patches(), ids=lambda patch: patch.stem)
def test_every_mutant_says_its_bug_in_words_and_applies(patch: Path, tmp_path: Path):
    assert run.words(patch).endswith(".")
    run.mutate(patch, tmp_path)


def test_there_are_enough_of_them():
    assert len(run.patches()) >= 14


@pytest.mark.nightly
@pytest.mark.parametrize("name", QUICK)
def test_a_sample_is_caught_by_the_simulator(name: str):
    caught = run.hunt(run.HERE / f"{name}.patch", seeds=30, tests=False)
    assert caught.by, f"{caught.words} went unnoticed"


def test_a_patch_that_does_not_apply_is_an_error(tmp_path: Path):
    patch = tmp_path / "gone.patch"
    patch.write_text("A bug.\n\n--- a/setpoint/core/line.py\n+++ b/setpoint/core/line.py\n@@ -1 +1 @@\n-not there\n+anywhere\n")
    with pytest.raises(ValueError, match="does not apply"):
        run.mutate(patch, tmp_path / "copy")
