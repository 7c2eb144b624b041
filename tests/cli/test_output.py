"""What others wrote reaches the terminal without control characters, whatever prints it."""

from __future__ import annotations

import ast
import io
import json
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML
from tests.cli.parser import leaves

from setpoint.cli import output
from setpoint.cli.ending import Quit
from setpoint.cli.main import app
from setpoint.cli.render import console
from setpoint.cli.session import Session
from setpoint.control import control as _registers_everything
from setpoint.control.dry_run import Rehearsed
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS
from setpoint.model.grammars.text import UNSAFE, clean

assert _registers_everything
CANARY = "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J\u202etxt\x7f\r\x00"
SOURCE = Path(output.__file__).parent
EXITS = {SOURCE / "output.py", SOURCE / "render" / "console.py"}
PRINTING = {"click.echo", "click.secho", "click.echo_via_pager"}
QUIET = {"isatty", "fileno", "flush"}
"""What a module may use of a standard stream without printing."""


def unsafe(printed: str) -> list[str]:
    return [one for one in UNSAFE.findall(printed) if one not in "\n\t"]


# --- one exit


@pytest.mark.parametrize("path", sorted(set(SOURCE.rglob("*.py")) - EXITS), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_other_module_prints(path: Path) -> None:
    assert list(_prints(ast.parse(path.read_text("utf-8")))) == []


def _prints(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "Console"}:
            yield f"{node.lineno}: {node.func.id}"
        if isinstance(node, ast.Attribute):
            named = ast.unparse(node)
            stream = named.rpartition(".")[0] in {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
            if named in PRINTING or (stream and node.attr not in QUIET):
                yield f"{node.lineno}: {named}"


def test_the_search_finds_what_prints() -> None:
    assert len(list(_prints(ast.parse("print(1); click.echo(2); sys.stdout.write(3); Console(); sys.stdout.isatty()")))) == 4


# --- the exit


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_a_clean_text_has_no_unsafe_character_and_everything_else(text: str) -> None:
    assert not unsafe(clean(text))
    assert clean(text) == "".join(one for one in text if one in "\n\t" or not UNSAFE.fullmatch(one))
    assert clean(clean(text)) == clean(text)


def test_text_is_cleaned_and_data_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"why": CANARY, "list": [CANARY], CANARY: "é – 世界"}
    output.echo(f"why: {CANARY}")
    output.echo(CANARY, err=True)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("why: [31mred[0m]0;title2Jtxt\n", "[31mred[0m]0;title2Jtxt\n")
    output.echo_json(data)
    as_json = capsys.readouterr().out
    assert not unsafe(as_json)
    assert json.loads(as_json) == data
    output.echo_yaml(data)
    as_yaml = capsys.readouterr().out
    assert not unsafe(as_yaml)
    assert YAML(typ="safe", pure=True).load(as_yaml) == data
    output.echo_yaml({"name": "é – 世界"})
    assert capsys.readouterr().out == "{name: é – 世界}\n"


def test_styles_are_the_only_escape_sequences_of_a_screen() -> None:
    screen = io.StringIO()
    terminal = type(console.out())(file=screen, force_terminal=True, color_system="standard", width=200)
    table = Table("title" + CANARY, CANARY)
    table.add_row(CANARY, Text(CANARY, "bold"))
    for one in (CANARY, Text(CANARY, "red"), Text.assemble((CANARY, "bold"), CANARY), table):
        terminal.print(one)
    styled = screen.getvalue()
    own = io.StringIO()
    plain = Console(file=own, force_terminal=True, color_system="standard", width=200)
    safe = clean(CANARY)
    table = Table("title" + safe, safe)
    table.add_row(safe, Text(safe, "bold"))
    for one in (safe, Text(safe, "red"), Text.assemble((safe, "bold"), safe), table):
        plain.print(one)
    assert styled == own.getvalue()
    assert "\x1b[31m" in styled


# --- every command, with a canary in every text that the engine returns


class Poisoned:
    """A client whose engine returns a canary in each text that it does not take apart."""

    def command(self, name: str, payload: object = None, *, request: str = "") -> Any:
        return sample(COMMANDS[name].answer)

    def query(self, name: str, payload: object = None) -> Any:
        return sample(QUERIES[name].answer)

    def rehearse(self, name: str, payload: object = None) -> Any:
        return {**sample(Rehearsed), "answer": sample(COMMANDS[name].answer)}

    def stream(self, name: str, parameters: object = None) -> Iterator[Any]:
        yield sample(STREAMS[name].answer)


NAMES = {"instance", "instances", "entity", "entities", "target", "subject", "scope", "followers", "leaves", "id", "also"}
"""Fields with names of entities, which screens take apart."""

TAKEN_APART = {"story": {"entity": CANARY, "turns": [CANARY]}, "kind": "running"}
"""Fields whose values screens choose by."""


def sample(model: type[BaseModel]) -> dict[str, Any]:
    """One answer, with a canary in every text."""
    return {name: _sample(name, field.annotation) for name, field in model.model_fields.items()}


def _sample(name: str, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if name in TAKEN_APART:
        return TAKEN_APART[name]
    if kind is str or kind is Any:
        return f"saas/web@staging{CANARY}" if name in NAMES else f"text{CANARY}"
    if origin is Literal:
        return arguments[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return sample(kind)
    if origin in {Union, types.UnionType}:
        return _sample(name, arguments[0])
    if origin in {list, tuple}:
        return [_sample(name, arguments[0])]
    if origin is dict:
        key = f"saas/web@staging{CANARY}"
        return {key: _sample(name, arguments[1])}
    return {bool: True, int: 1, float: 1.0}.get(kind, f"text{CANARY}")


LOCAL = {"up", "down", "replay", "simulate", "validate", "schema", "doctor", "apply", "top", "watch", "release", "completion"}
"""Commands that run without an engine's answer alone; the search above covers them."""
SHOWN = {words: one for words, one in leaves() if words[0] not in LOCAL}
FORMS = [(words, form) for words in sorted(SHOWN) for form in ("table", "json", "yaml") if (words, form) != (("story",), "table")]


@pytest.mark.parametrize(("words", "form"), FORMS, ids=lambda one: one if isinstance(one, str) else " ".join(one))
def test_no_canary_leaves_a_command(words: tuple[str, ...], form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connected(self: Session) -> Iterator[Any]:
        yield Poisoned()

    monkeypatch.setattr(Session, "connected", connected)
    console.out.cache_clear()
    console.err.cache_clear()
    done = CliRunner().invoke(app, [*words, *_arguments(SHOWN[words]), "--output", form])
    console.out.cache_clear()
    console.err.cache_clear()
    assert unsafe(done.output) == []
    assert done.exception is None or isinstance(done.exception, SystemExit | Quit), (done.exception, done.exc_info)
    assert "red" in done.output or words in {("adopt",), ("cancel",), ("resume",)}  # which print what was typed


def _arguments(command: Any) -> list[str]:
    found = []
    for one in command.params:
        if one.required:
            value = "web=1.0" if one.nargs != 1 or one.name in {"services", "version"} else "web@staging"
            value = "1" if one.name == "release" else value
            found += [value] if one.param_type_name == "argument" else [one.opts[0], "1"]
    return found
