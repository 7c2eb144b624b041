"""The program of ``commit-denied``: checks with git whether a commit contains one of those denied."""

from __future__ import annotations

import subprocess

from setpoint.model.checks import Outcome
from setpoint.programs.text import last_line
from setpoint.protections.programs.verdict import CheckError, answer, read_job

_SHOWN = 12


def main() -> None:
    """Run the job on standard input."""
    job = read_job()
    try:
        outcome, reason = judge(Clone(job["directory"]), job["commit"], job["denied"])
    except CheckError as error:
        outcome, reason = error.outcome, error.reason
    answer(outcome, reason)


class Clone:
    """A repository on this machine. Every question raises CheckError where git cannot answer it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def _git(self, *arguments: str, stdin: str = "", answers: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", self._directory, *arguments]
        try:
            ended = subprocess.run(command, input=stdin, capture_output=True, text=True, errors="replace", check=False)
        except FileNotFoundError:
            raise CheckError(Outcome.MISCONFIGURED, "git is not on PATH: install it where the engine runs") from None
        if ended.returncode not in answers:
            cause = last_line(ended.stderr) or f"exit {ended.returncode}"
            raise CheckError(Outcome.MISCONFIGURED, f"git cannot read {self._directory}: {cause}")
        return ended

    def is_shallow(self) -> bool:
        """Whether history was cut off when it was cloned."""
        return self._git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"

    def commits(self, names: list[str]) -> dict[str, str]:
        """What each name stands for: a whole commit, or "" where the clone has none such.

        Raises:
            CheckError: a name that several objects begin with.
        """
        queries = "".join(f"{name}^{{commit}}\n" for name in names)
        lines = self._git("cat-file", "--batch-check=%(objectname)", stdin=queries).stdout.splitlines()
        for name, line in zip(names, lines, strict=True):
            if line.endswith(" ambiguous"):
                raise CheckError(Outcome.MISCONFIGURED, f"{name} is the beginning of several objects: write more of it")
        return {name: "" if line.endswith(" missing") else line for name, line in zip(names, lines, strict=True)}

    def contains(self, commit: str, earlier: str) -> bool:
        """Whether ``earlier`` is ``commit`` or one of its ancestors."""
        return self._git("merge-base", "--is-ancestor", earlier, commit, answers=(0, 1)).returncode == 0


def judge(clone: Clone, commit: str, denied: list[str]) -> tuple[Outcome, str]:
    """Whether the commit contains one of the denied: what a whole clone does not have, none of its commits contains."""
    shallow = clone.is_shallow()
    found = clone.commits([commit, *denied])
    if not found[commit]:
        return Outcome.UNAVAILABLE, f"the clone does not have commit {commit[:_SHOWN]}: fetch it there"
    for name in denied:
        if found[name] and clone.contains(found[commit], found[name]):
            return Outcome.BLOCKING, f"commit {commit[:_SHOWN]} contains {name[:_SHOWN]}, which is denied"
    if shallow:
        return Outcome.UNAVAILABLE, "the clone is shallow, so what a commit contains is not known: fetch all of its history there"
    return Outcome.PASSING, f"commit {commit[:_SHOWN]} contains none of the {len(denied)} denied"


if __name__ == "__main__":
    main()
