"""What runs: from an instance's workload to a runtime adapter's options, with the lookups of a release left open or for good."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from setpoint.config.documents.base import Node
from setpoint.config.documents.workloads import Custom, Fake, HealthBlock, Process
from setpoint.config.instances.parameters import declared_values
from setpoint.config.instances.scope import Instance
from setpoint.config.syntax import paths
from setpoint.config.syntax.lookups import LookupFailedError, Report, resolve_tree
from setpoint.config.syntax.merging import merge_maps
from setpoint.config.syntax.named import named_files
from setpoint.config.syntax.values import as_text, is_secret, plain
from setpoint.config.syntax.yaml import place_of
from setpoint.model.spec import RolloutSettings, Secret, Source, Workload

EMPTY: tuple[Any, ...] = (None, (), {})
RELEASE_ROOTS = frozenset({"version", "params", "source"})
"""What only a release sets."""


@dataclass(frozen=True)
class Rendered:
    """What one instance runs."""

    workload: Workload
    env: dict[str, str]
    rollout: RolloutSettings
    files: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    """Variable of the environment -> the secret that it takes its value from."""


def environment_tree(instance: Instance) -> dict[str, Any]:
    """``env`` of every node, the later over the earlier, lookups as written."""
    nodes = (instance.organization, instance.application, instance.runtime, instance.channel, instance.service)
    return merge_maps(*(node.env for node in nodes if node))


def block_tree(instance: Instance) -> dict[str, Any]:
    """The workload's options, lookups as written, defaults filled in."""
    _, block = instance.service.workload
    if isinstance(block, Process):
        return _process_tree(block)
    if isinstance(block, Custom):
        return {"with": block.with_}
    if isinstance(block, Fake):
        return _fake_tree(block)
    return _plain_tree(block) if isinstance(block, Node) else dict(block)


def _plain_tree(block: Node) -> dict[str, Any]:
    """What was written of a block whose fields the adapter takes as they are."""
    written = {field.alias or name: getattr(block, name) for name, field in type(block).model_fields.items()}
    written = {name: _health_tree(value) if isinstance(value, HealthBlock) else value for name, value in written.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in written.items() if value not in EMPTY}


def _process_tree(block: Process) -> dict[str, Any]:
    optional = {"user": block.user, "port": block.port, "health": _health_tree(block.health) if block.health else None}
    tree: dict[str, Any] = {"command": block.command, "replicas": block.replicas, "stopTimeout": block.stop_timeout}
    if block.trusted_proxies:
        tree["trustedProxies"] = list(block.trusted_proxies)
    return tree | {key: value for key, value in optional.items() if value is not None}


def _health_tree(health: HealthBlock) -> dict[str, Any]:
    ways = {"http": health.http, "tcp": health.tcp or None, "command": health.command}
    return {key: value for key, value in ways.items() if value is not None} | {
        "interval": health.interval,
        "timeout": health.timeout,
    }


def _fake_tree(block: Fake) -> dict[str, Any]:
    return {"becomes": block.becomes, "takes": block.takes, "replicas": block.replicas}


def release_values(version: str, parameters: AnyMapping[str, Any], source: Source) -> dict[str, Any]:
    """The roots that a release adds."""
    whence = {"commit": source.commit, "repository": source.repository, "author": source.author}
    return {"version": version, "params": dict(parameters), "source": whence}


def parameter_samples(instance: Instance) -> dict[str, Any]:
    """Something for each parameter that always has a value; nothing for those that may be left out."""
    samples = {"int": 1, "bool": True}
    return {
        str(name): samples.get(str(declaration.type), "0") if declaration.required or declaration.default is not None else None
        for name, declaration in instance.service.parameters.items()
    }


