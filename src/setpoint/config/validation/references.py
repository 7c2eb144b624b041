"""Checks across documents: names that lead nowhere, circles, things that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import ApplicationDocument, ChannelFields, ServiceDocument
from setpoint.config.documents.channel import After
from setpoint.config.documents.service import WORKLOADS
from setpoint.config.documents.validate import locate
from setpoint.config.instances.expansion import NOT_PER_CHANNEL, effective_service
from setpoint.config.instances.labels import data_of
from setpoint.config.instances.parameters import ParameterError, typed
from setpoint.config.instances.selectors import check_selectors
from setpoint.config.policies.builtins import BUILTINS, argument_errors
from setpoint.config.policies.circles import check_circles
from setpoint.config.policies.dependencies import check_together
from setpoint.config.policies.orderings import Neighbours, neighbours_of
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.merging import is_null
from setpoint.config.syntax.yaml import Mapping as Tree
from setpoint.config.syntax.yaml import place_of
from setpoint.config.validation.gating import Gates, check_gates
from setpoint.config.validation.naming import Naming
from setpoint.config.validation.roles import check_roles
from setpoint.config.validation.runnables import check_runnables
from setpoint.model.similar import listing


def check_references(catalog: Catalog, files: Mapping[str, bytes], problems: Problems) -> list[str]:
    """Errors go to ``problems``. Returns notices."""
    notices = check_selectors(catalog, problems)
    _References(catalog, problems).check()
    check_runnables(catalog, files, problems)
    check_gates(catalog, problems)
    check_roles(catalog, problems)
    check_circles(catalog, problems)
    return notices


class _References(Naming):
    def check(self) -> None:
        if not self._catalog.documents and self._catalog.complete:
            self._problems.add(
                "no-documents",
                Position("setpoint.yaml"),
                "",
                "the configuration has no documents.",
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

    def _organization(self) -> None:
        entry = self._catalog.organization
        if entry is None or entry.model is None:
            return
        for builtin, arguments in entry.model.defaults.items():
            if not self.builtin(builtin, BUILTINS, entry.label, "defaults"):
                continue
            for key, message, hint in argument_errors(str(builtin), arguments, partial=True):
                self.add("bad-argument", locate(arguments, (key,)), entry.label, message, hint)

    def _application(self, name: str, entry: CatalogEntry[ApplicationDocument]) -> None:
        for services in entry.model.together if entry.model else ():
            for service in services:
                owner = f'application "{name}"'
                self.known(service, self._catalog.services(name), "service", entry.label, "together", of=owner)
        check_together(entry, self._problems)

    def _channel(self, application: str, entry: CatalogEntry[ChannelFields], neighbours: Neighbours) -> None:
        channel, label = entry.model, entry.label
        if not self._owned(application, entry) or channel is None:
            return
        owner = f'application "{application}"'
        for name in channel.runtimes.values() or (channel.runtime,):
            field = "runtimes" if channel.runtimes else "runtime"
            self.known(name, {"local", *self._catalog.runtimes}, "runtime", label, field)
        if channel.runtimes:
            self._roles(application, entry, channel)
        for service in channel.services or ():
            self.known(service, self._catalog.services(application), "service", label, "services", of=owner)
        for number, after in enumerate(channel.after):
            self._after(application, entry, after, number, neighbours)
        for field, other in (("mirror", channel.mirror), ("startFrom", channel.start_from)):
            if other:
                self._other_channel(application, entry, other, field)
        if channel.each is None:
            for key in ("overrides", "together"):
                if key in entry.tree:
                    hint = "Leave it out, or make it a group with `each`."
                    self.add(
                        "not-a-group", locate(entry.tree, (key,)), label, f"`{key}` is for groups: this is one channel.", hint
                    )
        elif channel.together:
            self._together(entry, neighbours)

    def _roles(self, application: str, entry: CatalogEntry[ChannelFields], channel: ChannelFields) -> None:
        """Where a channel has several runtimes, each service names its own."""
        for service in self._catalog.services(application).values():
            model = service.model
            if model is None or (channel.services is not None and service.name not in channel.services):
                continue
            if model.runtime is None:
                message = f'channel "{entry.name}" has several runtimes, and this service does not name its own.'
                hint = f"Add `runtime:` with one of {', '.join(str(role) for role in channel.runtimes)}."
                self.add("no-runtime-role", locate(service.tree, ("name",)), service.label, message, hint)
            else:
                owner = f'channel "{entry.name}"'
                self.known(model.runtime, map(str, channel.runtimes), "role in `runtimes`", service.label, "runtime", of=owner)

    def _together(self, entry: CatalogEntry[ChannelFields], neighbours: Neighbours) -> None:
        """Channels that move as one cannot wait for each other, nor start in waves (§10.5)."""
        if entry.model and entry.model.limits and entry.model.limits.waves:
            message = (
                "the channels of this group move as one, so they cannot start in `waves`: none could start before the others."
            )
            place = locate(entry.tree, ("together",))
            self.add("together-in-waves", place, entry.label, message, "Remove `together`, or `waves` from its `limits`.")
        members = self._catalog.groups(self._catalog.application_of(entry))[entry.name].members
        for name in members:
            for after in neighbours.channels[name].after if name in neighbours.channels else ():
                if named := set(neighbours.meant(after).channels) & set(members):
                    message = f'"{name}" comes after "{min(named)}", but the channels of this group move as one.'
                    place = locate(entry.tree, ("together",))
                    self.add("waits-for-its-set", place, entry.label, message, "Remove that `after`, or `together`.")
                    return

    def _after(
        self, application: str, entry: CatalogEntry[ChannelFields], after: After, number: int, neighbours: Neighbours
    ) -> None:
        """One entry of ``after``: its names lead somewhere, and it selects as many channels as it needs."""
        for name in after.channels or ():
            self._other_channel(application, entry, name, "after")
        meant = neighbours.meant(after).channels
        if not self._catalog.complete:
            return
        path = ("after", number) if isinstance(entry.tree.get("after"), list) else ("after",)
        place = locate(entry.tree, (*path, "select" if after.select else "channels"))
        if entry.name in meant and after.select:
            self.add(
                "refers-to-itself",
                place,
                entry.label,
                f"`after` selects the channel itself: {after.select.text}.",
                f'Leave it out of the selector, such as with "{after.select.text}, channel!={entry.name}".',
            )
        if any(self._problems.has(code, place) for code in ("unknown-in-selector", "unknown-label", "fact-in-select")):
            return
        if not meant and not after.allow_empty and not self._may_come(application, after):
            fault = f"no channel has {after.select.text}" if after.select else "`after` names no channel"
            self.add("empty-after", place, entry.label, f"{fault}.", "Correct it, or write `allowEmpty: true`.")
        elif isinstance(after.need, int) and meant and after.need > len(meant):
            message = f"`need: {after.need}` of {len(meant)} channels can never be met."
            self.add("unsatisfiable-need", place, entry.label, message, f"Write at most {len(meant)}, or `all`.")

    def _may_come(self, application: str, after: After) -> bool:
        """Whether channels that come from data may be meant: then the ordering waits for them, visibly (§10.5)."""
        groups = self._catalog.groups(application)
        named = groups if after.select else [name for name in after.channels or () if name in groups]
        return any(data_of(groups[name].entry.tree) for name in named)

    def _other_channel(self, application: str, entry: CatalogEntry[ChannelFields], name: str, field: str) -> None:
        groups = self._catalog.groups(application)
        if name in {entry.name, self._catalog.group_of(application, entry.name)}:
            what = "group" if name in groups else "channel"
            self.add(
                "refers-to-itself",
                name,
                entry.label,
                f"`{field}` names the {what} itself.",
                "Name another channel, or leave it out.",
            )
            return
        if field != "after" and name in groups:
            self.add(
                "group-as-channel",
                name,
                entry.label,
                f'`{field}` names "{name}", which is a group: it is about one channel.',
                f"Name one of its channels: {listing(groups[name].members, most=4) or 'it has none yet'}.",
            )
            return
        known = self._catalog.places(application) if field == "after" else self._catalog.channels(application)
        self.known(name, known, "channel", entry.label, field, of=f'application "{application}"')

    def _owned(self, application: str, entry: CatalogEntry[Any]) -> bool:
        """Documents below an application that is not there: one error each."""
        if application in self._catalog.applications:
            return True
        return (
            self.known(entry.tree["application"], self._catalog.applications, "application", entry.label, "application")
            if "application" in entry.tree
            else False
        )

    def _service(self, application: str, entry: CatalogEntry[ServiceDocument]) -> None:
        owned = self._owned(application, entry)
        self._workloads(entry, entry.tree, entry.tree.position)
        fragments = entry.tree.get("perChannel")
        if isinstance(fragments, Tree):
            for channel, fragment in fragments.items():
                if owned:
                    self.known(
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
                    self.known(name, places, "channel or group", entry.label, "sources", of=owner)

    def _other_services(self, application: str, entry: CatalogEntry[ServiceDocument], service: ServiceDocument) -> None:
        for name in (name for after in service.after for name in after.services):
            if name == entry.name:
                hint = "Name another service, or leave it out."
                self.add("refers-to-itself", name, entry.label, "`after` names the service itself.", hint)
                continue
            owner = f'application "{application}"'
            self.known(name, self._catalog.services(application), "service", entry.label, "after", of=owner)

    def _fragment(self, entry: CatalogEntry[ServiceDocument], channel: str, fragment: Tree) -> None:
        for key in fragment:
            if key in NOT_PER_CHANNEL:
                self.add(
                    "not-per-channel",
                    key,
                    entry.label,
                    f"`{key}` cannot differ from channel to channel.",
                    "Write it on the service itself.",
                )
        effective, _ = effective_service(entry, (channel,), self._problems)
        if effective:
            Gates(self._catalog, self._problems).check(entry, effective)
        if effective and "after" in fragment:
            self._other_services(str(entry.tree.get("application", "")), entry, effective)
        merged = {key for key in entry.tree if not is_null(fragment.get(key, True))} | {
            key for key, value in fragment.items() if not is_null(value) or key not in entry.tree
        }
        self._workloads(entry, dict.fromkeys(merged, True), place_of(channel))

    def _workloads(self, entry: CatalogEntry[ServiceDocument], keys: Mapping[str, Any], place: Position) -> None:
        found = [name for name in WORKLOADS if name in keys]
        if not found:
            known = {*ServiceDocument.written_keys(), *ServiceDocument.LATER}
            if all(key in known or key.startswith("x-") for key in entry.tree):
                self.add(
                    "missing-workload",
                    place,
                    entry.label,
                    "the service has nothing to run.",
                    f"Add one of {', '.join(WORKLOADS)}, such as `process: {{command: [./server]}}`.",
                )
        elif len(found) > 1:
            self.add(
                "several-workloads",
                place,
                entry.label,
                f"a service has one workload, not {' and '.join(found)}.",
                f"Keep one; in `perChannel`, `{found[0]}: null` removes one.",
            )

    def _parameters(self, entry: CatalogEntry[ServiceDocument], service: ServiceDocument) -> None:
        for name, declaration in service.parameters.items():
            if declaration.default is None:
                continue
            try:
                typed(str(name), declaration, declaration.default)
            except ParameterError as error:
                self.add(
                    "bad-default",
                    declaration.default,
                    entry.label,
                    f"the default does not fit: {error}",
                    "Correct `default`, or the declaration.",
                )
