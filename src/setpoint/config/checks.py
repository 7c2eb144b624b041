"""From one entry of ``protections`` to the check that is run: arguments merged and looked up as far as the subject goes."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from setpoint.config import paths
from setpoint.config.builtins import BUILTINS, argument_mistakes
from setpoint.config.catalog import Catalog
from setpoint.config.documents import Protection
from setpoint.config.documents.gates import Deploys, Holds, Phases, ProtectionEntry, Verifies
from setpoint.config.documents.protection import Http
from setpoint.config.lookups import PLACEHOLDER, Deferred, LookupReport, resolve_tree
from setpoint.config.merging import merge_maps
from setpoint.config.parameters import ParameterError, declared_values
from setpoint.config.problems import Position, Problems
from setpoint.config.scope import Instance
from setpoint.config.specs import parameter_samples, release_values
from setpoint.config.values import as_text, plain
from setpoint.config.yaml import place_of
from setpoint.model import lookup
from setpoint.model.checks import CheckDefinition
from setpoint.model.policy import CheckUse, Phase
from setpoint.model.selector import Selector
from setpoint.model.spec import Source
from setpoint.model.time import SECOND, format_duration


@dataclass(frozen=True)
class CheckCompiler:
    """Compiles checks of one configuration; mistakes go to ``problems``."""

    catalog: Catalog
    root: Path
    problems: Problems

    def uses(self, instance: Instance, entry: ProtectionEntry, name: str, level: str, when: Selector | None) -> list[CheckUse]:
        """One use for each phase of ``at``; none where the entry is wrong."""
        check = self._definition(instance, entry, level)
        if check is None:
            return []
        document = self._document(entry)
        phases = phase_options(entry.at or (document.at if document else None)) or default_phases(self.builtin(entry))
        return [_use(name, check, entry, phase, options, when) for phase, options in phases.items()]

    def builtin(self, entry: ProtectionEntry) -> str:
        """Name of the built-in that the entry comes to, if it is one."""
        document = self._document(entry)
        return str(document.use or "") if document else str(entry.use) if entry.use in BUILTINS else ""

    def _add(self, code: str, place: Position, message: str, hint: str) -> None:
        self.problems.add(code, place, self.catalog.where_at(place), message, hint)

    def _document(self, entry: ProtectionEntry) -> Protection | None:
        found = self.catalog.protections.get(str(entry.use))
        return found.model if found else None

    def arguments(self, entry: ProtectionEntry) -> dict[str, Any]:
        """``with``: organization's defaults, the Protection's, the entry's own; the later win."""
        document, builtin = self._document(entry), self.builtin(entry)
        organization = self.catalog.organization.model if self.catalog.organization else None
        defaults = organization.defaults.get(builtin, {}) if organization else {}
        return merge_maps(defaults, document.with_ if document else {}, entry.with_)

    def _definition(self, instance: Instance, entry: ProtectionEntry, level: str) -> CheckDefinition | None:
        document, builtin = self._document(entry), self.builtin(entry)
        if not (builtin in BUILTINS or (document and (document.program or document.http))):
            return None
        arguments, template = self.arguments(entry), _template(document)
        if _is_of_attempt(builtin, arguments, template):
            level = "attempt"
        resolved = self._resolve(instance, entry, arguments, template, level)
        if resolved is None:
            return None
        options, env = resolved
        interval, timeout, max_age = self._times(entry, document)
        return CheckDefinition(
            protection=str(entry.use),
            use=builtin or ("program" if document and document.program else "http"),
            subject=instance.subject(level),
            options=options,
            env=env | ({f"SETPOINT_{root.upper()}": name for root, name in instance.facts(level).items()}),
            facts=instance.facts(level),
            interval=interval,
            timeout=timeout,
            max_age=max_age,
        )

    def _times(self, entry: ProtectionEntry, document: Protection | None) -> tuple[int, int, int]:
        interval = entry.interval if entry.interval is not None else document.interval if document else 60 * SECOND
        timeout = entry.timeout if entry.timeout is not None else document.timeout if document else 30 * SECOND
        least = 2 * interval + timeout
        given = entry.max_age if entry.max_age is not None else document.max_age if document else None
        if interval == 0 or timeout == 0:
            self._add(
                "no-time-to-check",
                place_of(entry.use),
                f'"{entry.use}" has an interval or timeout of 0.',
                "Write durations above 0, such as 60s and 30s.",
            )
        elif given is not None and given < least:
            shown = format_duration(least)
            message = (
                f'"{entry.use}": `maxAge` of {format_duration(given)} is below twice the interval plus the timeout ({shown}).'
            )
            self._add(
                "max-age-too-small",
                place_of(entry.use),
                message,
                f"Write {format_duration(least)} or more, or leave it out: two slow checks would never be fresh together.",
            )
        return interval, timeout, given if given is not None else least

    def _resolve(
        self,
        instance: Instance,
        entry: ProtectionEntry,
        arguments: dict[str, Any],
        template: dict[str, Any],
        level: str,
    ) -> tuple[dict[str, Any], dict[str, str]] | None:
        document, builtin = self._document(entry), self.builtin(entry)
        known: dict[str, Any] = {}
        report = LookupReport(
            self.problems, self.catalog.where_at, level, sound=instance.sound, known=known, place=place_of(entry.use)
        )
        known |= (values := instance.values(level, report))
        keep: frozenset[str] = frozenset()
        if level == "attempt":
            keep = lookup.ATTEMPT_ROOTS
            known |= _placeholders(instance)
            resolve_tree([arguments, template], {**known, "with": arguments}, report)
        given = resolve_tree(arguments, values, report, keep=keep)
        if builtin:
            if report.mistakes:
                return None
            return self._builtin_options(builtin, arguments, given, entry)
        given = self._declared(document, given, entry)
        if given is None:
            return None
        known["with"] = given
        deferred = Deferred()
        resolved = deferred.show(resolve_tree(template, {**values, "with": deferred.hide(given)}, report, keep=keep))
        if report.mistakes or document is None:
            return None
        return self._own_options(document, resolved)

    def _declared(self, document: Protection | None, given: dict[str, Any], entry: ProtectionEntry) -> dict[str, Any] | None:
        if document is None or not document.parameters:
            return given
        try:
            return declared_values(document.parameters, given, "with")
        except ParameterError as error:
            self._add(
                "bad-argument",
                place_of(entry.use),
                f'"{entry.use}": {error}',
                "Correct `with` here, or `parameters` of the Protection.",
            )
            return None

    def _builtin_options(
        self, builtin: str, written: dict[str, Any], given: dict[str, Any], entry: ProtectionEntry
    ) -> tuple[dict[str, Any], dict[str, str]] | None:
        mistakes = argument_mistakes(builtin, given)
        for key, message, hint in mistakes:
            place = getattr(written.get(key), "position", None) or next(
                (place_of(name) for name in written if name == key and hasattr(name, "position")), place_of(entry.use)
            )
            self._add("bad-argument", place, message, hint)
        if mistakes:
            return None
        for name in BUILTINS[builtin].paths & set(given):
            document = getattr(written[name], "position", None)
            if isinstance(given[name], str) and document is not None and not given[name].startswith("/"):
                given[name] = self._absolute(document.file, given[name], given[name], entry)
        return plain(given), {}

    def _absolute(self, document: str, path: str, otherwise: str, entry: Any) -> str:
        try:
            return paths.absolute(self.root, paths.beside(document, path))
        except paths.PathError as error:
            self._add(error.code, place_of(entry.use), f"{error}", error.hint)
            return otherwise

    def _own_options(self, document: Protection, resolved: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]] | None:
        if document.http:
            return _http_options(resolved), {}
        command = [as_text(word) for word in resolved["command"] if word is not None]
        assert document.program is not None  # noqa: S101 - the two kinds a document may have here
        file = place_of(document.program.command).file
        try:
            directory = paths.beside(file, str(document.program.directory or "."))
            if paths.is_relative_program(command[0]):
                command[0] = paths.absolute(self.root, paths.beside(f"{directory}/_", command[0]))
        except paths.PathError as error:
            self._add(error.code, place_of(document.program.command), f"{error}", error.hint)
            return None
        env = {str(name): as_text(value) for name, value in resolved["env"].items() if value is not None}
        return {"command": command, "directory": paths.absolute(self.root, directory)}, env


