"""Every file that a document names is stored by content: of all fields, none may escape (§10.6)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from setpoint.config import documents
from setpoint.config.compile import CompiledConfiguration, check, load
from setpoint.config.documents import Node, channel, protection, runtime, service, workloads
from setpoint.config.documents.workloads import Command, PathTemplate
from setpoint.config.files import collect
from setpoint.config.policies.builtins import BUILTINS
from setpoint.config.syntax import paths
from setpoint.config.syntax.trees import locations
from setpoint.model.trees import Tree

APPLICATION = "kind: Application\nname: shop\nchannels: {name: staging%s}\n---\n"
SERVICE = "kind: Service\napplication: shop\nname: web\n%s\n---\n"
PLAIN = "process: {command: [server]}"


@dataclass
class Case:
    """A configuration that names ``file`` by one field."""

    text: str
    file: str = "a/named"
    more: dict[str, str] = field(default_factory=dict)


def gate(what: str, block: str) -> Case:
    entry = ", tasks: {use: mine, at: pre-deployment}" if what == "Task" else ", protections: mine"
    return Case(APPLICATION % entry + SERVICE % PLAIN + f"kind: {what}\nname: mine\n{block}")


def service_of(block: str, kind: str = "", **more: str) -> Case:
    fitting = ", runtime: place" if kind else ""
    runtime_of = f"kind: Runtime\nname: place\n{kind}: {{}}\n" if kind else "x-none: 1\n"
    return Case(APPLICATION % fitting + SERVICE % block + runtime_of, more=more)


def custom(commands: str) -> Case:
    runtime_of = f"kind: Runtime\nname: place\ncustom: {{{commands}}}\n"
    return Case(APPLICATION % ", runtime: place" + SERVICE % "custom: {}" + runtime_of)


def builtin(use: str, with_: str, **more: str) -> Case:
    return Case(APPLICATION % f", protections: {{use: {use}, with: {{{with_}}}}}" + SERVICE % PLAIN, more=more)


INI = "[alembic]\nscript_location = scripts\nversion_locations = %(here)s/one %(here)s/two\n"
CASES = {
    "Program.command": gate("Protection", "program: {command: [./a/named]}"),
    "Program.command of a task": gate("Task", "program: {command: [sh, a/named]}"),
    "Program.command, an option": gate("Task", "program: {command: [sh, --rules=a/named]}"),
    "Program.command, a directory": gate("Protection", "program: {command: [pytest, a/]}"),
    "Program.directory": gate("Protection", "program: {command: [./other], directory: a}"),
    "CustomRuntime.apply": custom("apply: [./a/named]"),
    "CustomRuntime.fetch": custom("apply: [x], fetch: [./a/named]"),
    "CustomRuntime.info": custom("apply: [x], info: [./a/named]"),
    "CustomRuntime.remove": custom("apply: [x], remove: [sh, a/named]"),
    "CustomRuntime.directory": custom("apply: [x], directory: a"),
    "Process.command": service_of("process: {command: [python, a/named]}"),
    "Process.directory": service_of("process: {command: [python, named], directory: a}"),
    "Health.command": service_of("process: {command: [server], health: {command: [sh, a/named]}}"),
    "Kubernetes.manifests": service_of("kubernetes: {manifests: a}", "kubernetes"),
    "Kubernetes.kustomize": service_of("kubernetes: {kustomize: a}", "kubernetes"),
    "Helm.chart": service_of("helm: {chart: a}", "kubernetes"),
    "Helm.values_files": service_of("helm: {chart: x/y, valuesFiles: a/named}", "kubernetes"),
    "Terraform.directory": service_of("terraform: {directory: a}", "terraform"),
    "image-signed.key": builtin("image-signed", "image: 'r/web:1', key: a/named"),
    "image-signed.key of each channel": Case(
        APPLICATION % ", protections: {use: image-signed, with: {image: 'r/web:1', key: 'a/${channel.name}'}}" + SERVICE % PLAIN,
        "a/staging",
    ),
    "db-migrated.directory": builtin("db-migrated", "directory: a, url: 'sqlite:////x.db'"),
    "db-migrated.config": builtin("db-migrated", "config: 'a/${version}.ini', url: 'sqlite:////x.db'"),
    "db-migrated.config, its scripts": Case(
        APPLICATION % ", protections: {use: db-migrated, with: {config: p/alembic.ini, url: 'sqlite:////x.db'}}"
        + SERVICE % PLAIN,
        "p/two/named",
        {"p/alembic.ini": INI, "p/scripts/env.py": "", "p/one/x.py": ""},
    ),
}
ELSEWHERE = {
    "Each.items_from": "it is read at apply, as documents are",
    "Container.command": "it runs inside of its image",
    "commit-denied.directory": "what a commit contains cannot change under its name",
}


def fields() -> Iterator[str]:
    """Each field of a document that can name a file, and each such argument of a built-in."""
    marks = [get_args(kind)[1] for kind in (Command, PathTemplate, workloads.Path)]
    for module in (workloads, protection, runtime, service, channel, documents):
        for _, model in inspect.getmembers(module, inspect.isclass):
            if issubclass(model, Node):
                for field_name, info in model.model_fields.items():
                    found = [*info.metadata, *_metadata(info.annotation)]
                    if any(mark is one for mark in marks for one in found):
                        yield f"{model.title()}.{field_name}"
    for name, one in BUILTINS.items():
        yield from (f"{name}.{argument}" for argument in one.paths)


def _metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _metadata(argument)


def test_each_field_that_names_files_is_among_the_cases() -> None:
    known = {name.partition(" ")[0].rstrip(",") for name in CASES} | ELSEWHERE.keys()
    assert set(fields()) | {"Helm.chart"} == known


def write(root: Path, case: Case, content: str = "#!/bin/sh\n") -> Path:
    for name, text in {"setpoint.yaml": case.text, "a/other": "#!/bin/sh\n", case.file: content, **case.more}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644 if name.endswith(".yaml") else 0o755)
    return root


def decides(configuration: CompiledConfiguration) -> bytes:
    """Everything that is given to the engine: policies, what runs, runtimes."""
    (instance,) = configuration.all_instances
    spec = configuration.compile(instance, "1", {})
    return msgspec.json.encode([configuration.policy(instance), spec, configuration.runtimes])


def stored(configuration: CompiledConfiguration) -> set[str]:
    """Paths of all that is stored by content for the engine's use."""
    (instance,) = configuration.all_instances
    found = set(configuration.compile(instance, "1", {}).files)
    return found.union(*(Tree.decode(content).files for content in configuration.trees.contents.values()))


