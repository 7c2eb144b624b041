"""What holds up many: instances grouped by what stands at the end of what each of them waits for. Pure.

An instance waits for what its first reason is about. Where that is another instance, or something that other instances have,
the way leads on, until it ends at an instance that waits for no other: the leaf. Circles end where they close.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from setpoint.core.admission.state import AdmissionState, WaveProgress
from setpoint.core.facts import MemberResult
from setpoint.model.names import is_kind, is_lease, is_wave, key_of, wave_unit
from setpoint.model.policy import GroupWaves
from setpoint.model.reasons import Code, Reason

_MOVING = frozenset({Code.NOT_HEALTHY_YET, Code.APPLY_IN_PROGRESS, Code.APPLY_FAILED})
"""Reasons whose texts contain progress: they are the same whatever their texts."""


_ENDED_BY_A_PERSON = frozenset({Code.HELD, Code.WAVE_STOPPED})


class Culprit(msgspec.Struct, frozen=True, gc=False):
    """One cause, and every instance that it blocks."""

    reason: Reason
    """As of the instance that has waited for it the longest; ``until`` is the next look at any of them."""
    leaves: tuple[str, ...]
    """Instances that have the reason themselves, requested or not."""
    behind: tuple[str, ...]
    """Of those requested, the ones that wait for a leaf; sorted."""
    through: tuple[str, ...] = ()
    """Instances between both, where there are some."""

    @property
    def held_up(self) -> int:
        """How many do not go on because of it."""
        return len({*self.leaves, *self.behind})


First = Mapping[str, Reason | None]
"""Instance -> the reason that matters most for it; None: it has none."""
Takers = Mapping[str, Sequence[str]]
"""Unit of admission -> instances that have it, or that it waits for."""


class _Way(msgspec.Struct, frozen=True):
    """From an instance to where its waiting ends."""

    path: tuple[str, ...]
    reason: Reason
    """Of the leaf, which is last."""


def culprits(reasons_of: Mapping[str, Iterable[Reason]], first: First, takers: Takers) -> list[Culprit]:
    """What blocks the requested instances, each for all of its own reasons, and others on the way for their first one.

    What failed comes first, then what holds up most, then what does so longest.
    """
    found: dict[tuple[str, ...], list[_Way]] = {}
    for instance in sorted(reasons_of):
        for reason in reasons_of[instance]:
            way = _way(instance, reason, first, takers)
            found.setdefault(_key(way.reason), []).append(way)
    all_of_them = [_culprit(ways) for ways in found.values()]
    return sorted(all_of_them, key=lambda one: (not one.reason.failed, -one.held_up, one.reason.since, one.reason.text))


def leads_to(reason: Reason, takers: Takers) -> Sequence[str]:
    """Instances that a reason is about, the likeliest first. What ends automatically, or by a person's act, leads to none."""
    subject = reason.subject
    if reason.until is not None or reason.code in _ENDED_BY_A_PERSON:
        return ()
    if is_lease(subject) or is_wave(subject):
        return takers.get(subject, ())
    instance = key_of(subject) if is_kind(subject, "instance") else subject
    return (instance,) if "@" in instance and ":" not in instance else ()


def takers_of(admission: AdmissionState | None) -> dict[str, tuple[str, ...]]:
    """Who has each lease, and whom the waves of each group wait for, so that the way leads on to them."""
    if admission is None:
        return {}
    found = {
        unit: tuple(
            name
            for key in keys
            if (request := admission.requests.get(key))
            for name in _names(request.requester, request.members)
        )
        for unit, keys in admission.holders.items()
        if is_lease(unit)
    }
    for progress in reversed(admission.wave_progress.values()):
        unit = wave_unit(progress.group)
        found[unit] = (*found.get(unit, ()), *_behindhand(progress, admission.groups.get(progress.group)))
    return found


def _behindhand(progress: WaveProgress, rules: GroupWaves | None) -> Iterator[str]:
    """Instances that the last open wave waits for: those that failed, then those still to come."""
    wave = rules.waves[progress.open - 1] if rules and progress.open <= len(rules.waves) else None
    channels = [channel for channel in wave.channels if channel in progress.members] if wave else []
    for wanted in (MemberResult.FAILED, None):
        for channel in channels:
            if progress.channels.get(channel) == wanted:
                yield from (one for one in progress.members[channel] if not _is_through(progress, one))


def _is_through(progress: WaveProgress, instance: str) -> bool:
    stance = progress.results.get(instance)
    return stance is not None and stance.state in {MemberResult.FINALIZED, MemberResult.OUT}


def _names(requester: str, members: tuple[str, ...]) -> tuple[str, ...]:
    return members or (key_of(requester),)


def _way(start: str, reason: Reason, first: First, takers: Takers) -> _Way:
    path = [start]
    while onward := [one for one in leads_to(reason, takers) if first.get(one)]:
        fresh = next((one for one in onward if one not in path), None)
        path = [*path, fresh] if fresh else _closed(path, onward[0])
        reason = first.get(path[-1]) or reason
        if fresh is None:
            break
    return _Way(tuple(path), reason)


def _closed(path: list[str], again: str) -> list[str]:
    """The way ran into itself: the first by name of the circle stands for it, from wherever one comes."""
    before, circle = path[: path.index(again)], path[path.index(again) :]
    leaf = min(circle)
    return [*before, leaf] if before or path[0] == leaf else [path[0], leaf]


def _key(reason: Reason) -> tuple[str, ...]:
    """Reasons with the same key are one thing to see to."""
    what = reason.subject or ("" if reason.code in _MOVING and not reason.failed else reason.text)
    return (reason.code, reason.gate, what)


def _culprit(ways: list[_Way]) -> Culprit:
    longest = min((way.reason for way in ways), key=lambda reason: (reason.since, reason.text))
    looks = [way.reason.until for way in ways if way.reason.until is not None]
    leaves = {way.path[-1] for way in ways}
    return Culprit(
        msgspec.structs.replace(longest, until=min(looks, default=None)),
        tuple(sorted(leaves)),
        tuple(sorted({way.path[0] for way in ways} - leaves)),
        tuple(sorted({between for way in ways for between in way.path[1:-1]})),
    )
