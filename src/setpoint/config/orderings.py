"""``after``: from the channels named to the instances of the same service that must have finalized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from setpoint.config.conditions import NEVER, both, decide
from setpoint.config.documents import ChannelFields
from setpoint.config.documents.channel import After
from setpoint.config.scope import Instance
from setpoint.model.policy import Ordering
from setpoint.model.selector import Selector


@dataclass(frozen=True)
class Neighbours:
    """The channels of an application, and which of them have the service in question."""

    channels: Mapping[str, ChannelFields]
    instances: frozenset[str]

    def instance(self, like: Instance, channel: str) -> str:
        """Name of the same service's instance in another channel."""
        return f"{like.application.name}/{like.service.name}@{channel}"

    def has(self, like: Instance, channel: str) -> bool:
        """Whether the channel has the service."""
        return self.instance(like, channel) in self.instances


def orderings(instance: Instance, neighbours: Neighbours) -> list[Ordering]:
    """Those of the instance's channel; a channel without the service is stood in for by its own."""
    found: list[Ordering] = []
    for entry in instance.channel.after:
        found += entry_orderings(instance, entry, neighbours)
    return found


def entry_orderings(
    instance: Instance, entry: After, neighbours: Neighbours, also: Selector | None = None, seen: frozenset[str] = frozenset()
) -> list[Ordering]:
    """One entry, and what stands in for channels that lack the service; nothing where it can never apply."""
    when = both(also, decide(entry.when, instance.labels))
    if when is NEVER:
        return []
    names = [str(name) for name in entry.channels]
    present = [name for name in names if neighbours.has(instance, name)]
    absent = [name for name in names if name not in present and name not in seen]
    found = []
    if entry.need == "all":
        for name in absent:
            for own in neighbours.channels[name].after if name in neighbours.channels else ():
                found += entry_orderings(instance, own, neighbours, when, seen | {name})
    elif absent:
        present, satisfied = _with_stand_ins(instance, present, absent, neighbours)
        if satisfied:
            return []
    if present:
        found.insert(0, _ordering(instance, entry, names, present, when, neighbours))
    return found


def _with_stand_ins(instance: Instance, present: list[str], absent: list[str], neighbours: Neighbours) -> tuple[list[str], bool]:
    """Among alternatives, a channel without the service counts as those it comes after; one that comes after none is met."""
    for name in absent:
        before = _before(instance, name, neighbours, frozenset())
        if not before:
            return [], True
        present = present + [other for other in before if other not in present]
    return present, False


def _before(instance: Instance, channel: str, neighbours: Neighbours, seen: frozenset[str]) -> list[str]:
    found: list[str] = []
    entries = neighbours.channels[channel].after if channel in neighbours.channels and channel not in seen else ()
    for name in (str(name) for entry in entries for name in entry.channels):
        found += [name] if neighbours.has(instance, name) else _before(instance, name, neighbours, seen | {channel})
    return found


def _ordering(
    instance: Instance, entry: After, names: list[str], present: list[str], when: Selector | None, neighbours: Neighbours
) -> Ordering:
    return Ordering(
        name=str(entry.name or "after-" + "-".join(names)),
        instances=tuple(neighbours.instance(instance, name) for name in present),
        channels=tuple(names),
        soak=entry.soak,
        need=needed(entry.need, len(present)),
        when=when,
        override=None if entry.override is None else tuple(str(principal) for principal in entry.override),
    )


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