class _AnyLabel(dict[str, str]):
    """The labels of a release, which only it knows."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - the shape of a map
        return PLACEHOLDER


def _placeholders(instance: Instance) -> dict[str, Any]:
    """Something for everything that an attempt can look up."""
    release = {"id": PLACEHOLDER, "author": PLACEHOLDER, "reason": PLACEHOLDER, "labels": _AnyLabel({"": ""})}
    found = release_values(PLACEHOLDER, parameter_samples(instance), Source(PLACEHOLDER, PLACEHOLDER, PLACEHOLDER))
    return found | {"release": release, "attempt": {"id": PLACEHOLDER}, "good": PLACEHOLDER, "current": PLACEHOLDER}


def _template(document: Protection | None) -> dict[str, Any]:
    if document and document.program:
        return {"command": document.program.command, "env": _without_nulls(document.program.env)}
    if document and document.http:
        return _http_tree(document.http)
    return {}


def _without_nulls(env: AnyMapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in env.items() if value is not None}


def _http_tree(http: Http) -> dict[str, Any]:
    tree = {"url": http.url, "method": http.method, "headers": http.headers, "body": http.body, "status": http.status}
    return {key: value for key, value in tree.items() if value}


def _http_options(resolved: dict[str, Any]) -> dict[str, Any]:
    texts = {key: as_text(value) for key, value in resolved.items() if key != "headers"}
    headers = {str(name): as_text(value) for name, value in resolved.get("headers", {}).items()}
    return texts | ({"headers": headers} if headers else {})


def _is_of_attempt(builtin: str, arguments: dict[str, Any], template: dict[str, Any]) -> bool:
    """An address is that of one instance's attempt, too."""
    looked_up = lookup.roots(arguments) | lookup.roots(template)
    return bool(looked_up & lookup.ATTEMPT_ROOTS) or (builtin == "http-probe" and "path" in arguments)


