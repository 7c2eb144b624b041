"""``after: X`` where X lacks the service holds nothing back: an error, unless it has ``allowEmpty: true`` (§10.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.config.catalog import Catalog
from setpoint.config.documents.channel import After
from setpoint.config.instances.conditions import NEVER, decide
from setpoint.config.instances.labels import data_of
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.selectors import find_selector
from setpoint.config.policies.orderings import Neighbours
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import place_of
from setpoint.model.similar import listing


@dataclass
class Lacking:
    """Collects what entries of ``after`` mean that lacks the service: one error for each name or selector."""

    catalog: Catalog
    problems: Problems
    _found: dict[tuple[Position, str], dict[str, None]] = field(default_factory=dict)
    _known: dict[tuple[int, str], list[tuple[Position, str]]] = field(default_factory=dict)

    def note(self, instance: Instance, entry: After, neighbours: Neighbours, place: Position | None = None) -> None:
        """Look at one entry as it concerns one instance. ``place``: of one that stands elsewhere than in ``after``."""
        if not (self.catalog.complete and instance.sound) or entry.allow_empty or decide(entry.when, instance.labels) is NEVER:
            return
        service = str(instance.service.name)
        key = (id(entry), service)
        if key not in self._known or place:
            self._known[key] = list(self._lacking(instance, entry, neighbours, place))
        for one in self._known[key]:
            self._found.setdefault(one, {})[service] = None

    def report(self) -> None:
        """All that was found becomes errors."""
        for (place, what), services in self._found.items():
            names = listing((f'"{one}"' for one in services), most=4)
            message = f"`after` means {what}, which does not have the service{'s' if len(services) > 1 else ''} {names}."
            hint = "Give it the service, or write `{…, allowEmpty: true}`: then its own `after` applies in its place."
            self.problems.add("after-lacks-service", place, self.catalog.where_at(place), message, hint)

    def _lacking(
        self, instance: Instance, entry: After, neighbours: Neighbours, place: Position | None
    ) -> Iterator[tuple[Position, str]]:
        """Names in an entry, or its selector, none of whose channels has the service; what comes from data is left out."""
        application = str(instance.application.name)
        data = {name for name, group in self.catalog.groups(application).items() if data_of(group.entry.tree)}
        if entry.select is not None:
            names = neighbours.meant(entry).channels
            if names and not data and not any(neighbours.has(instance, name) for name in names):
                tree = self.catalog.channels(application)[str(instance.channel.name)].tree
                yield find_selector(tree, entry.select.text, "select") or tree.position, f"channels with {entry.select.text}"
            return
        for name in entry.channels or ():
            channels = neighbours.groups.get(name, (name,))
            if name in data or not channels or not (name in neighbours.channels or name in neighbours.groups):
                continue
            if not any(neighbours.has(instance, channel) for channel in channels):
                yield place or place_of(name), f'"{name}"'
