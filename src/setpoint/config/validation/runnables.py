"""Checks of what runs: runtimes, protections and tasks have one type each, and their programs are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import RuntimeDocument, TaskDocument
from setpoint.config.documents.protection import Runnable
from setpoint.config.documents.runtime import RUNTIME_TYPES
from setpoint.config.documents.validate import locate
from setpoint.config.policies.builtins import BUILTINS, ORDERINGS
from setpoint.config.problems import Problems
from setpoint.config.syntax import paths
from setpoint.config.syntax.yaml import place_of
from setpoint.config.validation.naming import Naming


def check_runnables(catalog: Catalog, files: Mapping[str, bytes], problems: Problems) -> None:
    """Errors go to ``problems``."""
    runnables = _Runnables(catalog, files, problems)
    for runtime in catalog.runtimes.values():
        runnables.runtime(runtime)
    for protection in catalog.protections.values():
        runnables.runnable(protection, "protection")
    for task in catalog.tasks.values():
        runnables.runnable(task, "task")
        runnables.task(task)


class _Runnables(Naming):
    def __init__(self, catalog: Catalog, files: Mapping[str, bytes], problems: Problems) -> None:
        super().__init__(catalog, problems)
        self._files = files

    def runtime(self, entry: CatalogEntry[RuntimeDocument]) -> None:
        found = [name for name in RUNTIME_TYPES if name in entry.tree]
        if len(found) != 1:
            used = f"{' and '.join(found)} together" if found else "none"
            self.add(
                "one-runtime-type",
                entry.tree.position,
                entry.label,
                f"a runtime has exactly one type, but this one has {used}.",
                f"Write one of {', '.join(f'`{name}:`' for name in RUNTIME_TYPES)}.",
            )
        elif entry.name == "local" and found != ["local"]:
            self.add(
                "reserved-name",
                locate(entry.tree, ("name",)),
                entry.label,
                'the runtime "local" is built in and runs processes.',
                "Choose another name for this one.",
            )

    def runnable(self, entry: CatalogEntry[Any], what: str) -> None:
        place = locate(entry.tree, ("name",))
        if what == "protection" and entry.name in BUILTINS:
            self.add(
                "reserved-name",
                place,
                entry.label,
                f'"{entry.name}" is the name of a built-in protection.',
                "Choose another name, such as one that describes its purpose.",
            )
        found = [name for name in ("program", "http", "use") if name in entry.tree]
        if len(found) != 1 and "container" not in entry.tree:
            used = f"{' and '.join(found)} together" if found else "none"
            self.add(
                "one-check-type",
                entry.tree.position,
                entry.label,
                f"a {what} has exactly one of program, http and use, but this one has {used}.",
                f"Write one, such as `program: {{command: [./{'check' if what == 'protection' else 'migrate'}]}}`.",
            )
        if entry.model is None:
            return
        if entry.model.use:
            self.builtin(entry.model.use, BUILTINS, entry.label, "use")
        if entry.model.program:
            self._program(entry, entry.model)
        elif "exitCodes" in entry.tree:
            place, message = locate(entry.tree, ("exitCodes",)), "only programs have exit codes."
            self.add("exit-codes-without-program", place, entry.label, message, "Remove `exitCodes`.")

    def task(self, entry: CatalogEntry[TaskDocument]) -> None:
        if entry.model and entry.model.timeout == 0:
            place, hint = locate(entry.tree, ("timeout",)), "Write a duration above 0, such as 10m."
            self.add("no-time-to-run", place, entry.label, "a timeout of 0 leaves no time to run.", hint)
        if entry.model and entry.model.use in ORDERINGS:
            message = f'"{entry.model.use}" is an ordering: it waits for others and has no action of its own.'
            self.add("ordering-as-task", entry.model.use, entry.label, message, "Use it in `protections`, or write `after`.")

    def _program(self, entry: CatalogEntry[Any], runnable: Runnable) -> None:
        program = runnable.program
        if program is None or "${" in program.command[0] or not paths.is_relative_program(program.command[0]):
            return
        file = place_of(program.command).file
        try:
            directory = paths.beside(file, str(program.directory or "."))
            path = paths.beside(f"{directory}/_", program.command[0])
        except paths.PathError as error:
            self.add(error.code, program.command[0], entry.label, str(error), error.hint)
            return
        if path not in self._files:
            self.add(
                "missing-file",
                program.command[0],
                entry.label,
                f'the program "{path}" is not there.',
                "Correct the path: it is relative to this document; programs on PATH are named without a slash.",
            )
