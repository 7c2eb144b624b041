"""The hunt itself: code is exchanged, results are remembered, and the list of equivalents stays true."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import pytest
from tests.mutation import report, run, swapping
from tests.mutation.equivalent import Equivalent, reviewed
from tests.mutation.known import Known
from tests.mutation.operators import Mutant, mutants
from tests.mutation.reach import Reached, choose, reached

SOURCE = """
class Thing:
    @property
    def size(self):
        return 1

def add(a, b):
    return a + b
"""


@pytest.fixture
def module() -> ModuleType:
    found = ModuleType("thing")
    found.__file__ = "thing.py"
    exec(compile(SOURCE, "thing.py", "exec"), found.__dict__)
    return found


def mutant(words: str, source: str = SOURCE, file: str = "thing.py") -> Mutant:
    return next(each for each in mutants(file, source) if each.words == words)


# --- exchanging -----------------------------------------------------------------------------------------------------------


def test_whoever_holds_a_function_gets_the_changed_one(module: ModuleType):
    held = module.add
    swapping.swap(module, "add", mutant("a + b  →  a - b").applied(SOURCE.encode()))
    assert held(5, 3) == 2


def test_properties_are_changed_as_well(module: ModuleType):
    swapping.swap(module, "Thing.size", mutant("1  →  2").applied(SOURCE.encode()))
    assert module.Thing().size == 2


def test_what_is_no_function_is_not_exchanged(module: ModuleType):
    vars(module)["add"] = 7
    with pytest.raises(LookupError, match="add of thing is no function"):
        swapping.swap(module, "add", SOURCE.encode())
    with pytest.raises(LookupError, match=r"there is no Thing\.size"):
        swapping.swap(module, "Thing.size", b"class Thing: pass")


def test_answers_of_the_code_as_it_was_are_forgotten(module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    vars(module)["remembers"] = lru_cache(lambda: module.add(1, 1))
    monkeypatch.setitem(sys.modules, "thing", module)
    assert module.remembers() == 2
    swapping.swap(module, "add", mutant("a + b  →  a - b").applied(SOURCE.encode()))
    swapping.forget_answers("thing")
    assert module.remembers() == 0


# --- choosing -------------------------------------------------------------------------------------------------------------


def test_only_tests_that_run_a_changed_line_are_asked_the_quickest_first(module: ModuleType):
    slow = Reached("slow", 2.0, {"thing.py": {8}})
    quick = reached("quick", {"thing.py": "thing.py"}, lambda: module.add(1, 2))
    other = reached("other", {"thing.py": "thing.py"}, lambda: module.Thing().size)
    assert quick.lines == {"thing.py": {8}} or 8 in quick.lines["thing.py"]
    assert choose([slow, other, quick], "thing.py", frozenset({8})) == ["quick", "slow"]


def test_a_sample_is_the_same_for_the_same_seed_and_in_the_order_of_the_files():
    found = run.all_mutants([])
    chosen = run.sample(found, 50, seed=3)
    assert chosen == run.sample(found, 50, seed=3) != run.sample(found, 50, seed=4)
    assert [found.index(each) for each in chosen] == sorted(found.index(each) for each in chosen)
    assert run.sample(found[:5], 50, seed=3) == found[:5]


# --- remembering ------------------------------------------------------------------------------------------------------------


def test_results_hold_as_long_as_the_code_and_for_survivors_the_tests_stay(tmp_path: Path):
    file, caught, survivor = tmp_path / "deep/results.jsonl", mutant("a + b  →  a - b"), mutant("1  →  2")
    tests = {"test_one.py": "1", "test_two.py": "1"}
    known = Known(file, tests, worlds=5)
    known.add(caught, "test_adding")
    known.add(survivor, "")
    again = Known(file, tests, worlds=3)
    assert [found.by for found in (again.of(caught), again.of(survivor)) if found] == ["test_adding", ""]
    changed = Known(file, {**tests, "test_two.py": "2"}, worlds=5)
    found = changed.of(caught)
    assert found is not None
    assert found.by == "test_adding"
    assert changed.of(survivor) is None
    assert Known(file, tests, worlds=6).of(survivor) is None, "it has not seen as many worlds"
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 2


def test_a_survivor_is_asked_about_again_only_by_what_changed(tmp_path: Path):
    tests, survivor = {"test_one.py": "1", "test_two.py": "1"}, mutant("1  →  2")
    Known(tmp_path / "results.jsonl", tests, worlds=5).add(survivor, "")

    def survived(**changed: str) -> tuple[set[str], int]:
        return Known(tmp_path / "results.jsonl", {**tests, **changed}, worlds=9).survived(survivor)

    assert survived(**{"test_two.py": "2"}) == ({"test_one.py"}, 5)


def test_what_tests_share_changes_with_all_tests_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for file in ("one/test_a.py", "one/dsl.py", "two/test_b.py", "two/told.json"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "TESTS", ("one", "two"))
    before = run.digests_of_tests()
    assert set(before) == {"one/test_a.py", "two/test_b.py"}
    shared = {"one/dsl.py": "one/test_a.py", "two/told.json": "two/test_b.py"}
    for changed, file in {**shared, "two/test_b.py": "two/test_b.py"}.items():
        (tmp_path / changed).write_text("# changed")
        after = run.digests_of_tests()
        assert {name for name, digest in after.items() if digest != before[name]} == {file}
        before = after


def test_the_table_counts_and_leaves_equivalents_out_of_the_score():
    outcomes = [(mutant("a + b  →  a - b"), "test_adding", False), (mutant("1  →  2"), "", True), (mutant("1  →  0"), "", False)]
    assert report.score(outcomes) == 50.0
    assert list(report.table(outcomes))[-1].split() == ["all", "3", "1", "1", "1", "50.0%"]
    assert list(report.survivors(outcomes)) == ["thing.py:5: Thing.size: 1  →  0"]


def test_each_equivalent_says_why_and_one_that_is_there_no_longer_is_told():
    assert all(len(each.why) > 20 for each in reviewed())
    gone = Equivalent("topic.py", "decide", "this  →  that", "it was so once, long ago")
    assert (
        list(report.stale((*reviewed(), gone), run.all_mutants([])))[-1] == "no mutant any more: topic.py: decide: this  →  that"
    )


# --- hunting --------------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_a_hunt_tells_who_noticed_and_the_code_here_stays_as_it_is(tmp_path: Path):
    """In a process of its own: pytest within pytest would share its plugins."""
    script = tmp_path / "hunt.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(run.ROOT)!r})\n"
        "from tests.mutation import run\n"
        "run.TESTS = ('tests/core/test_line_and_topic.py',)\n"
        f"results = {str(tmp_path / 'results.jsonl')!r}\n"
        "sys.exit(run.main(['topic', '-n', '6', '--seed', '1', '--goal', '1', '--results', results]))\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=run.ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "topic.py" in done.stdout
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(results) == 6
    assert any(result["by"].startswith("test_") for result in results)
