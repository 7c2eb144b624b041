"""``setpoint.model.names`` owns every composed identifier: no other module puts one together or takes one apart."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "setpoint"
PACKAGES = ("model", "durable", "config", "core", "engine", "store", "simulate", "control", "server", "cli")
OWNER = "model/names.py"
TAKING_APART = {"partition", "rpartition", "split", "rsplit"}
AFFIXES = {"startswith", "endswith", "removeprefix", "removesuffix"}
SEPARATORS = {":", "@", "#", "~", "/", "+"}
KINDS = {
    *("admission", "application", "attachment", "attempt", "budget", "channel", "configure", "group", "instance", "invariant"),
    *("lease", "line", "policy", "role", "runtime", "scope", "service", "set", "source", "task", "topic", "user", "wave"),
}
OTHER_TEXTS = {
    "config/difference.py",  # names of gates
    "config/schema.py",  # JSON references
    "config/syntax/",  # paths, and what people write
    "control/documentation.py",  # JSON references
    "control/reading/targets.py",  # what people type
    "engine/embedded/failpoints.py",  # an environment variable
    "model/calendars/zones.py",  # names of time zones
    "model/grammars/",  # images, versions, selectors
}


def parses(path: Path, but: Collection[str] = frozenset(OTHER_TEXTS)) -> list[tuple[str, int]]:
    """(file, line) of each call that takes a text apart at a separator of identifiers, or looks for a ``kind:`` before it."""
    name = path.relative_to(SOURCE).as_posix()
    if name == OWNER or any(name.startswith(other) for other in but):
        return []
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return [(name, call.lineno) for call in calls if isinstance(call.func, ast.Attribute) and _takes_apart(call.func.attr, call)]


def _takes_apart(method: str, call: ast.Call) -> bool:
    texts = [node.value for argument in call.args for node in ast.walk(argument) if isinstance(node, ast.Constant)]
    if method in TAKING_APART:
        return bool(SEPARATORS & {text for text in texts if isinstance(text, str)})
    return method in AFFIXES and any(isinstance(text, str) and text[:-1] in KINDS and text[-1:] == ":" for text in texts)


def formats(path: Path) -> list[tuple[str, int]]:
    """(file, line) of each f-string that begins with ``kind:`` and a value."""
    name = path.relative_to(SOURCE).as_posix()
    if name == OWNER:
        return []
    texts = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.JoinedStr)]
    return [(name, text.lineno) for text in texts if _composes(text)]


def _composes(text: ast.JoinedStr) -> bool:
    first = text.values[0].value if text.values and isinstance(text.values[0], ast.Constant) else ""
    return isinstance(first, str) and first[-1:] == ":" and first[:-1] in KINDS


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((SOURCE / package).rglob("*.py"))]


def test_no_other_module_takes_an_identifier_apart():
    assert [place for path in modules() for place in parses(path)] == []


def test_no_other_module_puts_an_entity_or_a_subject_together():
    assert [place for path in modules() for place in formats(path)] == []


def test_every_exception_is_needed():
    found = {name for path in modules() for name, _ in parses(path, but=set())}
    assert {other for other in OTHER_TEXTS if not any(name.startswith(other) for name in found)} == set()


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('kind, _, key = entity.partition(":")', True),
        ('release = int(entity.rpartition("#")[2].partition("~")[0])', True),
        ('own = subject.startswith(("attempt:", "instance:"))', True),
        ('name = subject.removeprefix("instance:")', True),
        ('word = text.removeprefix("v")', False),
        ('words = text.split(", ")', False),
    ],
)
def test_what_takes_apart_is_recognised(tmp_path, monkeypatch, line, is_found):
    monkeypatch.setattr("tests.house.test_identifiers.SOURCE", tmp_path)
    (tmp_path / "one.py").write_text(line)
    assert bool(parses(tmp_path / "one.py")) is is_found


@pytest.mark.parametrize(
    ("line", "is_found"), [('f"instance:{name}"', True), ('f"topic:{subject}#{topic}"', True), ('f"{name}: {text}"', False)]
)
def test_what_puts_together_is_recognised(tmp_path, monkeypatch, line, is_found):
    monkeypatch.setattr("tests.house.test_identifiers.SOURCE", tmp_path)
    (tmp_path / "one.py").write_text(line)
    assert bool(formats(tmp_path / "one.py")) is is_found
