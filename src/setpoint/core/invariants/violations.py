"""Violations of an invariant of the user's own: a pure function of what instances publish.

What is required of each instance that it speaks of, once something is target there (an instance that never was moved violates
nothing). ``when`` sees the instance's labels and the facts of the attempt that moved target last.

``finalizedIn``   target's version was finalized in each of the channels, ever; a channel that lacks the service violates it
``notBad``        target's version is not marked bad
``runs``          target's version is in the range
``approved``      target moved forward with so many approvals of the topic
``open``          target moved forward while the calendar was open
``sameAs``        what is finalized is what is finalized there, unless one of the two is being deployed
``skew``          target and the other service's target in the same channel are at most this step apart
``moving``        no more of them than the amount are being deployed, or go back, together
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from setpoint.core.calendars import opening
from setpoint.core.facts import InstanceStatus, TargetChange, Violation
from setpoint.model.grammars import versions
from setpoint.model.invariants import Invariant, Member
from setpoint.model.names import channel_of, short_name, version_key, without_channel

_RANKS = {"none": 0, "prerelease": 0, "patch": 1, "minor": 2, "major": 3}


def violations(invariant: Invariant, states: Mapping[str, InstanceStatus], bad: Collection[str]) -> list[Violation]:
    """Everything that violates the invariant in these states, in the order of its members; ``since`` is not filled in.

    ``states`` is the status of each instance: ``instance.status.status`` of its state (with ``policy.watched``), or what it
    published last. ``bad`` are the versions marked bad, as ``application/service/version``. To evaluate a whole world, as a
    simulator does after each turn, build both from the states of its entities: then nothing is on its way, and all of it counts
    immediately.
    """
    found: list[Violation] = []
    concerned = 0
    for member in invariant.members:
        status = states.get(member.instance)
        if status is None or status.target_change is None or not _applies(invariant, member, status.target_change):
            continue
        concerned += 1
        for what, text in _member(invariant, member, status, status.target_change, states, bad):
            target_change = status.target_change
            found.append(Violation(what, text, member.instance, target_change.release, target_change.version.name))
    moving = [one.instance for one in invariant.members if one.instance in states and states[one.instance].moving]
    most = _amount(invariant.require.moving, len(invariant.members))
    if most is not None and len(moving) > most:
        found.append(Violation("moving", f"{len(moving)} are being deployed at once, and {most} may be: {_names(moving)}"))
    return found


def _applies(invariant: Invariant, member: Member, target_change: TargetChange) -> bool:
    return invariant.when is None or invariant.when.matches({**member.labels, **target_change.labels})


def _member(
    invariant: Invariant,
    member: Member,
    status: InstanceStatus,
    target_change: TargetChange,
    states: Mapping[str, InstanceStatus],
    bad: Collection[str],
) -> Iterator[tuple[str, str]]:
    require, name, where = invariant.require, target_change.version.name, short_name(member.instance)
    for channel in member.lacks:
        yield "sameAs" if channel == require.same_as else "finalizedIn", f"{channel} does not have what {where} runs"
    for other in member.finalized_in:
        if not _finalized(states.get(other), target_change):
            yield "finalizedIn", f"{where} was brought to {name}, which {channel_of(other)} has not finalized"
    if require.not_bad and version_key(without_channel(member.instance), name) in bad:
        yield "notBad", f"{where} was brought to {name}, which is marked bad"
    if require.runs and not versions.parse_range(require.runs).contains(name):
        yield "runs", f"{where} was brought to {name}, which is not in {require.runs}"
    yield from _forward(invariant, member, target_change, where)
    if text := _different(member, status, states):
        yield "sameAs", text
    if text := _apart(invariant, member, target_change, states):
        yield "skew", text


def _finalized(status: InstanceStatus | None, target_change: TargetChange) -> bool:
    """Whether a version was finalized; where older finalizations are not included, it may have been one of them."""
    return status is not None and (status.truncated or any(done.version == target_change.version for done in status.finalized))


def _forward(invariant: Invariant, member: Member, target_change: TargetChange, where: str) -> Iterator[tuple[str, str]]:
    """What must hold at the moment of a target change: not for rollbacks, which wait for nothing, nor for unobserved changes."""
    require = invariant.require
    if target_change.back or not target_change.at:
        return
    given = target_change.approvals.get(require.topic, 0)
    if require.topic and given < require.approvers:
        yield (
            "approved",
            f"{where} was brought to {target_change.version.name} with {given} of {require.approvers} for {require.topic}",
        )
    if require.calendar is not None and not opening(require.calendar, member.timezone, target_change.at).open:
        yield "open", f"{where} was brought to {target_change.version.name} while {require.calendar.name} was closed"


def _different(member: Member, status: InstanceStatus, states: Mapping[str, InstanceStatus]) -> str:
    other = states.get(member.same_as) if member.same_as else None
    if other is None or status.moving or other.moving or status.version == other.version:
        return ""
    here, there = (one.version.name if one.version else "nothing" for one in (status, other))
    parts = " in another configuration" if here == there else ""
    return f"{short_name(member.instance)} has finalized {here}, and {channel_of(member.same_as)} {there}{parts}"


def _apart(invariant: Invariant, member: Member, target_change: TargetChange, states: Mapping[str, InstanceStatus]) -> str:
    other = states.get(member.beside) if member.beside else None
    if other is None or other.target_change is None:
        return ""
    mine, its = target_change.version.name, other.target_change.version.name
    step = versions.step(mine, its)
    step = versions.step(its, mine) if step == "back" else step
    if step in _RANKS and _RANKS[step] <= _RANKS[invariant.require.max_step]:
        return ""
    how = "cannot be compared" if step == "unknown" else f"are a {step} step apart"
    return f"{short_name(member.instance)} {mine} and {short_name(member.beside)} {its} {how}"


@lru_cache(maxsize=1024)
def _amount(text: str, among: int) -> int | None:
    if not text:
        return None
    return max(1, -(-int(text[:-1]) * among // 100)) if text.endswith("%") and text != "0%" else int(text.rstrip("%"))


def _names(instances: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(short_name(instance) for instance in instances[:most])
    return shown + (f" and {len(instances) - most} more" if len(instances) > most else "")
