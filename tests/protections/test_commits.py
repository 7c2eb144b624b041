"""commit-denied, against real repositories that real git made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.commits import CommitDenied

UNKNOWN = "f" * 40


async def ask(**options: Any) -> CheckResult:
    return await run(CommitDenied(), definition("commit-denied", options))


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Repository:
    """Four commits: ``bad`` follows ``first``, ``fixed`` follows ``bad``, ``beside`` follows ``first``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        git(directory, "init", "-q")
        self.first = self._commit("first")
        self.bad = self._commit("bad")
        self.fixed = self._commit("fixed")
        git(directory, "checkout", "-q", "-b", "beside", self.first)
        self.beside = self._commit("beside")

    def _commit(self, name: str) -> str:
        git(self.directory, "commit", "-q", "--allow-empty", "-m", name)
        return git(self.directory, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


class TestTheCommitItself(ProtectionContract):
    protection = CommitDenied()

    @pytest.fixture
    def passing(self) -> CheckDefinition:
        return definition("commit-denied", {"commit": "4f2e91c0aa", "commits": ["0badcafe"]})

    @pytest.fixture
    def blocking(self) -> CheckDefinition:
        return definition("commit-denied", {"commit": "4f2e91c0aa", "commits": ["0badcafe", "4f2e91c0aa"]})

    @pytest.fixture
    def unavailable(self, repository: Repository) -> CheckDefinition:
        options = {"commit": UNKNOWN, "commits": [repository.bad], "directory": str(repository.directory)}
        return definition("commit-denied", options)

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return definition("commit-denied", {"commit": "", "commits": ["0badcafe"]})


class TestWhatItContains(ProtectionContract, MayTakeLong):
    protection = CommitDenied()

    @pytest.fixture
    def passing(self, repository: Repository) -> CheckDefinition:
        options = {"commit": repository.beside, "commits": [repository.bad], "directory": str(repository.directory)}
        return definition("commit-denied", options)

    @pytest.fixture
    def blocking(self, repository: Repository) -> CheckDefinition:
        options = {"commit": repository.fixed, "commits": [UNKNOWN, repository.bad], "directory": str(repository.directory)}
        return definition("commit-denied", options)

    @pytest.fixture
    def unavailable(self, repository: Repository) -> CheckDefinition:
        options = {"commit": UNKNOWN, "commits": [repository.bad], "directory": str(repository.directory)}
        return definition("commit-denied", options)

    @pytest.fixture
    def misconfigured(self, tmp_path: Path) -> CheckDefinition:
        return definition("commit-denied", {"commit": UNKNOWN, "commits": ["0badcafe"], "directory": str(tmp_path)})

    @pytest.fixture
    def hanging(self, tmp_path: Path, passing: CheckDefinition) -> CheckDefinition:
        (tmp_path / "git").write_text("#!/bin/sh\nsleep 60\n")
        (tmp_path / "git").chmod(0o755)
        return definition("commit-denied", passing.options, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})


async def test_a_shortened_commit_is_every_one_that_begins_with_it() -> None:
    whole = "4f2e91c0aa" + "0" * 30
    assert (await ask(commit=whole, commits=["4f2e91c"])).outcome is Outcome.BLOCKING
    assert (await ask(commit="4F2E91C", commits=[whole])).outcome is Outcome.BLOCKING


async def test_the_reason_names_both(repository: Repository) -> None:
    result = await ask(commit=repository.fixed, commits=[repository.bad[:8]], directory=str(repository.directory))
    assert result.reason == f"commit {repository.fixed[:12]} contains {repository.bad[:8]}, which is denied"
    result = await ask(commit=repository.bad, commits=[repository.bad[:8]])
    assert result.reason == f"commit {repository.bad[:12]} is denied (as {repository.bad[:8]})"


async def test_a_denied_commit_that_the_clone_never_had_is_contained_in_none_of_its_own(repository: Repository) -> None:
    result = await ask(commit=repository.fixed, commits=[UNKNOWN], directory=str(repository.directory))
    assert result == CheckResult(Outcome.PASSING, f"commit {repository.fixed[:12]} contains none of the 1 denied")


async def test_a_shallow_clone_cannot_say_yes_but_can_say_no(repository: Repository, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=2", "--branch=main", f"file://{repository.directory}", "clone")
    shallow = {"commit": repository.fixed, "directory": str(tmp_path / "clone")}
    result = await ask(**shallow, commits=[repository.first])
    assert result.outcome is Outcome.UNAVAILABLE
    assert "shallow" in result.reason
    assert (await ask(**shallow, commits=[repository.bad])).outcome is Outcome.BLOCKING


async def test_a_replaced_commit_is_still_the_one_it_was(repository: Repository, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--branch=main", str(repository.directory), ".")
    git(tmp_path, "replace", repository.fixed, repository.first)
    result = await ask(commit=repository.fixed, commits=[repository.bad], directory=str(tmp_path))
    assert result.outcome is Outcome.BLOCKING


async def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = await ask(commit=UNKNOWN, commits=["0badcafe"], directory=str(tmp_path / "nowhere"))
    assert result.outcome is Outcome.MISCONFIGURED
    assert "No such file or directory" in result.reason


async def test_without_git_it_says_so(repository: Repository, tmp_path: Path) -> None:
    options = {"commit": repository.fixed, "commits": [repository.bad], "directory": str(repository.directory)}
    result = await run(CommitDenied(), definition("commit-denied", options, env={"PATH": str(tmp_path)}))
    assert (result.outcome, result.reason) == (Outcome.MISCONFIGURED, "git is not on PATH: install it where the engine runs")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"commit": "4f2e91c0"}, "commits names no commit"),
        ({"commit": "4f2e91c0", "commits": []}, "commits names no commit"),
        ({"commits": ["4f2e91c0"]}, "the release does not name the one it is from"),
        ({"commit": "main", "commits": ["4f2e91c0"]}, 'commit: "main" is not a valid commit'),
        ({"commit": "4f2e91c0", "commits": ["4f2e"]}, "at least the first 7"),
        ({"commit": "4f2e91c0", "commits": ["--all-the-things"]}, "is not a valid commit"),
        ({"commit": "4f2e91c0", "commits": ["4f2e91c0"], "directory": "here"}, "absolute path"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    (mistake,) = CommitDenied().validate(options)
    assert sentence in mistake
