"""What a subject can look up, and which labels an instance has."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from setpoint.config.documents import ApplicationDocument, ChannelFields, OrganizationDocument, RuntimeDocument, ServiceDocument
from setpoint.config.syntax.lookups import PLACEHOLDER, Budget, Report, resolve_tree
from setpoint.config.syntax.merging import merge_maps
from setpoint.config.syntax.yaml import Mapping
from setpoint.model.grammars import lookup
from setpoint.model.names import format_instance, with_kind, within

LEVELS = ("organization", "application", "runtime", "group", "channel", "instance", "attempt")


@dataclass(frozen=True)
class Instance:
    """One service in one channel, with every document about it; ``service`` has ``perChannel`` merged in."""

    application: ApplicationDocument
    channel: ChannelFields
    service: ServiceDocument
    runtime: RuntimeDocument
    organization: OrganizationDocument | None
    sound: bool = True
    """Whether every document that contributes could be read whole."""
    group: ChannelFields | None = None
    """The group that the channel is one of, if it is."""

    @cached_property
    def name(self) -> str:
        """``application/service@channel``."""
        return format_instance(self.application.name, self.service.name, self.channel.name)

    @property
    def timezone(self) -> str:
        """Of the channel."""
        return str(self.channel.timezone or self.application_timezone)

    @property
    def application_timezone(self) -> str:
        """Of the application."""
        return str(self.application.timezone or self.organization_timezone)

    @property
    def organization_timezone(self) -> str:
        """Of everything else."""
        return str(self.organization.timezone) if self.organization else "UTC"

    @property
    def group_name(self) -> str:
        """Empty: the channel belongs to none."""
        return str(self.group.name) if self.group else ""

    @cached_property
    def labels(self) -> dict[str, str]:
        """Those that always exist, and the nodes' own; the later of application, runtime, channel, service wins."""
        nodes = [own_labels(node) for node in (self.application, self.runtime, self.channel, self.service)]
        fixed = place_labels(nodes, str(self.application.name), str(self.channel.name), self.group_name, str(self.runtime.name))
        return fixed | {"service": str(self.service.name)}

    def subject(self, level: str) -> str:
        """Id of the subject that this instance has at a level."""
        level = self._level(level)
        ids = {
            "organization": "organization",
            "application": with_kind("application", self.application.name),
            "runtime": with_kind("runtime", self.runtime.name),
            "group": with_kind("group", within(self.application.name, self.group_name)),
            "channel": with_kind("channel", within(self.application.name, self.channel.name)),
        }
        return ids.get(level) or with_kind(level, self.name)

    def zone(self, level: str) -> str:
        """The time zone of a subject."""
        zones = {
            "organization": self.organization_timezone,
            "runtime": self.organization_timezone,
            "application": self.application_timezone,
            "group": str((self.group and self.group.timezone) or self.application_timezone),
        }
        return zones.get(self._level(level)) or self.timezone

    def facts(self, level: str) -> dict[str, str]:
        """The names that a subject has."""
        level = self._level(level)
        names = {root: str(getattr(self, root).name) for root in _ROOTS[level]}
        return names | ({"group": self.group_name} if level == "group" else {})

    def values(self, level: str, report: Report) -> dict[str, Any]:
        """What a subject at this level can look up, apart from the attempt and arguments."""
        level = self._level(level)
        values: dict[str, Any] = {root: self._node(root) for root in _ROOTS[level]}
        if level == "group":
            values["channel"] = {"group": self.group_name, "timezone": self.zone(level)}
        raw = merge_maps(*(getattr(self, node).constants for node in ("organization", *_CONSTANTS[level]) if getattr(self, node)))
        return values | {"constants": resolve_constants(raw, values, report)}

    def _level(self, level: str) -> str:
        """A channel that belongs to no group stands for itself."""
        return "channel" if level == "group" and self.group is None else level

    def _node(self, root: str) -> dict[str, Any]:
        node = getattr(self, root)
        found: dict[str, Any] = {"name": str(node.name), "labels": own_labels(node)}
        return found | {"timezone": self.timezone, "group": self.group_name} if root == "channel" else found


_ROOTS: AnyMapping[str, tuple[str, ...]] = {
    "organization": (),
    "application": ("application",),
    "runtime": ("runtime",),
    "group": ("application",),
    "channel": ("application", "channel", "runtime"),
    "instance": ("application", "channel", "service", "runtime"),
    "attempt": ("application", "channel", "service", "runtime"),
}
_CONSTANTS: AnyMapping[str, tuple[str, ...]] = {
    "organization": (),
    "application": ("application",),
    "runtime": ("runtime",),
    "group": ("application", "group"),
    "channel": ("application", "runtime", "channel"),
    "instance": ("application", "runtime", "channel", "service"),
    "attempt": ("application", "runtime", "channel", "service"),
}


def own_labels(node: Any) -> dict[str, str]:
    """The labels that a document sets."""
    return {str(key): str(value) for key, value in node.labels.items()}


def place_labels(
    nodes: Iterable[AnyMapping[str, str]], application: str, channel: str, group: str, runtime: str
) -> dict[str, str]:
    """The labels of a channel: its nodes' own, the later wins, and those that always exist."""
    merged: dict[str, str] = {}
    for labels in nodes:
        merged |= labels
    return merged | {"application": application, "channel": channel, "group": group, "runtime": runtime}


MAX_CHAIN = 50
"""So many constants may look each other up in a row."""


def resolve_constants(raw: Mapping, values: AnyMapping[str, Any], report: Report) -> dict[str, Any]:
    """Constants may look up nodes and each other; a circle is reported and left out."""
    done: dict[str, Any] = {}
    budget = Budget()

    def settle(name: str, waiting: tuple[str, ...]) -> None:
        if len(waiting) >= MAX_CHAIN:
            report("lookup-too-large", raw[name], f"more than {MAX_CHAIN} constants look each other up in a row")
            done[name] = PLACEHOLDER
            return
        for other in sorted(_constants_in(raw[name])):
            if other in (*waiting, name):
                report("lookup-circle", raw[name], " → ".join((*waiting, name, other)))
                done[name] = PLACEHOLDER
                return
            if other in raw and other not in done:
                settle(other, (*waiting, name))
        if name not in done:
            done[name] = resolve_tree(raw[name], {**values, "constants": done}, report, budget=budget)

    for name in raw:
        if name not in done:
            settle(name, ())
    return {str(name): done[name] for name in raw}


def _constants_in(value: Any) -> set[str]:
    if isinstance(value, str):
        return {path[1] for path in lookup.paths(value) if path[0] == "constants" and len(path) > 1}
    items = value.values() if isinstance(value, AnyMapping) else value if isinstance(value, list | tuple) else ()
    return set().union(*(_constants_in(item) for item in items))
