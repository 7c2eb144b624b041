"""Checks what an instance would run, before there is any release: lookups lead somewhere, files are there, types fit."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

from setpoint.config.catalog import Catalog
from setpoint.config.documents.service import has_workload
from setpoint.config.documents.workloads import FITS
from setpoint.config.instances.parameters import ParameterError
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.specs import RELEASE_ROOTS, block_tree, environment_tree, parameter_samples, release_values, render
from setpoint.config.problems import Problems, sentence
from setpoint.config.syntax import paths
from setpoint.config.syntax.lookups import PLACEHOLDER, LookupFailedError, LookupReport, resolve_tree
from setpoint.config.syntax.named import PATHS
from setpoint.config.syntax.values import plain
from setpoint.config.syntax.yaml import place_of, position_of
from setpoint.model.spec import Secret, Source


def check_running(catalog: Catalog, instance: Instance, files: AnyMapping[str, bytes], root: Path, problems: Problems) -> None:
    """Errors in what the instance would run go to ``problems``."""
    service = instance.service
    if not has_workload(service):
        return
    where_at = catalog.where_at
    kind, _ = service.workload
    place = place_of(_first_place(instance))
    block, _ = instance.runtime.block
    if block and block != FITS[kind]:
        message = f'a {kind} workload cannot run on runtime "{instance.runtime.name}" of channel "{instance.channel.name}".'
        chosen = position_of(instance.channel.runtime) or place_of(instance.channel.name)
        hint = f"Name a runtime with `{FITS[kind]}: {{}}` in the channel's `runtime`."
        problems.add("runtime-does-not-fit", chosen, where_at(chosen), message, hint)
        return
    known: dict[str, Any] = {}
    report = LookupReport(problems, where_at, "instance", sound=instance.sound, known=known, place=place)
    known |= instance.values("instance", report) | release_values("0.0.0", parameter_samples(instance), Source())
    resolve_tree([block_tree(instance), environment_tree(instance), _floor(instance)], known, report)
    _check_defaults(instance, known, report)
    _check_commands(instance, known, report)
    if report.errors:
        return
    try:
        render(instance, known, _silent, files, root, keep=RELEASE_ROOTS)
    except paths.PathError as error:
        problems.add(error.code, place, where_at(place), f"{error}", error.hint)
    except (LookupFailedError, ParameterError) as error:
        problems.add(
            "bad-value",
            place,
            where_at(place),
            f'in channel "{instance.channel.name}": {sentence(str(error))}',
            "Correct the value, or what it looks up.",
        )


def _check_defaults(instance: Instance, known: AnyMapping[str, Any], report: LookupReport) -> None:
    defaults = [declaration.default for declaration in instance.service.parameters.values() if declaration.default is not None]
    resolve_tree(defaults, {key: value for key, value in known.items() if key not in RELEASE_ROOTS}, report)


def _check_commands(instance: Instance, known: dict[str, Any], report: LookupReport) -> None:
    """The commands of a custom runtime look up what the service gives them, and names."""
    if not (instance.runtime.custom and instance.service.custom):
        return
    declared = dict.fromkeys((str(name) for name in instance.runtime.custom.parameters), PLACEHOLDER)
    names = {root: {"name": str(getattr(instance, root).name)} for root in ("application", "service", "channel", "runtime")}
    given = {**declared, **{str(name): value for name, value in instance.service.custom.with_.items()}}
    values = {"with": given, "version": known["version"], "params": known["params"], **names}
    known |= {"with": given}
    resolve_tree(list(instance.runtime.custom.commands.values()), values, report)


def _floor(instance: Instance) -> str:
    return instance.service.rollback.not_below or ""


def _first_place(instance: Instance) -> Any:
    service = instance.service
    if service.process:
        return service.process.command
    kind, _ = service.workload
    written = block_tree(instance)
    return next((written[field] for field in PATHS.get(kind, ()) if field in written), service.name)


def _silent(code: str, node: Any, detail: str) -> None:
    """What is missing was reported before."""


def _shown(secret: Secret) -> str:
    """A reference, for people."""
    return f"(secret {secret.name}{f' of {secret.store}' if secret.store else ''})"


def template(instance: Instance, files: AnyMapping[str, bytes], root: Path) -> dict[str, Any]:
    """What the instance runs with the lookups of a release left open: the same as long as nothing that runs is changed."""
    values = instance.values("instance", _silent)
    rendered = render(instance, values, _silent, files, root, keep=RELEASE_ROOTS)
    parameters = {str(name): plain(declaration.default) for name, declaration in instance.service.parameters.items()}
    return {
        "runtime": str(instance.runtime.name),
        "kind": rendered.workload.kind,
        "options": rendered.workload.options,
        "env": rendered.env | {name: _shown(secret) for name, secret in rendered.secrets.items()},
        "rollout": [rendered.rollout.max_unavailable, rendered.rollout.max_surge],
        "defaults": resolve_tree(parameters, values, _silent),
        "files": {path: paths.sha256(content) for path, content in rendered.files.items()},
    }
