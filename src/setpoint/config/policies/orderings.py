"""``after``: from the channels named to the instances of the same service that must have finalized."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from setpoint.config.catalog import Catalog
from setpoint.config.documents import ApplicationDocument, ChannelFields
from setpoint.config.documents.channel import After
from setpoint.config.instances.conditions import NEVER, both, decide
from setpoint.config.instances.expansion import find_runtime
from setpoint.config.instances.scope import Instance, own_labels, place_labels
from setpoint.model.grammars.selector import Selector
from setpoint.model.names import format_instance
from setpoint.model.policy import Ordering


@dataclass(frozen=True)
class Neighbours:
    """The channels of an application, and which of them have which service."""

    channels: Mapping[str, ChannelFields]
    groups: Mapping[str, tuple[str, ...]]
    """Group -> its channels, in their order."""
    labels: Mapping[str, Mapping[str, str]]
    """Channel -> what a selector sees of it."""
    instances: AbstractSet[str]
    _meant: dict[tuple[tuple[str, ...], str], Meant] = field(default_factory=dict)
    _present: dict[tuple[str, tuple[str, ...]], tuple[list[str], list[str]]] = field(default_factory=dict)

    def instance(self, like: Instance, channel: str) -> str:
        """Name of the same service's instance in another channel."""
        return format_instance(like.application.name, like.service.name, channel)

    def has(self, like: Instance, channel: str) -> bool:
        """Whether the channel has the service."""
        return self.instance(like, channel) in self.instances

    def divided(self, like: Instance, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """Of these channels, those that have the service, and those that do not; counted once for all that come after them."""
        key = (str(like.service.name), names)
        if key not in self._present:
            there = [name for name in names if self.has(like, name)]
            has = set(there)
            self._present[key] = (there, [name for name in names if name not in has])
        return self._present[key]

    def meant(self, entry: After) -> Meant:
        """The channels of an entry: those it names, those of groups it names, or those it selects."""
        key = (tuple(str(name) for name in entry.channels or ()), entry.select.text if entry.select else "")
        if key not in self._meant:
            self._meant[key] = self._selected(entry.select) if entry.select else self._named(key[0])
        return self._meant[key]

    def _named(self, names: tuple[str, ...]) -> Meant:
        found = [channel for name in names for channel in self.groups.get(name, (name,))]
        members = {channel for name in names if name not in self.channels for channel in self.groups.get(name, ())}
        return Meant(tuple(dict.fromkeys(found)), frozenset(members.difference(names)), names)

    def _selected(self, select: Selector) -> Meant:
        found = tuple(name for name, labels in self.labels.items() if select.matches(labels))
        return Meant(found, frozenset(name for name in found if self.labels[name]["group"]), (f"channels with {select.text}",))


class Meant(NamedTuple):
    """What an entry of ``after`` comes to."""

    channels: tuple[str, ...]
    members: frozenset[str]
    """Those that are meant as channels of a group: one that does not take the version does not count."""
    written: tuple[str, ...]
    """As it was written, for people."""


def neighbours_of(catalog: Catalog, application: str, instances: AbstractSet[str] = frozenset()) -> Neighbours:
    """Of one application."""
    channels = {name: entry.model for name, entry in catalog.channels(application).items() if entry.model}
    groups = {name: group.members for name, group in catalog.groups(application).items()}
    owner = catalog.applications.get(application)
    labels = {name: channel_labels(catalog, owner.model if owner else None, channel) for name, channel in channels.items()}
    return Neighbours(channels, groups, labels, instances)


def channel_labels(catalog: Catalog, application: ApplicationDocument | None, channel: ChannelFields) -> dict[str, str]:
    """What a selector of channels sees of one."""
    runtime = find_runtime(catalog, channel)
    nodes = [own_labels(node) for node in (application, runtime, channel) if node]
    name = str(application.name) if application else ""
    return place_labels(nodes, name, str(channel.name), catalog.group_of(name, str(channel.name)), str(channel.runtime))


def orderings(instance: Instance, neighbours: Neighbours) -> list[Ordering]:
    """Those of the instance's channel; a channel without the service is stood in for by its own."""
    found: list[Ordering] = []
    for entry in instance.channel.after:
        found += entry_orderings(instance, entry, neighbours)
    return found


def entry_orderings(
    instance: Instance, entry: After, neighbours: Neighbours, also: Selector | None = None, seen: frozenset[str] = frozenset()
) -> list[Ordering]:
    """One entry, and what stands in for channels that lack the service (§10.5); nothing where it can never apply.

    ``seen``: the channels that it stands in for; such an entry is met where its own channels lack the service, too.
    """
    when = both(also, decide(entry.when, instance.labels))
    if when is NEVER:
        return []
    meant = neighbours.meant(entry)
    names = meant.channels
    present, lacking = neighbours.divided(instance, names)
    absent = [name for name in lacking if name not in seen]
    found, met = [], 0
    if entry.need == "all":
        for name in absent:
            for own in neighbours.channels[name].after if name in neighbours.channels else ():
                found += entry_orderings(instance, own, neighbours, when, seen | {name})
    elif absent:
        present, met = _with_stand_ins(instance, present, absent, neighbours)
        met = met if entry.allow_empty or seen else 0
    need = needed(entry.need, len(present) + met) or len(present) + met
    if (present and need > met) or not names or not (present or met or entry.allow_empty or seen):
        found.insert(0, _ordering(instance, entry, meant, present, when, neighbours, need - met))
    return found


def _with_stand_ins(instance: Instance, present: list[str], absent: list[str], neighbours: Neighbours) -> tuple[list[str], int]:
    """Among alternatives, a channel without the service counts as those it comes after. How many come after none, too."""
    met = 0
    for name in absent:
        before = _before(instance, name, neighbours, frozenset())
        met += not before
        present = present + [other for other in before if other not in present]
    return present, met


def _before(instance: Instance, channel: str, neighbours: Neighbours, seen: frozenset[str]) -> list[str]:
    found: list[str] = []
    entries = neighbours.channels[channel].after if channel in neighbours.channels and channel not in seen else ()
    for name in (name for entry in entries for name in neighbours.meant(entry).channels):
        found += [name] if neighbours.has(instance, name) else _before(instance, name, neighbours, seen | {channel})
    return found


def _ordering(
    instance: Instance, entry: After, meant: Meant, present: list[str], when: Selector | None, neighbours: Neighbours, need: int
) -> Ordering:
    return Ordering(
        name=str(entry.name or _name(entry)),
        instances=tuple(neighbours.instance(instance, name) for name in present),
        channels=meant.written,
        soak=entry.soak,
        need=need if need < len(present) else 0,
        members=tuple(neighbours.instance(instance, name) for name in present if name in meant.members),
        allow_empty=bool(entry.allow_empty),
        when=when,
        override=None if entry.override is None else tuple(str(principal) for principal in entry.override),
    )


def _name(entry: After) -> str:
    """Of an entry that has none of its own."""
    if entry.select is None:
        return "after-" + "-".join(str(name) for name in entry.channels or ())
    return "after-" + (re.sub(r"[^a-z0-9]+", "-", entry.select.text.lower()).strip("-") or "every-channel")


def needed(need: int | str, among: int) -> int:
    """How many; 0 is all of them. A percentage is rounded up and at least one."""
    if need == "all":
        return 0
    if need == "any":
        return 1
    if isinstance(need, str):
        need = max(1, -(-int(need[:-1]) * among // 100))
    return 0 if need >= among else need


def unique(found: list[Ordering]) -> tuple[Ordering, ...]:
    """The same one once; others of the same name get a number."""
    result: list[Ordering] = []
    for ordering in found:
        if ordering in result:
            continue
        taken = sum(other.name == ordering.name or other.name.startswith(f"{ordering.name}-") for other in result)
        result.append(ordering if not taken else _renamed(ordering, f"{ordering.name}-{taken + 1}"))
    return tuple(result)


def _renamed(ordering: Ordering, name: str) -> Ordering:
    fields = {field: getattr(ordering, field) for field in ordering.__struct_fields__}
    return Ordering(**{**fields, "name": name})
