"""Channels that wait for each other, by ``after`` or ``mirror``, would wait for ever."""

from __future__ import annotations

from collections.abc import Mapping

from setpoint.config.catalog import Catalog
from setpoint.config.problems import Problems
from setpoint.config.yaml import Scalar, place_of


def check_circles(catalog: Catalog, problems: Problems) -> None:
    """Each circle is reported once, where its first channel names the next."""
    for application in catalog.below:
        edges = _edges(catalog, application)
        reported: set[frozenset[str]] = set()
        for start in edges:
            found = circle(edges, start)
            if len(found) < 2 or frozenset(found) in reported:
                continue
            reported.add(frozenset(found))
            path = " → ".join(f'"{name}"' for name in [*found, found[0]])
            label = catalog.channels(application)[start].label
            problems.add(
                "circle",
                place_of(edges[start][found[1]]),
                label,
                f"these channels wait for each other: {path}.",
                "Remove one `after` or `mirror` of the circle.",
            )


def _edges(catalog: Catalog, application: str) -> dict[str, dict[str, Scalar]]:
    channels = catalog.channels(application)
    edges: dict[str, dict[str, Scalar]] = {}
    for name, entry in channels.items():
        if entry.model is None:
            continue
        named = [other for after in entry.model.after for other in after.channels] + (
            [entry.model.mirror] if entry.model.mirror else []
        )
        edges[name] = {str(other): other for other in named if isinstance(other, Scalar) and other in channels and other != name}
    return edges


def circle(edges: Mapping[str, Mapping[str, Scalar]], start: str) -> list[str]:
    """The shortest way from a node back to itself, without the return; empty: there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for following in edges.get(way[-1], {}):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
