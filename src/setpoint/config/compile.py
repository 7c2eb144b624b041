"""A whole configuration: loaded from files, checked, and compiled to specs and policies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as AnyMapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from setpoint.config.catalog import Catalog, read_catalog
from setpoint.config.documents import ChannelFields
from setpoint.config.documents.runtime import ADAPTERS, CustomRuntimeBlock
from setpoint.config.files import executables, gather
from setpoint.config.instances.expansion import LOCAL, build_instances, effective_tree
from setpoint.config.instances.groups import expand_groups
from setpoint.config.instances.parameters import ParameterError, declared_values
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.specs import block_tree, environment_tree, release_values, render
from setpoint.config.notices import installed, left_out, notices, refusals, self_approving
from setpoint.config.policies.checks import CheckCompiler
from setpoint.config.policies.dependencies import ServiceOrderings, check_waiting, sets_of
from setpoint.config.policies.images import ImageError, images_of
from setpoint.config.policies.instance_policy import PolicyCompiler
from setpoint.config.policies.invariants import InvariantCompiler, watched
from setpoint.config.policies.lacking import Lacking
from setpoint.config.policies.limits import LimitCompiler, waves_of
from setpoint.config.policies.orderings import Neighbours, neighbours_of
from setpoint.config.policies.programs import Resolver
from setpoint.config.policies.stable import Stable
from setpoint.config.policies.tasks import TaskCompiler
from setpoint.config.problems import ConfigurationError, ConfigurationProblem, Problems, in_order
from setpoint.config.syntax import paths
from setpoint.config.syntax.lookups import LookupFailedError, resolve_tree, strict
from setpoint.config.syntax.trees import Trees
from setpoint.config.syntax.values import as_text, plain
from setpoint.config.syntax.yaml import place_of, position_of
from setpoint.config.validation.oversized import check_sets, oversized
from setpoint.config.validation.references import check_references
from setpoint.config.validation.roles import roles_of, with_members
from setpoint.config.validation.running import check_running, template
from setpoint.config.validation.unmatched import unmatched
from setpoint.model.exits import ExitCodes
from setpoint.model.grammars import lookup
from setpoint.model.grammars.images import Unresolved, digest_of, pin, pinned
from setpoint.model.grammars.versions import is_version_name
from setpoint.model.invariants import Invariant
from setpoint.model.names import application_of, format_instance
from setpoint.model.policy import GroupWaves, Policy
from setpoint.model.spec import Scalar, Source, Spec, Version, digest


class ChannelDefinition(msgspec.Struct, frozen=True):
    """A channel, for showing."""

    name: str
    runtime: str
    group: str = ""
    """The group it is one of; empty: none."""
    labels: dict[str, str] = {}
    after: tuple[str, ...] = ()
    """Names of the channels it comes after."""
    strategy: str = "newest-ready"
    mirror: str = ""
    start_from: str = ""
    timezone: str = "UTC"
    description: str = ""
    links: dict[str, str] = {}


class CompiledRuntime(msgspec.Struct, frozen=True):
    """A runtime: which adapter, with which options."""

    name: str
    kind: str
    """Entry point of the adapter: ``process``, ``custom``, ``fake``."""
    options: dict[str, Any] = {}
    labels: dict[str, str] = {}
    tree: str = ""
    """SHA-256 of the files that its commands are run with (§10.6); empty: they are run where they lie."""


class CompileError(ValueError):
    """A release cannot be compiled; the text is one sentence for people."""


class CompiledConfiguration:
    """A configuration without errors. Immutable; made by ``load`` or ``from_files``."""

    def __init__(
        self,
        catalog: Catalog,
        files: AnyMapping[str, bytes],
        root: Path,
        instances: dict[str, Instance],
        policies: dict[str, Policy],
        groups: dict[str, GroupWaves],
        invariants: dict[str, Invariant],
        trees: Trees,
        waiting: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self.trees = trees
        """The files that gates and custom runtimes are run with."""
        self.groups = groups
        """``application/group`` -> how a release goes through it, of groups with limits."""
        self.invariants = invariants
        """By name."""
        self._waiting = waiting
        self._catalog, self._files, self._instances, self._policies = catalog, files, instances, policies
        self._by_service: dict[tuple[str, str], dict[str, Instance]] = {}
        self._revisions: dict[tuple[str, str], str] = {}
        for name, instance in instances.items():
            key = (str(instance.application.name), str(instance.service.name))
            self._by_service.setdefault(key, {})[name] = instance

    @classmethod
    def from_files(cls, files: AnyMapping[str, bytes], root: Path, executable: Collection[str] = ()) -> CompiledConfiguration:
        """From relative path -> content, as ``collect`` gives it; ``root`` is where they lie on this machine.

        ``executable``: paths of those that may be run.

        Raises:
            ConfigurationError: with every error.
        """
        configuration, problems = _read(files, root, executable)
        if problems:
            raise ConfigurationError(problems)
        return configuration

    @cached_property
    def digest(self) -> str:
        """Of every file: two configurations with the same digest are the same."""
        hashes = {path: paths.sha256(content) for path, content in sorted(self._files.items())}
        executable = sorted(self.trees.executable & hashes.keys())
        return digest([hashes, executable] if executable else hashes)

    @property
    def organization(self) -> str:
        """Its name; empty where that document does not exist."""
        return self._catalog.organization.name if self._catalog.organization else ""

    @property
    def applications(self) -> list[str]:
        """Names, in the order of the files."""
        return list(self._catalog.applications)

    def services(self, application: str) -> list[str]:
        """Names of an application's services."""
        return list(self._catalog.services(application))

    def channels(self, application: str) -> list[ChannelDefinition]:
        """An application's channels, each after those that it comes after."""
        neighbours = neighbours_of(self._catalog, application)
        owner = self._catalog.applications[application].model
        organization = self._catalog.organization.model if self._catalog.organization else None
        zone = (owner.timezone if owner else None) or (organization.timezone if organization else "UTC")
        before = {name: _before(channel, neighbours) for name, channel in neighbours.channels.items()}
        return [
            _channel_definition(neighbours.channels[name], str(zone), self._catalog.group_of(application, name), before[name])
            for name in _after_order(before)
        ]

    def members(self, application: str) -> dict[str, tuple[str, ...]]:
        """Group -> its channels, in their order."""
        return {name: group.members for name, group in self._catalog.groups(application).items()}

    def instances(self, application: str) -> list[str]:
        """``application/service@channel`` of everything that is to run."""
        return [name for name, instance in self._instances.items() if instance.application.name == application]

    @property
    def all_instances(self) -> list[str]:
        """Of every application."""
        return list(self._instances)

    @cached_property
    def runtimes(self) -> dict[str, CompiledRuntime]:
        """By name; ``local`` is always there."""
        models = {"local": LOCAL} | {name: entry.model for name, entry in self._catalog.runtimes.items() if entry.model}
        return {name: _runtime_definition(model, self.root, self.trees) for name, model in models.items()}

    def policy(self, instance: str) -> Policy:
        """Under which conditions a version may start there. Raises KeyError for an instance that is not configured."""
        return self._policies[instance]

    @cached_property
    def notices(self) -> list[str]:
        """One line for each sort of thing that is declared and not acted on by this version; one each for files that are not
        copied and for versions that can approve themselves; then those of ``unmatched``.
        """
        found = [*notices(self._catalog, self._instances, installed()), *left_out(self._files)]
        return [*found, *self_approving(self._instances, self._policies), *self.unmatched]

    @cached_property
    def unmatched(self) -> list[str]:
        """One line with its place for each selector that matches nothing now, although what it requires exists or may come."""
        return list(dict.fromkeys([*self._waiting, *unmatched(self._catalog, self._instances)]))

    @cached_property
    def refusals(self) -> list[str]:
        """Why this version cannot apply it, although it is right."""
        return refusals(self._catalog, self._instances, self._policies, installed())

    @cached_property
    def exit_codes(self) -> dict[str, ExitCodes]:
        """Protection -> its exit codes, of those that are programs."""
        uses = (use.check for policy in self._policies.values() for use in policy.checks if use.check.use == "program")
        return {check.protection: ExitCodes.of(check.options) for check in uses}

    def on_remove(self, instance: str) -> str:
        """``keep`` or ``destroy``: what becomes of what runs when the instance leaves the configuration."""
        found = self._instance(instance)
        return str(found.service.on_remove or found.channel.on_remove or "keep")

    def on_config_change(self, application: str) -> str:
        """``release`` or ``with-next``: what a change of what runs does."""
        model = self._catalog.applications[application].model
        return str(model.on_config_change) if model else "release"

    def labels(self, instance: str) -> dict[str, str]:
        """An instance's labels."""
        return dict(self._instances[instance].labels)

    def revision(self, application: str, service: str) -> str:
        """Digest of what the service's documents define to run, over all channels; policy has no part in it."""
        key = (application, service)
        if key not in self._revisions:
            templates = {name: template(member, self._files, self.root) for name, member in self._by_service.get(key, {}).items()}
            self._revisions[key] = digest(templates)
        return self._revisions[key]

    def template(self, instance: str) -> dict[str, Any]:
        """What an instance runs, with what a release sets left as ``${version}`` and so on; for showing and comparing."""
        return template(self._instance(instance), self._files, self.root)

    def needs_release(self, application: str, service: str) -> bool:
        """Whether what runs depends on a version or parameters; if not, each change of it is a version of its own."""
        members = self._by_service.get((application, service), {}).values()
        return any(lookup.roots([block_tree(m), environment_tree(m)]) & {"version", "params"} for m in members)

    def resolve_parameters(
        self, application: str, service: str, channel: str, given: AnyMapping[str, Any], carried: AnyMapping[str, Any]
    ) -> dict[str, Scalar]:
        """Values of all declared parameters: given, else carried over, else the default.

        Raises:
            ParameterError: one is unknown, missing or not allowed.
        """
        instance = self._instance(format_instance(application, service, channel))
        declarations = instance.service.parameters
        kept = {name: carried[name] for name, declaration in declarations.items() if declaration.carry and name in carried}
        written = {name: declaration.default for name, declaration in declarations.items() if declaration.default is not None}
        try:
            defaults = resolve_tree(written, instance.values("instance", strict), strict)
        except LookupFailedError as error:
            raise ParameterError(f"{service}: {error}.") from None
        return declared_values(declarations, {**kept, **given}, "params", defaults=defaults)

    def compile(
        self,
        instance: str,
        version: str,
        parameters: AnyMapping[str, Scalar],
        source: Source | None = None,
        images: AnyMapping[str, str] | None = None,
    ) -> Spec:
        """What an instance runs for a version; ``parameters`` come from ``resolve_parameters``, ``images`` from its release.

        Without ``images`` (for comparing) images stay as they are named.

        Raises:
            CompileError: the instance is not configured, a value does not fit where it is looked up, or the tag of an image was
                not resolved when the version was released.
        """
        found = self._instance(instance)
        resolved = {} if images is None else self._digests(instance, version, parameters, source, images)
        try:
            values = found.values("instance", strict) | release_values(version, parameters, source or Source())
            rendered = render(found, values, strict, self._files, self.root)
        except (LookupFailedError, paths.PathError, ParameterError) as error:
            raise CompileError(f"{instance}: {error}") from None
        return Spec(
            instance=instance,
            runtime=str(found.runtime.name),
            version=Version(
                version, digest(dict(parameters)) if parameters else "", self.revision(found.application.name, found.service.name)
            ),
            workload=replace(rendered.workload, options=pin(rendered.workload.options, resolved)),
            env=pin(rendered.env, resolved),
            rollout=rendered.rollout,
            secrets=rendered.secrets,
            parameters=dict(parameters),
            files={path: paths.sha256(content) for path, content in rendered.files.items()},
            images=resolved,
        ).sealed()

    def images(
        self, instance: str, version: str, parameters: AnyMapping[str, Scalar], source: Source | None = None
    ) -> dict[str, bool]:
        """Images that checks, tasks and the workload of an instance name by a tag -> whether their registry speaks plain HTTP.

        Raises:
            CompileError: an image looks up what is not known when a version is released.
        """
        try:
            return images_of(self._instance(instance), self._policies[instance], version, parameters, source or Source())
        except ImageError as error:
            raise CompileError(f"{instance}: {error}") from None

    def _digests(
        self,
        instance: str,
        version: str,
        parameters: AnyMapping[str, Scalar],
        source: Source | None,
        images: AnyMapping[str, str],
    ) -> dict[str, str]:
        """Of the images that the instance names in this configuration."""
        try:
            named = self.images(instance, version, parameters, source)
            return {name: digest_of(pinned(name, images, version)) for name in named}
        except Unresolved as error:
            raise CompileError(f"{instance}: {error}") from None

    def not_below(self, instance: str, version: str, parameters: AnyMapping[str, Scalar], source: Source | None = None) -> str:
        """The version that this one, once it was deployed here, is never rolled back below; empty: there is none.

        Raises:
            CompileError: the instance is not configured, or what is looked up is not a version.
        """
        found = self._instance(instance)
        if found.service.rollback.not_below is None:
            return ""
        try:
            values = found.values("instance", strict) | release_values(version, parameters, source or Source())
            text = as_text(resolve_tree(found.service.rollback.not_below, values, strict))
        except LookupFailedError as error:
            raise CompileError(f"{instance}: rollback.notBelow: {error}") from None
        if text and not is_version_name(text):
            raise CompileError(f'{instance}: rollback.notBelow: "{text}" is not a valid version')
        return text

    def floor(self, instance: str) -> str:
        """``rollback.notBelow`` as written; for showing and comparing."""
        return str(self._instance(instance).service.rollback.not_below or "")

    def together(self, application: str) -> dict[str, tuple[str, ...]]:
        """Name of each set, such as ``bank/ledger+ledger-worker@production`` -> the instances that move as one."""
        return {name: members for name, members in self._sets.items() if application_of(name) == application}

    def oversized(self, members: Collection[str]) -> str:
        """Why these instances can never start as one; empty: they can."""
        found = next(oversized(members, self._policies), None)
        return f"{found[1]} instances would start as one, but {found[0]} admits {found[2]} (`maxConcurrent`)" if found else ""

    @cached_property
    def _sets(self) -> dict[str, tuple[str, ...]]:
        return sets_of(self._instances)

    def file_bytes(self, spec: Spec) -> dict[str, bytes]:
        """SHA-256 -> content of the files that a spec of this configuration names."""
        return {sha: self._files[path] for path, sha in spec.files.items()}

    def origins(self, instance: str) -> dict[str, str]:
        """Path of each value of the instance's service, channel, application, runtime -> ``file:line`` that it came from."""
        found = self._instance(instance)
        application = str(found.application.name)
        places = [name for name in (found.group_name, str(found.channel.name)) if name]
        service = effective_tree(self._catalog.services(application)[str(found.service.name)], places)
        entries = {
            "organization": self._catalog.organization,
            "application": self._catalog.applications[application],
            "runtime": self._catalog.runtimes.get(str(found.runtime.name)),
            "channel": self._catalog.channels(application)[str(found.channel.name)],
        }
        return _origins(service, {name: entry.tree for name, entry in entries.items() if entry})

    def _instance(self, name: str) -> Instance:
        if name not in self._instances:
            raise CompileError(f'"{name}" is not configured')
        return self._instances[name]