def phase_options(at: Phases | None) -> dict[Phase, Holds | Deploys]:
    """``at`` as phases in their order."""
    if at is None:
        return {}
    written = {
        Phase.PRE_APPROVAL: at.pre_approval,
        Phase.PRE_DEPLOYMENT: at.pre_deployment,
        Phase.DEPLOYMENT: at.deployment,
        Phase.POST_DEPLOYMENT: at.post_deployment,
    }
    return {phase: options for phase, options in written.items() if options is not None}


def default_phases(builtin: str) -> dict[Phase, Holds | Deploys]:
    """Where a check is used that does not say so."""
    lengths = BUILTINS[builtin].phases if builtin else {Phase.PRE_DEPLOYMENT: 0}
    options: dict[Phase, Holds | Deploys] = {}
    for phase, length in lengths.items():
        kind = Verifies if phase is Phase.POST_DEPLOYMENT else Holds
        options[phase] = kind.model_validate({}).model_copy(update={"for_": length})
    return options


def _use(
    name: str, check: CheckDefinition, entry: ProtectionEntry, phase: Phase, options: Holds | Deploys, when: Selector | None
) -> CheckUse:
    verifies = options if isinstance(options, Verifies) else Verifies.model_validate({})
    return CheckUse(
        name=name,
        phase=phase,
        check=check,
        when=when,
        informational=entry.informational,
        window=options.for_ if isinstance(options, Holds) else 0,
        delay=verifies.delay,
        tolerate=verifies.tolerate,
        on_fail=str(options.on_fail) if isinstance(options, Deploys) else "fail",
        override=None if entry.override is None else tuple(str(principal) for principal in entry.override),
    )
