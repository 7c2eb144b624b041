"""Every command that a page shows is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from tests.cli.parser import subcommands

from setpoint.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
SCREEN = re.compile(r"```console\n(.*?)```", re.DOTALL)
SUBSTITUTION = re.compile(r"\w+=\$\((setpoint [^)]*)\)")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


def in_blocks(text: str) -> list[list[str]]:
    """The arguments of each `setpoint …` in a block of shell, or at the prompt of a screen."""
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    lines = [SUBSTITUTION.sub(r"\1", line) for line in lines]
    lines += [line[2:] for screen in SCREEN.findall(text) for line in screen.splitlines() if line.startswith("$ ")]
    return [words[1:] for line in lines if (words := words_of(line)) and words[0] == "setpoint"]


def words_of(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    return words[: words.index(">")] if ">" in words else words


SHOWN = [
    pytest.param(arguments, id=f"{page.relative_to(ROOT)}: {' '.join(arguments)}")
    for page in PAGES
    for arguments in in_blocks(page.read_text("utf-8"))
]


def test_the_pages_show_commands():
    assert len(SHOWN) > 40


@pytest.mark.parametrize("arguments", SHOWN)
def test_a_command_that_is_shown_is_understood(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    command, rest = found([str(tmp_path) if argument == "DIR" else argument for argument in arguments])
    command.make_context(None, rest).close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_is_mentioned_exists(page):
    for mention in re.findall(r"`setpoint ([a-z][^`]*)`", page.read_text("utf-8")):
        found(shlex.split(mention))


def found(arguments):
    """The command itself and what is left for it; it is not run."""
    command: click.Command = app
    while arguments and (known := subcommands(command)):
        name, *arguments = arguments
        assert name in known, f"there is no command {name}"
        command = known[name]
    return command, arguments
