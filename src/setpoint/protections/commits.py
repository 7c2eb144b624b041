"""The built-in ``commit-denied``: a release is not from a commit on a list, nor from one that contains it.

What a commit contains is looked up in a clone in a directory of this machine. It is read only, and never fetched into.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.grammars.commits import may_be_same, parse_commit
from setpoint.programs.text import printable
from setpoint.protections.options import Options, as_text, unresolved
from setpoint.protections.programs.verdict import run_module

SHOWN_CHARACTERS = 12
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}
"""What keeps git from prompting, writing and fetching, and from taking one commit for another."""


class CommitDenied:
    """Options: ``commits``, the list · ``commit``, what the release is from · ``directory`` of a clone, to ask what it contains.

    Without ``directory`` only the commit itself is looked for. A shortened commit stands for every one that begins with it.
    """

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        commit = parse_commit(as_text(check.options["commit"]))
        denied = [parse_commit(as_text(one)) for one in _several(check.options["commits"])]
        if found := next((one for one in denied if may_be_same(one, commit)), ""):
            return CheckResult(Outcome.BLOCKING, f"commit {commit[:SHOWN_CHARACTERS]} is denied (as {found[:SHOWN_CHARACTERS]})")
        directory = as_text(check.options.get("directory") or "")
        if not directory:
            return CheckResult(Outcome.PASSING, f"commit {commit[:SHOWN_CHARACTERS]} is none of the {len(denied)} denied")
        job = {"directory": directory, "commit": commit, "denied": denied}
        return await run_module("setpoint.protections.programs.commits", job, replace(check, env=check.env | _QUIET))

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"commits", "commit", "directory"})
        read.directory("directory")
        commit = read.text("commit")
        if not commit:
            read.wrong.append("commit is missing: the release does not name the one it is from (--commit)")
        return read.wrong + _mistake("commit", commit) + _list_mistakes(options.get("commits"))


def _several(commits: Any) -> list[Any]:
    return commits if isinstance(commits, list) else [commits]


def _list_mistakes(commits: Any) -> list[str]:
    if commits is None or commits in ("", []):
        return ["commits names no commit"]
    wrong: list[str] = []
    for number, one in enumerate(_several(commits)):
        if isinstance(one, bool | dict | list) or one is None:
            wrong.append(f"commits[{number}] must be text")
        else:
            wrong += _mistake(f"commits[{number}]", as_text(one))
    return wrong


def _mistake(name: str, text: str) -> list[str]:
    if not text or unresolved(text):
        return []
    try:
        parse_commit(text)
    except ValueError as error:
        return [f"{name}: {error}"]
    return []
