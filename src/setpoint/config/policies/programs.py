"""What a check or a task does: its arguments, merged and looked up as far as the subject goes, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from setpoint.config.catalog import Catalog
from setpoint.config.documents.gates import ProtectionEntry, TaskEntry
from setpoint.config.documents.protection import Http, ProgramBlock, Runnable
from setpoint.config.instances.parameters import ParameterError, declared_values
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.specs import parameter_samples, release_values
from setpoint.config.policies.builtins import BUILTINS, argument_errors, argument_values
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax import paths
from setpoint.config.syntax.lookups import PLACEHOLDER, Deferred, LookupReport, resolve_tree
from setpoint.config.syntax.merging import merge_maps
from setpoint.config.syntax.trees import Trees
from setpoint.config.syntax.values import as_text, is_secret, plain
from setpoint.config.syntax.yaml import place_of
from setpoint.model.grammars import lookup
from setpoint.model.grammars.images import ABOUT_IMAGES
from setpoint.model.spec import Source


@dataclass(frozen=True)
class RunnableUse:
    """One entry of ``protections`` or ``tasks``, and the document or built-in that it comes to."""

    entry: ProtectionEntry | TaskEntry
    document: Runnable | None
    builtin: str
    """Name of the built-in, if it is one."""

    @property
    def runs(self) -> bool:
        """Whether there is anything to run; what is missing was reported with the references."""
        return self.builtin in BUILTINS or bool(self.document and (self.document.program or self.document.http))

    @property
    def adapter(self) -> str:
        """What runs it: ``program``, ``http`` or a built-in's name."""
        return self.builtin or ("program" if self.document and self.document.program else "http")

    @property
    def template(self) -> dict[str, Any]:
        """What a document of the user's own looks up."""
        if self.document and self.document.program:
            program = self.document.program
            return {"command": program.command, "env": _without_nulls(program.env)}
        return _http_tree(self.document.http) if self.document and self.document.http else {}


@dataclass(frozen=True)
class Resolved:
    """What is to be run, and for which level of subject."""

    level: str
    options: dict[str, Any]
    env: dict[str, str]
    facts: dict[str, str]
    tree: str = ""
    """The files that it is run with."""
    paths: tuple[str, ...] = ()
    """Options that are paths within the tree."""