def load(root: Path) -> CompiledConfiguration:
    """The configuration of a directory.

    Raises:
        ConfigurationError: with every error.
    """
    files, problems = gather(root)
    if problems:
        raise ConfigurationError(_all_problems(files, root.resolve(), problems))
    return CompiledConfiguration.from_files(files, root.resolve(), executables(root, files))


def load_files(files: AnyMapping[str, bytes], root: Path) -> CompiledConfiguration:
    """Like ``CompiledConfiguration.from_files``."""
    return CompiledConfiguration.from_files(files, root)


def check(root: Path) -> list[ConfigurationProblem]:
    """Every error of a directory's configuration; empty: none."""
    files, problems = gather(root)
    return _all_problems(files, root.resolve(), problems)


def _all_problems(files: AnyMapping[str, bytes], root: Path, problems: list[ConfigurationProblem]) -> list[ConfigurationProblem]:
    """Those of the files that could be read, too; where some could not, no name that may be defined there is reported."""
    if not files and problems:
        return problems
    return in_order([*problems, *_read(files, root, complete=not problems)[1]])


def check_files(files: AnyMapping[str, bytes], root: Path) -> list[ConfigurationProblem]:
    """Every error of a configuration given as files."""
    return _read(files, root)[1]


def _read(
    files: AnyMapping[str, bytes], root: Path, executable: Collection[str] = (), *, complete: bool = True
) -> tuple[CompiledConfiguration, list[ConfigurationProblem]]:
    problems = Problems()
    catalog = read_catalog({path: content for path, content in files.items() if paths.is_document(path)}, problems)
    catalog.complete = catalog.complete and complete
    expand_groups(catalog, files, problems)
    waiting = check_references(catalog, files, problems)
    instances = build_instances(catalog, problems)
    trees = Trees(files, executable)
    resolver = Resolver(catalog, root, problems, trees)
    _check_custom_runtimes(catalog, root, trees, problems)
    beside = ServiceOrderings(catalog, problems)
    checks = CheckCompiler(resolver)
    stable = Stable(catalog, checks, problems)
    limits = LimitCompiler(catalog, instances.values())
    lacking = Lacking(catalog, problems)
    compiler = PolicyCompiler(catalog, checks, TaskCompiler(resolver), beside, stable, limits, lacking, problems)
    neighbours = {name: neighbours_of(catalog, name, instances.keys()) for name in catalog.applications}
    waves = {name: waves_of(catalog, name, neighbours[name], problems) for name in catalog.applications}
    invariants = InvariantCompiler(catalog, instances, problems).compile()
    observed, roles = watched(invariants), roles_of(catalog)
    policies = {}
    for name, instance in instances.items():
        owner = str(instance.application.name)
        policy = compiler.compile(instance, neighbours[owner], waves[owner])
        policies[name] = with_members(replace(policy, watched=True) if name in observed else policy, roles)
        check_running(catalog, instance, files, root, problems)
        _check_mirror(catalog, instance, instances, problems)
    lacking.report()
    check_sets(catalog, instances, policies, problems)
    check_waiting(catalog, instances, beside.waits, problems)
    groups = {one.group.group: one.group for below in waves.values() for one in below.values()}
    configuration = CompiledConfiguration(catalog, files, root, instances, policies, groups, invariants, trees, tuple(waiting))
    return configuration, problems.in_order()


