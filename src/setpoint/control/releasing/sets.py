"""Which instances of a release move as one, and releases that name only part of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.errors import Refused
from setpoint.model.names import channel_of, short_name, within
from setpoint.model.release import Release

HINT = "Name them all, or add --alone: each then moves separately."


def sets(configuration: CompiledConfiguration, release: Release, named: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Name of each set -> its members. One named only in part is left out: a person chose so, or only part of it changed."""
    if release.alone:
        return {}
    configured = configuration.together(release.application)
    whole = {name: members for name, members in configured.items() if all(member in named for member in members)}
    return whole if not release.together else _merged(whole, _by_channel(configuration, release.application, named))


def check_whole(configuration: CompiledConfiguration, application: str, named: Collection[str]) -> None:
    """Raises Refused when only part of a set would be released."""
    for members in configuration.together(application).values():
        left = [member for member in members if member not in named]
        if left and len(left) < len(members):
            moving = next(member for member in members if member in named)
            raise Refused(
                f"{short_name(moving)} moves together with {', '.join(map(short_name, left))}, not named by this release.", HINT
            )


def check_size(configuration: CompiledConfiguration, release: Release, named: Collection[str]) -> None:
    """Raises Refused when a set of this release is larger than a limit above it: it could never start (§10.5)."""
    for members in sets(configuration, release, named).values() if release.together else ():
        if why := configuration.oversized(members):
            raise Refused(f"This release can never start: {why}.", "Release fewer services together, or raise `maxConcurrent`.")


def _by_channel(configuration: CompiledConfiguration, application: str, named: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for instance in sorted(named):
        if not configuration.policy(instance).mirror:
            found.setdefault(within(application, channel_of(instance)), []).append(instance)
    return {name: tuple(members) for name, members in found.items() if len(members) > 1}


def _merged(one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Sets that share a member are one: no member moves with two."""
    merged: dict[str, set[str]] = {}
    for name, members in sorted([*one.items(), *other.items()]):
        touching = [known for known, those in merged.items() if those & set(members)]
        joined = set(members).union(*(merged.pop(known) for known in touching))
        merged[min([name, *touching])] = joined
    return {name: tuple(sorted(members)) for name, members in sorted(merged.items())}