@dataclass(frozen=True)
class _Options:
    values: dict[str, Any]
    env: dict[str, str] = field(default_factory=dict)
    tree: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resolver:
    """Resolves entries of one configuration; errors go to ``problems``."""

    catalog: Catalog
    root: Path
    problems: Problems
    trees: Trees

    def add(self, code: str, place: Position, message: str, hint: str) -> None:
        """Add an error."""
        self.problems.add(code, place, self.catalog.where_at(place), message, hint)

    def arguments(self, use: RunnableUse) -> dict[str, Any]:
        """``with``: the built-in's defaults, the organization's, the document's, the entry's own; the later win."""
        organization = self.catalog.organization.model if self.catalog.organization else None
        defaults = organization.defaults.get(use.builtin, {}) if organization else {}
        own = BUILTINS[use.builtin].defaults if use.builtin in BUILTINS else {}
        return merge_maps(own, defaults, use.document.with_ if use.document else {}, use.entry.with_)

    def resolve(self, instance: Instance, use: RunnableUse, level: str) -> Resolved | None:
        """None where something is wrong. What looks up an attempt is of the attempt, whatever ``per`` names."""
        arguments = self.arguments(use)
        if _is_of_attempt(use.builtin, arguments, use.template):
            level = "attempt"
        found = self._resolve(instance, use, arguments, level)
        if found is None:
            return None
        facts = instance.facts(level)
        env = found.env | {f"SETPOINT_{root.upper()}": name for root, name in facts.items()}
        return Resolved(level, found.values, env, dict(facts), found.tree, found.paths)

    def text(self, instance: Instance, text: str, level: str) -> str:
        """A text that may look up what the subject has, and the attempt, whose lookups stay as written."""
        known: dict[str, Any] = {}
        report = self._report(instance, level, known, place_of(text))
        known |= (values := instance.values(level, report)) | _placeholders(instance)
        resolve_tree(text, known, report)
        return as_text(resolve_tree(text, values, report, keep=lookup.ATTEMPT_ROOTS))

    def _report(self, instance: Instance, level: str, known: dict[str, Any], place: Position) -> LookupReport:
        where_at = self.catalog.where_at
        return LookupReport(self.problems, where_at, level, sound=instance.sound, known=known, place=place)

    def _resolve(self, instance: Instance, use: RunnableUse, arguments: dict[str, Any], level: str) -> _Options | None:
        known: dict[str, Any] = {}
        report = self._report(instance, level, known, place_of(use.entry.use))
        known |= (values := instance.values(level, report))
        keep: frozenset[str] = frozenset()
        template = use.template
        if level == "attempt":
            keep = lookup.ATTEMPT_ROOTS
            known |= _placeholders(instance)
            resolve_tree([arguments, template], {**known, "with": arguments}, report)
        given = resolve_tree(arguments, values, report, keep=keep)
        if use.builtin:
            return None if report.errors else self._builtin_options(use, arguments, given)
        declared = self._declared(use, given)
        if declared is None:
            return None
        known["with"] = declared
        deferred = Deferred()
        resolved = deferred.show(resolve_tree(template, {**values, "with": deferred.hide(declared)}, report, keep=keep))
        if report.errors or use.document is None:
            return None
        return self._own_options(use.document, resolved)

    def _declared(self, use: RunnableUse, given: dict[str, Any]) -> dict[str, Any] | None:
        if use.document is None or not use.document.parameters:
            return given
        try:
            return declared_values(use.document.parameters, given, "with")
        except ParameterError as error:
            name = use.entry.use
            hint = f"Correct `with` here, or `parameters` of the {use.document.kind}."
            self.add("bad-argument", place_of(name), f'"{name}": {error}', hint)
            return None

    def _builtin_options(self, use: RunnableUse, written: dict[str, Any], given: dict[str, Any]) -> _Options | None:
        errors = argument_errors(use.builtin, given)
        for key, message, hint in errors:
            place = getattr(written.get(key), "position", None) or next(
                (place_of(name) for name in written if name == key and hasattr(name, "position")), place_of(use.entry.use)
            )
            self.add("bad-argument", place, message, hint)
        if errors:
            return None
        options = argument_values(use.builtin, given)
        mutable = options.pop("mutable", False) is True
        tree, inside = "", tuple(sorted(BUILTINS[use.builtin].paths & set(options)))
        for name in inside:
            position = getattr(written[name], "position", place_of(use.entry.use))
            try:
                if mutable or name in BUILTINS[use.builtin].live:
                    options[name] = self._absolute(position.file, options[name])
                else:
                    options[name], tree = self._copied(use.builtin, position.file, options[name])
            except paths.PathError as error:
                self.add(error.code, position, f"{error}", error.hint)
                return None
        return _Options(options, tree=tree, paths=inside if tree else ())

    def _absolute(self, document: str, path: str) -> str:
        return path if path.startswith("/") else paths.absolute(self.root, paths.beside(document, path))

    def _copied(self, builtin: str, document: str, path: str) -> tuple[str, str]:
        """A path within a tree, and the tree."""
        if path.startswith("/"):
            raise paths.PathError(
                "path-outside",
                f'"{path}" does not lie below the configuration, so it cannot be stored with it.',
                "Copy it beside this document, or add `mutable: true`: then an edit takes effect without `apply`.",
            )
        there = paths.beside(document, path)
        named = self.trees.of_migrations if builtin == "db-migrated" else self.trees.of_path
        return there, self.trees.tree(named(there))

    def _own_options(self, document: Runnable, resolved: dict[str, Any]) -> _Options | None:
        if document.http:
            return _Options(_http_options(resolved))
        assert document.program is not None  # noqa: S101 - the two kinds a document may have here
        try:
            program = document.program
            options, tree = self._program(program, [as_text(word) for word in resolved["command"] if word is not None])
        except paths.PathError as error:
            self.add(error.code, place_of(document.program.command), f"{error}", error.hint)
            return None
        variables = {str(name): value for name, value in resolved["env"].items() if value is not None}
        secrets = {name: plain(value) for name, value in variables.items() if is_secret(value)}
        env = {name: as_text(value) for name, value in variables.items() if name not in secrets}
        options |= {"user": as_text(program.user)} if program.user else {}
        inside = ("directory",) if tree else ()
        return _Options(options | ({"secrets": secrets} if secrets else {}), env, tree, inside)

    def _program(self, program: ProgramBlock, command: list[str]) -> tuple[dict[str, Any], str]:
        """What is run where, and the tree that it is run from; none for a mutable one.

        Raises:
            PathError: something is not there, outside, or too much.
        """
        directory = paths.beside(place_of(program.command).file, str(program.directory or "."))
        relative = paths.is_relative_program(command[0])
        path = paths.beside(f"{directory}/_", command[0]) if relative else ""
        if program.mutable:
            first = paths.absolute(self.root, path) if relative else command[0]
            return {"command": [first, *command[1:]], "directory": paths.absolute(self.root, directory)}, ""
        looked_up = "${" in program.command[0]  # what is written out was looked for with the references
        if relative and looked_up and "${" not in path and path not in self.trees.files:
            raise paths.PathError(
                "missing-file",
                f'the program "{path}" is not there, or is not stored with the configuration.',
                "Correct the path, or name its folder as `directory`: all of it is then stored.",
            )
        named = self.trees.of_program([command], directory, whole=program.directory is not None)
        return {"command": command, "directory": directory}, self.trees.tree(named, directory)


class _AnyLabel(dict[str, str]):
    """The labels of a release, which only it knows."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - the shape of a map
        return PLACEHOLDER


def _placeholders(instance: Instance) -> dict[str, Any]:
    """Something for everything that an attempt can look up."""
    release = {"id": PLACEHOLDER, "author": PLACEHOLDER, "reason": PLACEHOLDER, "labels": _AnyLabel({"": ""})}
    found = release_values(PLACEHOLDER, parameter_samples(instance), Source(PLACEHOLDER, PLACEHOLDER, PLACEHOLDER))
    return found | {"release": release, "attempt": {"id": PLACEHOLDER}, "good": PLACEHOLDER, "current": PLACEHOLDER}


def _without_nulls(env: AnyMapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in env.items() if value is not None}


def _http_tree(http: Http) -> dict[str, Any]:
    tree = {"url": http.url, "method": http.method, "headers": http.headers, "body": http.body, "status": http.status}
    return {key: value for key, value in tree.items() if value}


def _http_options(resolved: dict[str, Any]) -> dict[str, Any]:
    texts = {key: as_text(value) for key, value in resolved.items() if key != "headers"}
    headers = {str(name): plain(it) if is_secret(it) else as_text(it) for name, it in resolved.get("headers", {}).items()}
    return texts | ({"headers": headers} if headers else {})


def _is_of_attempt(builtin: str, arguments: dict[str, Any], template: dict[str, Any]) -> bool:
    """An address is that of one instance's attempt, too, and so is an image: its digest belongs to the version (§10.7)."""
    looked_up = lookup.roots(arguments) | lookup.roots(template)
    own = builtin in ABOUT_IMAGES or (builtin == "http-probe" and "path" in arguments)
    return own or bool(looked_up & lookup.ATTEMPT_ROOTS)