def render(
    instance: Instance,
    values: AnyMapping[str, Any],
    report: Report,
    files: AnyMapping[str, bytes],
    root: Path,
    *,
    keep: frozenset[str] = frozenset(),
) -> Rendered:
    """What the instance runs, looked up in ``values``; roots in ``keep`` stay as written.

    Raises:
        LookupFailedError: a value came out as something else than the field takes. PathError: a file is missing or outside.
    """
    kind, block = instance.service.workload
    options = resolve_tree(block_tree(instance), values, report, keep=keep)
    env, secrets = split_secrets(resolve_tree(environment_tree(instance), values, report, keep=keep))
    rollout = RolloutSettings(instance.service.rollout.max_unavailable, instance.service.rollout.max_surge)
    if isinstance(block, Custom):
        options["with"] = _arguments(instance, options["with"])
    if isinstance(block, Fake):
        options["replicas"] = _number(options["replicas"], "replicas")
        options["becomes"] = _text(options["becomes"], "becomes")
    if not isinstance(block, Process):
        if "replicas" in options:
            options["replicas"] = _number(options["replicas"], "replicas")
        options, named = named_files(kind, block_tree(instance), options, files)
        return Rendered(Workload(kind, plain(options)), env, rollout, named, secrets)
    options = _typed_process(options)
    directory, found = _files(block, options, files, root)
    return Rendered(Workload(kind, plain(options) | directory), env, rollout, found, secrets)


def split_secrets(environment: AnyMapping[str, Any]) -> tuple[dict[str, str], dict[str, Secret]]:
    """Variables with their texts, and those that come from secrets."""
    texts = {str(name): _text(value, f"env.{name}") for name, value in environment.items() if not is_secret(value)}
    secrets = {
        str(name): Secret(_text(value["secret"], f"env.{name}"), as_text(value.get("store", "")))
        for name, value in environment.items()
        if is_secret(value)
    }
    return texts, secrets


def _arguments(instance: Instance, given: dict[str, Any]) -> dict[str, Any]:
    declarations = instance.runtime.custom.parameters if instance.runtime.custom else {}
    return declared_values(declarations, given, "with") if declarations else given


def _typed_process(options: dict[str, Any]) -> dict[str, Any]:
    options["command"] = [_text(word, "command") for word in options["command"]]
    for name in ("replicas", "port"):
        if name in options:
            options[name] = _number(options[name], name)
    if isinstance(options.get("port"), int) and not 0 < options["port"] < 65536:
        raise LookupFailedError(f"port is {options['port']}: ports go from 1 to 65535")
    health = options.get("health", {})
    if "command" in health:
        health["command"] = [_text(word, "health.command") for word in health["command"]]
    if "http" in health:
        health["http"] = _text(health["http"], "health.http")
    return options


def _text(value: Any, name: str) -> str:
    if value is None or isinstance(value, dict | list):
        raise LookupFailedError(f"{name} must be text, not {'nothing' if value is None else 'a map or a list'}")
    return as_text(value)


def _number(value: Any, name: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise LookupFailedError(f"{name} must be a whole number, not {as_text(value)}")
    if isinstance(value, str) and "${" in value:
        return as_text(value)
    if not str(value).isdecimal():
        raise LookupFailedError(f'{name} must be a whole number, not "{value}"')
    return int(value)


def _files(
    block: Process, options: AnyMapping[str, Any], files: AnyMapping[str, bytes], root: Path
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Where it starts, and what is copied there for each version.

    A directory that is copied is given relative to the root, as are the files; a mutable one is absolute.
    """
    document = place_of(block.command).file
    if block.directory is not None:
        document = place_of(block.directory).file
    directory = paths.beside(document, str(block.directory or "."))
    if block.mutable:
        return {"directory": paths.absolute(root, directory), "mutable": True}, {}
    if block.directory is not None:
        return {"directory": directory}, paths.below(files, directory)
    words = [*options["command"], *options.get("health", {}).get("command", [])]
    named = {path: files[path] for word in words if (path := _beside(document, word)) in files}
    return ({"directory": directory} if named else {}), named


def _beside(document: str, word: str) -> str:
    try:
        return paths.beside(document, word) if word and not word.startswith(("-", "/")) else ""
    except paths.PathError:
        return ""