def _check_mirror(catalog: Catalog, instance: Instance, instances: AnyMapping[str, Instance], problems: Problems) -> None:
    mirror = instance.channel.mirror
    if not mirror or mirror not in catalog.channels(str(instance.application.name)):
        return
    if format_instance(instance.application.name, instance.service.name, mirror) not in instances:
        place = place_of(mirror)
        message = f'channel "{mirror}" does not have the service "{instance.service.name}", so there is nothing to mirror.'
        hint = f'Leave it out here with `services`, or give it to "{mirror}".'
        problems.add("mirror-lacks-service", place, catalog.where_at(place), message, hint)


def _before(channel: ChannelFields, neighbours: Neighbours) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for entry in channel.after for name in neighbours.meant(entry).channels))


def _after_order(before: AnyMapping[str, tuple[str, ...]]) -> list[str]:
    """Names of channels, each after those that it comes after."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in done or name not in before:
            return
        for other in before[name]:
            visit(other)
        done[name] = None

    for name in before:
        visit(name)
    return list(done)


def _channel_definition(channel: ChannelFields, zone: str, group: str, before: tuple[str, ...]) -> ChannelDefinition:
    return ChannelDefinition(
        name=str(channel.name),
        runtime=", ".join(dict.fromkeys(map(str, channel.runtimes.values()))) or str(channel.runtime),
        group=group,
        labels=plain(channel.labels),
        after=before,
        strategy="mirror" if channel.mirror else str(channel.strategy or "newest-ready"),
        mirror=str(channel.mirror or ""),
        start_from=str(channel.start_from or ""),
        timezone=str(channel.timezone or zone),
        description=str(channel.description or ""),
        links=plain(channel.links),
    )


def _check_custom_runtimes(catalog: Catalog, root: Path, trees: Trees, problems: Problems) -> None:
    for entry in catalog.runtimes.values():
        if entry.model and entry.model.custom:
            try:
                _commands(entry.model.custom, root, trees)
            except paths.PathError as error:
                problems.add(error.code, place_of(entry.model.custom.apply), entry.label, f"{error}", error.hint)


def _runtime_definition(model: Any, root: Path, trees: Trees) -> CompiledRuntime:
    block, fields = model.block
    options: dict[str, Any] = plain(fields if isinstance(fields, dict) else {} if model.custom else _written(fields))
    tree = ""
    if model.custom:
        options, tree = _commands(model.custom, root, trees)
        options |= {
            "structured": model.custom.structured,
            "timeout": model.custom.timeout,
            "fetchTimeout": model.custom.fetch_timeout,
        }
    return CompiledRuntime(str(model.name), ADAPTERS[block], options, plain(model.labels), tree)


def _written(block: Any) -> dict[str, Any]:
    return {name: value for name, value in block.model_dump(by_alias=True).items() if value is not None}


def _commands(custom: CustomRuntimeBlock, root: Path, trees: Trees) -> tuple[dict[str, Any], str]:
    """A custom runtime's commands with their directory, and the tree that they are run from; none for a mutable one.

    Raises:
        PathError: something is not there, outside, or too much.
    """
    directory = paths.beside(place_of(custom.apply).file, str(custom.directory or "."))
    commands = {name: [str(word) for word in words] for name, words in custom.commands.items()}
    if custom.mutable:
        absolute = {name: [_absolute(command[0], directory, root), *command[1:]] for name, command in commands.items()}
        return absolute | {"directory": paths.absolute(root, directory)}, ""
    for command in commands.values():
        path = paths.beside(f"{directory}/_", command[0]) if paths.is_relative_program(command[0]) else ""
        if path and "${" not in path and path not in trees.files:
            hint = "Correct the path: it is relative to this document, or to `directory`."
            raise paths.PathError("missing-file", f'the program "{path}" is not there.', hint)
    named = trees.of_program(commands.values(), directory, whole=custom.directory is not None)
    return commands | {"directory": directory}, trees.tree(named, directory)


def _absolute(program: str, directory: str, root: Path) -> str:
    return paths.absolute(root, paths.beside(f"{directory}/_", program)) if paths.is_relative_program(program) else program


def _origins(service: AnyMapping[str, Any], nodes: AnyMapping[str, AnyMapping[str, Any]]) -> dict[str, str]:
    """Path -> ``file:line`` of each value: fields of the service by name, of other nodes below ``application.`` and so on."""
    found = dict(_leaves(service, ""))
    for node, tree in nodes.items():
        found |= dict(_leaves({key: value for key, value in tree.items() if key != "channels"}, node))
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    elif (place := position_of(value)) is not None:
        yield path, f"{place.file}:{place.line}"
