"""Only ``setpoint.durable.files`` changes a file system: the tests that make each of its calls fail know every write."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "setpoint"
WRITER = SOURCE / "durable" / "files.py"
METHODS = {
    "chmod",
    "chown",
    "fsync",
    "ftruncate",
    "hardlink_to",
    "link",
    "makedirs",
    "mkdir",
    "mkdtemp",
    "mkstemp",
    "pwrite",
    "removedirs",
    "rename",
    "renames",
    "rmdir",
    "rmtree",
    "symlink",
    "symlink_to",
    "touch",
    "truncate",
    "unlink",
    "utime",
    "write_bytes",
    "write_text",
}
FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}
ALLOWED = {
    ("runtimes/process/replicas/probes.py", "open"),  # /dev/null
    ("runtimes/process/supervision/daemon.py", "open"),  # /dev/null
    ("cli/main.py", "open"),  # /dev/null
}


def writes(path: Path) -> list[tuple[str, str, int]]:
    """(file, what is called, line) of each call that changes a file system, the ones of the writer aside."""
    name = str(path.relative_to(SOURCE))
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return [(name, called, call.lineno) for call in calls if (called := _written(call)) and (name, called) not in ALLOWED]


def _written(call: ast.Call) -> str:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in {"files", "durable"}:
        return ""
    if name == "open":
        return name if _opens_for_writing(call) else ""
    if name == "replace":  # of a path: of a text it has two arguments, of a time only named ones
        return name if len(call.args) == 1 and not call.keywords else ""
    return name if name in METHODS else ""


def _opens_for_writing(call: ast.Call) -> bool:
    flags = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
    modes = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return bool(flags & FLAGS) or any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes if mode)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_other_module_writes_a_file(path: Path) -> None:
    if path != WRITER:
        assert writes(path) == []


def test_the_search_finds_what_it_is_for() -> None:
    found = {called for _, called, _ in writes(WRITER)}
    assert {"open", "replace", "unlink", "mkdir", "rmtree", "truncate", "fsync"} <= found
