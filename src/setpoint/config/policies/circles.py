"""Channels that wait for each other, by ``after`` or ``mirror``, would wait without end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from setpoint.config.catalog import Catalog
from setpoint.config.documents import ChannelFields
from setpoint.config.documents.validate import locate
from setpoint.config.policies.orderings import Neighbours, neighbours_of
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import Mapping as Tree
from setpoint.config.syntax.yaml import Sequence, place_of


def check_circles(catalog: Catalog, problems: Problems) -> None:
    """A circle is reported where its first channel names the next; others that share a part of it are not."""
    for application in catalog.below:
        neighbours = neighbours_of(catalog, application)
        edges = _edges(catalog, application, neighbours)
        reported: set[Position] = set()
        waiting = in_circles(edges)
        for start in (name for name in neighbours.channels if name in waiting):
            found = circle(edges, start)
            ways = [edges[one][other] for one, other in pairwise([*found, start])]
            if len(found) < 2 or not reported.isdisjoint(ways):
                continue
            reported.update(ways)
            place = ways[0]
            path = " → ".join(f'"{name}"' for name in [*found, start])
            problems.add(
                "circle",
                place,
                catalog.where_at(place) or catalog.channels(application)[start].label,
                f"these channels wait for each other: {path}.",
                "Remove one `after` or `mirror` of the circle.",
            )


Edges = Mapping[str, Mapping[str, Position]]


def _edges(catalog: Catalog, application: str, neighbours: Neighbours) -> Edges:
    """Channel or group -> what it waits for, and where that was written; a group waits for each of its channels."""
    edges: dict[str, dict[str, Position]] = {
        name: dict.fromkeys(members, place_of(catalog.groups(application)[name].entry.tree))
        for name, members in neighbours.groups.items()
    }
    for name, channel in neighbours.channels.items():
        edges[name] = _waits(catalog.channels(application)[name].tree, channel, neighbours, own=name)
    return edges


def _waits(tree: Tree, channel: ChannelFields, neighbours: Neighbours, *, own: str) -> dict[str, Position]:
    found: dict[str, Position] = {}
    for number, entry in enumerate(channel.after):
        for name in entry.channels or ():
            found.setdefault(str(name), place_of(name))
        if entry.select:
            place = _place_of_select(tree, number)
            for name in neighbours.meant(entry).channels:
                found.setdefault(name, place)
    if channel.mirror:
        found.setdefault(str(channel.mirror), place_of(channel.mirror))
    known = neighbours.channels.keys() | neighbours.groups.keys()
    return {name: place for name, place in found.items() if name in known and name != own}


def _place_of_select(tree: Tree, number: int) -> Position:
    written = tree.get("after")
    return locate(tree, ("after", number, "select") if isinstance(written, Sequence) else ("after", "select"))


def in_circles(edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Nodes that may be on a circle: what is left once those that come after nothing, and nothing comes after, are taken away."""
    left = _without_ends({node: set(others) for node, others in edges.items()})
    back: dict[str, set[str]] = {node: set() for node in left}
    for node in left:
        for other in edges[node]:
            if other in left:
                back[other].add(node)
    return _without_ends(back)


def _without_ends(edges: Mapping[str, set[str]]) -> set[str]:
    """What is left when nodes that lead nowhere are taken away, again and again."""
    into: dict[str, list[str]] = {}
    for node, others in edges.items():
        for other in others:
            into.setdefault(other, []).append(node)
    count = {node: sum(other in edges for other in others) for node, others in edges.items()}
    ends = [node for node, number in count.items() if not number]
    gone: set[str] = set()
    while ends:
        node = ends.pop()
        gone.add(node)
        for before in into.get(node, ()):
            if before in count:
                count[before] -= 1
                if not count[before]:
                    ends.append(before)
    return set(edges) - gone


def circle(edges: Mapping[str, Iterable[str]], start: str) -> list[str]:
    """The shortest way from a node back to itself, without the return; empty: there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for following in edges.get(way[-1], ()):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
