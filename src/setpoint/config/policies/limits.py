"""``limits``: from the nodes' documents to the leases that one instance needs, and to the waves that a group goes through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from setpoint.config.catalog import Catalog, CatalogEntry, Group
from setpoint.config.documents import ChannelFields
from setpoint.config.documents.limits import LimitsBlock, WaveBlock
from setpoint.config.documents.validate import locate
from setpoint.config.instances.conditions import NEVER, decide
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.orderings import Neighbours
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import Mapping
from setpoint.model.names import with_kind, within
from setpoint.model.policy import GroupWaves, LimitUse, Wave, WaveUse


class _LimitedNode(NamedTuple):
    """One node with limits, above one instance."""

    name: str
    unit: str
    limits: LimitsBlock


class LimitCompiler:
    """Leases of instances. Shares are of all instances below the node that has the limit."""

    def __init__(self, catalog: Catalog, instances: Iterable[Instance]) -> None:
        self._catalog = catalog
        self._below = Counter(node.unit for instance in instances for node in self._nodes(instance))

    def of(self, instance: Instance) -> tuple[LimitUse, ...]:
        """In the order of evaluation: policies, runtime, application, group, channel, service."""
        found = []
        for node in self._nodes(instance):
            when = decide(node.limits.when, instance.labels)
            if node.limits.max_concurrent is not None and when is not NEVER:
                limit = amount_of(node.limits.max_concurrent, self._below[node.unit])
                found.append(LimitUse(node.name, node.unit, limit, when, _principals(node.limits)))
        return tuple(found)

    def _nodes(self, instance: Instance) -> Iterator[_LimitedNode]:
        application = str(instance.application.name)
        for policy in self._catalog.policies_of(instance.labels):
            if policy.limits:
                yield _LimitedNode(f"limit-policy-{policy.name}", with_kind("policy", policy.name), policy.limits)
        for node in ("runtime", "application", "group", "channel"):
            bearer = getattr(instance, node)
            if bearer is not None and bearer.limits:
                yield _LimitedNode(f"limit-{node}", instance.subject(node), bearer.limits)
        if instance.service.limits:
            place = self._place(application, instance)
            yield _LimitedNode(
                "limit-service", with_kind("service", within(application, instance.service.name) + place), instance.service.limits
            )

    def _place(self, application: str, instance: Instance) -> str:
        """``@channel`` or ``@group`` where ``perChannel`` limits it: those are the instances below."""
        fragments = self._catalog.services(application)[str(instance.service.name)].tree.get("perChannel")
        for name in (str(instance.channel.name), instance.group_name):
            fragment = fragments.get(name) if isinstance(fragments, Mapping) else None
            if isinstance(fragment, Mapping) and "limits" in fragment:
                return f"@{name}"
        return ""


def amount_of(amount: int | str, among: int) -> int:
    """A count; a percentage is rounded up and at least one."""
    return amount if isinstance(amount, int) else max(1, -(-int(amount[:-1]) * among // 100))


def _principals(limited: LimitsBlock | WaveBlock) -> tuple[str, ...] | None:
    return None if limited.override is None else tuple(str(principal) for principal in limited.override)


@dataclass(frozen=True)
class _Picked:
    """A wave, and whom it picks."""

    written: WaveBlock | None
    """None: those that no wave picks."""
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Waves:
    """How releases go through one group."""

    group: GroupWaves
    picked: tuple[_Picked, ...] = ()

    def of(self, instance: Instance) -> WaveUse | None:
        """With which wave an instance begins; None: it waits for none."""
        channel = str(instance.channel.name)
        for number, wave in enumerate(self.picked, 1):
            if channel in wave.channels:
                when = decide(wave.written.when, instance.labels) if wave.written else None
                override = _principals(wave.written) if wave.written else None
                return None if when is NEVER else WaveUse(self.group.group, number, when, override)
        return WaveUse(self.group.group, 1)


def waves_of(catalog: Catalog, application: str, neighbours: Neighbours, problems: Problems) -> dict[str, Waves]:
    """Group -> its waves, of those that have limits; errors go to ``problems``."""
    return {
        name: _waves(application, group, group.entry.model.limits, neighbours, problems)
        for name, group in catalog.groups(application).items()
        if group.entry.model and group.entry.model.limits
    }


def _waves(application: str, group: Group, limits: LimitsBlock, neighbours: Neighbours, problems: Problems) -> Waves:
    picked = tuple(_pick(group, limits, neighbours, problems))
    waves = tuple(
        Wave(wave.channels, wave.written.soak, str(wave.written.need)) if wave.written else Wave(wave.channels) for wave in picked
    )
    failures = "1" if limits.max_failures is None else str(limits.max_failures)
    return Waves(GroupWaves(within(application, group.entry.name), waves, failures), picked)


def _pick(group: Group, limits: LimitsBlock, neighbours: Neighbours, problems: Problems) -> Iterator[_Picked]:
    """Each wave takes of those that are left; who is left at last forms one more."""
    left = list(group.members)
    for number, wave in enumerate(limits.waves):
        wanted = left
        if wave.select is not None:
            wanted = [
                name for name in group.members if name in neighbours.labels and wave.select.matches(neighbours.labels[name])
            ]
        elif isinstance(wave.size, int) or wave.size != "rest":
            wanted = left[: amount_of(wave.size or 1, len(group.members))]
        channels = tuple(name for name in left if name in set(wanted))
        _check_need(group.entry, wave, number, channels, problems)
        left = [name for name in left if name not in set(channels)]
        if channels:
            yield _Picked(wave, channels)
    if left and limits.waves:
        yield _Picked(None, tuple(left))


def _check_need(
    group: CatalogEntry[ChannelFields], wave: WaveBlock, number: int, channels: tuple[str, ...], problems: Problems
) -> None:
    if group.sound and isinstance(wave.need, int) and channels and wave.need > len(channels):
        message = f"`need: {wave.need}` can never be met: the wave has {len(channels)} channel{'s' if len(channels) > 1 else ''}."
        hint = f"Write at most {len(channels)}, or a percentage."
        problems.add("unsatisfiable-need", _place(group, number, "need"), group.label, message, hint)


def _place(group: CatalogEntry[ChannelFields], number: int, key: str) -> Position:
    limits = group.tree.get("limits")
    written = limits.get("waves") if isinstance(limits, Mapping) else None
    path = ("limits", "waves", number, key) if isinstance(written, list) else ("limits", "waves", key)
    return locate(group.tree, path)
