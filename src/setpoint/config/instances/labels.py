"""Which labels and names there are: what a selector can require, and what of it comes from data of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.syntax.yaml import Mapping
from setpoint.model.grammars.selector import Term
from setpoint.model.similar import closest


@dataclass
class Labels:
    """Every label of a configuration with its values, and the names that selectors see as labels."""

    names: dict[str, set[str]]
    """``channel``, ``service`` … -> the names there are."""
    values: dict[str, set[str]] = field(default_factory=dict)
    """Key -> values, of labels that documents set."""
    from_data: set[str] = field(default_factory=set)
    """Keys that entries of data have: their values come and go with the data."""
    data_groups: dict[str, set[str]] = field(default_factory=dict)
    """Application -> its groups whose channels come from data."""

    def missing(self, term: Term) -> tuple[str, str] | None:
        """What a term requires that occurs nowhere: its key, or its key and one value. None: all of it occurs."""
        known = self.names.get(term.key, self.values.get(term.key))
        if known is None:
            return term.key, ""
        lacking = [value for value in term.values or () if value not in known]
        return (term.key, lacking[0]) if lacking else None

    def may_come(self, key: str, value: str, application: str | None) -> bool:
        """Whether data could bring it: labels of tenants, clusters, pull requests. ``application``: None for all of them."""
        groups = set().union(*(self.data_groups.values() if application is None else [self.data_groups.get(application, set())]))
        if not groups:
            return False
        if key in self.names:
            return key == "channel" and any(value.startswith(f"{group}-") for group in groups)
        if not value or key not in self.values:
            return not closest(key, [*self.names, *self.values])
        return key in self.from_data or not closest(value, self.values[key])


def labels_of(catalog: Catalog) -> Labels:
    """Those of all documents, channels in place, entries and overrides of groups among them."""
    below = catalog.below.values()
    labels = Labels(
        {
            "application": set(catalog.applications),
            "channel": {name for one in below for name in one.channels},
            "group": {"", *(name for one in below for name in one.groups)},
            "service": {name for one in below for name in one.services},
            "runtime": {"local", *catalog.runtimes},
        }
    )
    for tree in _labelled(catalog):
        for key, value in _own(tree):
            labels.values.setdefault(key, set()).add(value)
    for application, one in catalog.below.items():
        for name, group in one.groups.items():
            if source := data_of(group.entry.tree):
                labels.data_groups.setdefault(application, set()).add(name)
                for member in group.members:
                    chosen = catalog.runtimes.get(str(one.channels[member].tree.get("runtime")))
                    tree = chosen.tree if source == "runtimes" and chosen else one.channels[member].tree
                    labels.from_data |= {key for key, _ in _own(tree)}
                labels.from_data -= {key for key, _ in _own(group.entry.tree)}
    return labels


def data_of(group: Mapping) -> str:
    """``itemsFrom``, ``runtimes`` or ``pullRequests`` where the channels of a group come from data; empty: they are written."""
    each = group.get("each")
    found = (name for name in ("itemsFrom", "runtimes", "pullRequests") if isinstance(each, Mapping) and name in each)
    return next(found, "")


def _labelled(catalog: Catalog) -> Iterator[Any]:
    entries: list[CatalogEntry[Any]] = [*catalog.applications.values(), *catalog.runtimes.values()]
    for below in catalog.below.values():
        groups = [group.entry for group in below.groups.values()]
        entries += [*groups, *below.channels.values(), *below.services.values()]
        for group in groups:
            yield from _children(group.tree.get("overrides"))
        for service in below.services.values():
            yield from _children(service.tree.get("perChannel"))
    yield from (entry.tree for entry in entries)


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping) and "select" not in node:
        yield from node.values()
    else:
        yield from node if isinstance(node, list) else () if node is None else (node,)


def _own(tree: Any) -> Iterator[tuple[str, str]]:
    labels = tree.get("labels") if isinstance(tree, Mapping) else None
    if isinstance(labels, Mapping):
        yield from ((str(key), str(value)) for key, value in labels.items())
