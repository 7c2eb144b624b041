"""Checks across documents: names that lead nowhere, circles, things that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from setpoint.config import paths
from setpoint.config.beside import check_together
from setpoint.config.builtins import BUILTINS, ORDERINGS, SERVICE_STABLE, argument_mistakes
from setpoint.config.catalog import Catalog, Entry
from setpoint.config.circles import check_circles
from setpoint.config.documents import Application, ChannelFields, Runtime, Service, Task
from setpoint.config.documents.channel import After
from setpoint.config.documents.gates import Gated, ProtectionEntry
from setpoint.config.documents.protection import Runnable
from setpoint.config.documents.runtime import RUNTIME_TYPES
from setpoint.config.documents.service import WORKLOADS
from setpoint.config.instances import NOT_PER_CHANNEL, effective_service
from setpoint.config.merging import NAMED_LISTS, is_null
from setpoint.config.orderings import Neighbours, neighbours_of
from setpoint.config.parameters import ParameterError, typed
from setpoint.config.problems import Position, Problems, listing, suggest
from setpoint.config.roles import check_roles
from setpoint.config.selectors import check_selectors
from setpoint.config.validate import locate, where
from setpoint.config.yaml import Mapping as Tree
from setpoint.config.yaml import Scalar, place_of
from setpoint.model.policy import Phase


def check_references(catalog: Catalog, files: Mapping[str, bytes], problems: Problems) -> None:
    """Mistakes go to ``problems``."""
    _References(catalog, files, problems).check()
    check_roles(catalog, problems)
    check_circles(catalog, problems)
    check_selectors(catalog, problems)


class _References:
    def __init__(self, catalog: Catalog, files: Mapping[str, bytes], problems: Problems) -> None:
        self._catalog, self._files, self._problems = catalog, files, problems

    def check(self) -> None:
        if not self._catalog.documents and self._catalog.complete:
            self._problems.add(
                "no-documents",
                Position("setpoint.yaml"),
                "",
                "there is no document at all.",
                "Write `kind: Application` and so on into setpoint.yaml or a file named *.setpoint.yaml.",
            )
        self._organization()
        for name, application_entry in self._catalog.applications.items():
            self._application(name, application_entry)
        for application in self._catalog.below:
            neighbours = neighbours_of(self._catalog, application)
            for group in self._catalog.groups(application).values():
                self._channel(application, group.entry, neighbours)
            for channel in self._catalog.channels(application).values():
                self._channel(application, channel, neighbours)
            for service in self._catalog.services(application).values():
                self._service(application, service)
        for runtime in self._catalog.runtimes.values():
            self._runtime(runtime)
        for protection in self._catalog.protections.values():
            self._runnable(protection, "protection")
        for task in self._catalog.tasks.values():
            self._runnable(task, "task")
            self._task(task)
        for entry in self._catalog.entries():
            if isinstance(entry.model, Gated):
                self._gates(entry, entry.model)

    def _add(self, code: str, node: Any, label: str, message: str, hint: str) -> None:
        place = node if isinstance(node, Position) else place_of(node)
        self._problems.add(code, place, self._catalog.where_at(place) or label, message, hint)

    def _known(
        self, name: str, known: Iterable[str], what: str, label: str, field: str, *, of: str = "", code: str = "unknown-reference"
    ) -> bool:
        """Reports a name that leads nowhere, unless it may stand in a file that could not be read."""
        names = known if isinstance(known, Mapping | set) else list(known)
        if name in names or not self._catalog.complete:
            return name in names
        owner = f" of {of}" if of else ""
        otherwise = (
            "" if names else f"There is no {what} yet: add a document of kind {what.split(' ', maxsplit=1)[0].capitalize()}."
        )
        self._add(
            code, name, label, f'`{field}` names "{name}", which is no {what}{owner}.', suggest(name, names, otherwise=otherwise)
        )
        return False

    def _organization(self) -> None:
        entry = self._catalog.organization
        if entry is None or entry.model is None:
            return
        for builtin, arguments in entry.model.defaults.items():
            if not self._builtin(builtin, BUILTINS, entry.label, "defaults"):
                continue
            for key, message, hint in argument_mistakes(str(builtin), arguments, partial=True):
                self._add("bad-argument", locate(arguments, (key,)), entry.label, message, hint)

    def _builtin(self, name: str, known: Iterable[str], label: str, field: str) -> bool:
        if name in known:
            return True
        return self._known(
            name, known, "protection" if field == "use" else "built-in protection", label, field, code="unknown-protection"
        )

    def _application(self, name: str, entry: Entry[Application]) -> None:
        for services in entry.model.together if entry.model else ():
            for service in services:
                owner = f'application "{name}"'
                self._known(service, self._catalog.services(name), "service", entry.label, "together", of=owner)
        check_together(entry, self._problems)

    def _channel(self, application: str, entry: Entry[ChannelFields], neighbours: Neighbours) -> None:
        channel, label = entry.model, entry.label
        if not self._owned(application, entry) or channel is None:
            return
        owner = f'application "{application}"'
        for name in channel.runtimes.values() or (channel.runtime,):
            field = "runtimes" if channel.runtimes else "runtime"
            self._known(name, {"local", *self._catalog.runtimes}, "runtime", label, field)
        if channel.runtimes:
            self._roles(application, entry, channel)
        for service in channel.services or ():
            self._known(service, self._catalog.services(application), "service", label, "services", of=owner)
        for number, after in enumerate(channel.after):
            self._after(application, entry, after, number, neighbours)
        for field, other in (("mirror", channel.mirror), ("startFrom", channel.start_from)):
            if other:
                self._other_channel(application, entry, other, field)
        if channel.each is None:
            for key in ("overrides", "together"):
                if key in entry.tree:
                    hint = "Leave it out, or make it a group with `each`."
                    self._add(
                        "not-a-group", locate(entry.tree, (key,)), label, f"`{key}` is for groups: this is one channel.", hint
                    )
        elif channel.together:
            self._together(entry, neighbours)

    def _roles(self, application: str, entry: Entry[ChannelFields], channel: ChannelFields) -> None:
        """Where a channel has several runtimes, each service says which of them is its own."""
        for service in self._catalog.services(application).values():
            model = service.model
            if model is None or (channel.services is not None and service.name not in channel.services):
                continue
            if model.runtime is None:
                message = f'channel "{entry.name}" has several runtimes, and this service does not say which is its own.'
                hint = f"Add `runtime:` with one of {', '.join(str(role) for role in channel.runtimes)}."
                self._add("no-runtime-role", locate(service.tree, ("name",)), service.label, message, hint)
            else:
                owner = f'channel "{entry.name}"'
                self._known(model.runtime, map(str, channel.runtimes), "role in `runtimes`", service.label, "runtime", of=owner)

    def _together(self, entry: Entry[ChannelFields], neighbours: Neighbours) -> None:
        """Channels that move as one cannot wait for each other."""
        members = self._catalog.groups(self._application_of(entry))[entry.name].members
        for name in members:
            for after in neighbours.channels[name].after if name in neighbours.channels else ():
                if named := set(neighbours.meant(after).channels) & set(members):
                    message = f'"{name}" comes after "{min(named)}", but the channels of this group move as one.'
                    place = locate(entry.tree, ("together",))
                    self._add("waits-for-its-set", place, entry.label, message, "Remove that `after`, or `together`.")
                    return

    def _after(self, application: str, entry: Entry[ChannelFields], after: After, number: int, neighbours: Neighbours) -> None:
        """One entry of ``after``: its names lead somewhere, it means somebody, and as many as it needs."""
        for name in after.channels or ():
            self._other_channel(application, entry, name, "after")
        meant = neighbours.meant(after).channels
        if not self._catalog.complete:
            return
        path = ("after", number) if isinstance(entry.tree.get("after"), list) else ("after",)
        place = locate(entry.tree, (*path, "select" if after.select else "channels"))
        if entry.name in meant and after.select:
            self._add(
                "refers-to-itself",
                place,
                entry.label,
                f"`after` selects the channel itself: {after.select.text}.",
                f'Leave it out of the selector, such as with "{after.select.text}, channel!={entry.name}".',
            )
        if not meant and not after.allow_empty:
            said = f"no channel has {after.select.text}" if after.select else "`after` names no channel"
            self._add("empty-after", place, entry.label, f"{said}.", "Correct it, or say `allowEmpty: true`.")
        elif isinstance(after.need, int) and meant and after.need > len(meant):
            message = f"`need: {after.need}` of {len(meant)} channels can never be met."
            self._add("unsatisfiable-need", place, entry.label, message, f"Write at most {len(meant)}, or `all`.")

    def _other_channel(self, application: str, entry: Entry[ChannelFields], name: str, field: str) -> None:
        groups = self._catalog.groups(application)
        if name in {entry.name, self._catalog.group_of(application, entry.name)}:
            what = "group" if name in groups else "channel"
            self._add(
                "refers-to-itself",
                name,
                entry.label,
                f"`{field}` names the {what} itself.",
                "Name another channel, or leave it out.",
            )
            return
        if field != "after" and name in groups:
            self._add(
                "group-as-channel",
                name,
                entry.label,
                f'`{field}` names "{name}", which is a group: it is about one channel.',
                f"Name one of its channels: {listing(groups[name].members, most=4) or 'it has none yet'}.",
            )
            return
        known = self._catalog.places(application) if field == "after" else self._catalog.channels(application)
        self._known(name, known, "channel", entry.label, field, of=f'application "{application}"')

    def _owned(self, application: str, entry: Entry[Any]) -> bool:
        """Documents below an application that is not there say so, once each."""
        if application in self._catalog.applications:
            return True
        return (
            self._known(entry.tree["application"], self._catalog.applications, "application", entry.label, "application")
            if "application" in entry.tree
            else False
        )

    def _service(self, application: str, entry: Entry[Service]) -> None:
        owned = self._owned(application, entry)
        self._workloads(entry, entry.tree, entry.tree.position)
        fragments = entry.tree.get("perChannel")
        if isinstance(fragments, Tree):
            for channel, fragment in fragments.items():
                if owned:
                    self._known(
                        channel,
                        self._catalog.places(application),
                        "channel",
                        entry.label,
                        "perChannel",
                        of=f'application "{application}"',
                    )
                if isinstance(fragment, Tree):
                    self._fragment(entry, channel, fragment)
        if entry.model:
            self._parameters(entry, entry.model)
            if owned:
                self._other_services(application, entry, entry.model)
                for name in (name for source in entry.model.sources for name in source.to):
                    places, owner = self._catalog.places(application), f'application "{application}"'
                    self._known(name, places, "channel or group", entry.label, "sources", of=owner)

    def _other_services(self, application: str, entry: Entry[Service], service: Service) -> None:
        for name in (name for after in service.after for name in after.services):
            if name == entry.name:
                hint = "Name another service, or leave it out."
                self._add("refers-to-itself", name, entry.label, "`after` names the service itself.", hint)
                continue
            owner = f'application "{application}"'
            self._known(name, self._catalog.services(application), "service", entry.label, "after", of=owner)

    def _fragment(self, entry: Entry[Service], channel: str, fragment: Tree) -> None:
        for key in fragment:
            if key in NOT_PER_CHANNEL:
                self._add(
                    "not-per-channel",
                    key,
                    entry.label,
                    f"`{key}` cannot differ from channel to channel.",
                    "Write it on the service itself.",
                )
        effective, _ = effective_service(entry, (channel,), self._problems)
        if effective:
            self._gates(entry, effective)
        if effective and "after" in fragment:
            self._other_services(str(entry.tree.get("application", "")), entry, effective)
        merged = {key for key in entry.tree if not is_null(fragment.get(key, True))} | {
            key for key, value in fragment.items() if not is_null(value) or key not in entry.tree
        }
        self._workloads(entry, dict.fromkeys(merged, True), place_of(channel))

    def _workloads(self, entry: Entry[Service], keys: Mapping[str, Any], place: Position) -> None:
        found = [name for name in WORKLOADS if name in keys]
        if not found:
            known = {*Service.written_keys(), *Service.LATER}
            if all(key in known or key.startswith("x-") for key in entry.tree):
                self._add(
                    "missing-workload",
                    place,
                    entry.label,
                    "the service does not say what runs.",
                    f"Add one of {', '.join(WORKLOADS)}, such as `process: {{command: [./server]}}`.",
                )
        elif len(found) > 1:
            self._add(
                "several-workloads",
                place,
                entry.label,
                f"a service has one workload, not {' and '.join(found)}.",
                f"Keep one; in `perChannel`, `{found[0]}: null` removes one.",
            )

    def _parameters(self, entry: Entry[Service], service: Service) -> None:
        for name, declaration in service.parameters.items():
            if declaration.default is None:
                continue
            try:
                typed(str(name), declaration, declaration.default)
            except ParameterError as error:
                self._add(
                    "bad-default",
                    declaration.default,
                    entry.label,
                    f"the default does not fit: {error}",
                    "Correct `default`, or the declaration.",
                )

    def _runtime(self, entry: Entry[Runtime]) -> None:
        found = [name for name in RUNTIME_TYPES if name in entry.tree]
        if len(found) != 1:
            said = f"{' and '.join(found)} at once" if found else "none"
            self._add(
                "one-runtime-type",
                entry.tree.position,
                entry.label,
                f"a runtime has exactly one type, but this one has {said}.",
                f"Write one of {', '.join(f'`{name}:`' for name in RUNTIME_TYPES)}.",
            )
        elif entry.name == "local" and found != ["local"]:
            self._add(
                "reserved-name",
                locate(entry.tree, ("name",)),
                entry.label,
                'the runtime "local" exists by itself and runs processes.',
                "Choose another name for this one.",
            )

    def _runnable(self, entry: Entry[Any], what: str) -> None:
        place = locate(entry.tree, ("name",))
        if what == "protection" and entry.name in BUILTINS:
            self._add(
                "reserved-name",
                place,
                entry.label,
                f'"{entry.name}" is the name of a built-in protection.',
                "Choose another name, such as one that says what it is for.",
            )
        found = [name for name in ("program", "http", "use") if name in entry.tree]
        if len(found) != 1 and "container" not in entry.tree:
            said = f"{' and '.join(found)} at once" if found else "none"
            self._add(
                "one-check-type",
                entry.tree.position,
                entry.label,
                f"a {what} has exactly one of program, http and use, but this one has {said}.",
                f"Write one, such as `program: {{command: [./{'check' if what == 'protection' else 'migrate'}]}}`.",
            )
        if entry.model is None:
            return
        if entry.model.use:
            self._builtin(entry.model.use, BUILTINS, entry.label, "use")
        if entry.model.program:
            self._program(entry, entry.model)

    def _task(self, entry: Entry[Task]) -> None:
        if entry.model and entry.model.timeout == 0:
            place, hint = locate(entry.tree, ("timeout",)), "Write a duration above 0, such as 10m."
            self._add("no-time-to-run", place, entry.label, "a timeout of 0 leaves no time to run.", hint)
        if entry.model and entry.model.use in ORDERINGS:
            message = f'"{entry.model.use}" is an ordering: it waits for others and does nothing by itself.'
            self._add("ordering-as-task", entry.model.use, entry.label, message, "Use it in `protections`, or write `after`.")

    def _program(self, entry: Entry[Any], runnable: Runnable) -> None:
        program = runnable.program
        if program is None or "${" in program.command[0] or not paths.is_relative_program(program.command[0]):
            return
        file = place_of(program.command).file
        try:
            directory = paths.beside(file, str(program.directory or "."))
            path = paths.beside(f"{directory}/_", program.command[0])
        except paths.PathError as error:
            self._add(error.code, program.command[0], entry.label, str(error), error.hint)
            return
        if path not in self._files:
            self._add(
                "missing-file",
                program.command[0],
                entry.label,
                f'the program "{path}" is not there.',
                "Correct the path: it is relative to this document; programs on PATH are named without a slash.",
            )

    def _gates(self, entry: Entry[Any], model: Gated) -> None:
        self._limits(entry, model)
        for kind, key in NAMED_LISTS.items():
            self._unique(entry, kind, [(str(gate.name or getattr(gate, key) or ""), gate) for gate in getattr(model, kind)], key)
        for protection in model.protections:
            self._builtin(protection.use, {**BUILTINS, **self._catalog.protections}, entry.label, "use")
            self._stable(entry, protection)
        for task in model.tasks:
            self._known(task.use, self._catalog.tasks, "task", entry.label, "tasks")
        if isinstance(model, Service):
            for protection in (one for step in model.rollout.steps for one in step.protections):
                self._builtin(protection.use, {**BUILTINS, **self._catalog.protections}, entry.label, "use")
        for calendar in model.calendars:
            in_place = calendar.open is not None or calendar.closed
            if calendar.name and not in_place:
                self._known(calendar.name, self._catalog.calendars, "calendar", entry.label, "calendars")
            elif not in_place:
                self._add(
                    "empty-calendar",
                    locate(entry.tree, ("calendars",)),
                    entry.label,
                    "a calendar in place says neither `open` nor `closed`.",
                    "Add one of them, or name a Calendar.",
                )

    def _stable(self, entry: Entry[Any], protection: ProtectionEntry) -> None:
        if protection.use not in ORDERINGS:
            return
        at = protection.at
        if at is not None and (at.pre_approval is None or any((at.pre_deployment, at.deployment, at.post_deployment))):
            message = "an ordering holds in the phase pre-approval only."
            self._add(
                "ordering-phase", protection.use, entry.label, message, f"Leave `at` out, or write `at: {Phase.PRE_APPROVAL}`."
            )
        for key, message, hint in argument_mistakes(str(protection.use), protection.with_):
            place = locate(protection.with_, (key,)) if key in protection.with_ else protection.use
            self._add("bad-argument", place, entry.label, message, hint)
        self._stable_names(entry, protection)

    def _stable_names(self, entry: Entry[Any], protection: ProtectionEntry) -> None:
        application = self._application_of(entry)
        if application not in self._catalog.applications:
            return
        what, known = "channel", list(self._catalog.places(application))
        if protection.use == SERVICE_STABLE:
            what, known = "service", list(self._catalog.services(application))
        given = protection.with_.get(f"{what}s", protection.with_.get(what))
        for name in given if isinstance(given, list) else [given]:
            if isinstance(name, Scalar):
                self._known(name, known, what, entry.label, "with", of=f'application "{application}"')

    def _application_of(self, entry: Entry[Any]) -> str:
        """The application that a document, or a channel in place, belongs to; an application's own name."""
        if "application" in entry.tree:
            return str(entry.tree["application"])
        for name, below in self._catalog.below.items():
            group = below.groups.get(entry.name)
            if below.channels.get(entry.name) is entry or (group and group.entry is entry):
                return name
        return entry.name

    def _limits(self, entry: Entry[Any], model: Gated) -> None:
        """Waves and failures are those of a group."""
        if model.limits is None or getattr(model, "each", None):
            return
        for key, used in (("waves", bool(model.limits.waves)), ("maxFailures", model.limits.max_failures is not None)):
            if used:
                place = locate(entry.tree, ("limits", key))
                hint = "Write it on the Channel that has `each`, or leave it out."
                self._add("not-a-group", place, entry.label, f"`{key}` is for groups of channels.", hint)

    def _unique(self, entry: Entry[Any], kind: str, names: list[tuple[str, Any]], key: str) -> None:
        seen: set[str] = set()
        for number, (name, gate) in enumerate(names):
            if name and name in seen:
                place = place_of(gate.name or getattr(gate, key))
                label = where(entry.tree, (kind, number), entry.label)
                self._add(
                    "duplicate-gate",
                    place,
                    label,
                    f'two entries of `{kind}` are named "{name}".',
                    "Give one of them a `name` of its own.",
                )
            seen.add(name)