@pytest.mark.parametrize("name", CASES)
def test_it_is_stored_by_content_and_used_from_there(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    before = load(write(tmp_path / "here", case))
    assert case.file in stored(before)
    assert str(tmp_path).encode() not in decides(before), "nothing leads back to the directory"
    assert collect(tmp_path / "here")[case.file] == b"#!/bin/sh\n"
    assert decides(load(write(tmp_path / "there", case))) == decides(before), "the same wherever it lies"
    after = load(write(tmp_path / "here", case, "#!/bin/sh\nexit 1\n"))
    assert decides(after) != decides(before), "an edit is a change"


@pytest.mark.parametrize("name", [name for name in CASES if "Kubernetes" not in name and "Helm" not in name])
def test_no_pipe_no_device_and_no_link_out_of_the_directory_is_stored(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    root = write(tmp_path / "root", case)
    named = root / case.file
    (tmp_path / "outside").write_text("#!/bin/sh\n")
    for make in (lambda: os.mkfifo(named), lambda: named.symlink_to("/dev/null"), lambda: named.symlink_to("../../outside")):
        named.unlink()
        make()
        assert check(root), name


@pytest.mark.parametrize("name", ["Program.directory", "Program.command", "db-migrated.directory", "CustomRuntime.directory"])
def test_what_is_too_large_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MAX_TOTAL", 8)
    problems = check(write(tmp_path, CASES[name]))
    assert "directory-too-large" in {problem.code for problem in problems}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("Program.command", "command:", "mutable: true, command:"),
        ("Program.directory", "command:", "mutable: true, command:"),
        ("CustomRuntime.apply", "custom: {apply", "custom: {mutable: true, apply"),
        ("image-signed.key", "key:", "mutable: true, key:"),
        ("db-migrated.config", "config:", "mutable: true, config:"),
    ],
)
def test_what_is_mutable_is_used_where_it_lies_and_said_to_be(tmp_path: Path, name: str, old: str, new: str) -> None:
    case = CASES[name]
    mutable = Case(case.text.replace(old, new), case.file)
    configuration = load(write(tmp_path, mutable))
    assert str(tmp_path).encode() in decides(configuration)
    assert case.file not in stored(configuration)
    assert any("mutable" in notice for notice in configuration.notices)
    assert not any("mutable" in notice for notice in load(write(tmp_path, case)).notices)


@pytest.mark.parametrize("path", ["/etc/cosign.pub", "../cosign.pub"])
def test_a_key_outside_of_the_directory_is_refused(tmp_path: Path, path: str) -> None:
    case = builtin("image-signed", f"image: 'r/web:1', key: {path}")
    assert [problem.code for problem in check(write(tmp_path, case))] == ["path-outside"]


def test_an_executable_bit_is_part_of_what_was_applied(tmp_path: Path) -> None:
    root = write(tmp_path, CASES["Program.command"])
    before = load(root)
    (root / "a/named").chmod(0o644)
    after = load(root)
    assert before.digest != after.digest
    (tree,) = (Tree.decode(content) for content in before.trees.contents.values())
    assert tree.files["a/named"].executable
    (tree,) = (Tree.decode(content) for content in after.trees.contents.values())
    assert not tree.files["a/named"].executable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (INI, ["p/scripts", "p/one", "p/two"]),
        ("[alembic]\nscript_location = %(here)s\nversion_locations = a:b\npath_separator = os\n", ["p", "p/a", "p/b"]),
        ("[alembic]\nscript_location = package:scripts\n", []),
        ("[alembic]\nscript_location = ../../x\n", []),
        ("[alembic]\nscript_location = %(nothing)s\n", []),
        ("[other]\n", []),
        ("no ini", []),
    ],
)
def test_an_alembic_ini_names_its_scripts(text: str, expected: list[str]) -> None:
    assert locations("p/alembic.ini", text.encode()) == expected
    assert locations("p/other", text.encode()) == []
