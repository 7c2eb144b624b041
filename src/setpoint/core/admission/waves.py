"""How a release goes through a group: wave after wave, until too many of its channels have failed.

Instances report their results; a channel's result follows from those of its instances. A release starts in no channel before its
members are named.
"""

from __future__ import annotations

import math

from msgspec.structs import replace

from setpoint.core import orders
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.state import AdmissionRequest, ReportedResult, View, WaveProgress
from setpoint.core.facts import AdmissionRequested, LimitsConfigured, MemberResult, WaveMembersNamed, WavesResumed, WaveVote
from setpoint.model.names import channel_of, is_wave, last_name, wave_progress_key, wave_unit
from setpoint.model.policy import GroupWaves, Wave

KEPT_THROUGH = 200
KEPT_ENDED = 10
"""Releases that failed in a group whose failed channels are remembered; of older ones, only that they failed."""
_ENDS = {MemberResult.FINALIZED, MemberResult.FAILED, MemberResult.OUT}


def amount(text: str, of: int) -> int:
    """``5`` or ``10%`` of so many: rounded up."""
    return math.ceil(of * int(text[:-1]) / 100) if text.endswith("%") else int(text)


def name_of(group: str) -> str:
    """For people: ``tenants`` of ``saas/tenants``."""
    return last_name(group)


def number_of(needs: AdmissionRequested | AdmissionRequest) -> int:
    """Return the wave that an attempt belongs to (a set: the last of its members'); 0: it waits for none."""
    return max((need.limit for need in needs.needs if is_wave(need.unit)), default=0)


def need_of(wave: Wave, counted: int) -> int:
    """Return how many of those that count must be finalized."""
    return min(amount(wave.need, counted), counted)


def tally(progress: WaveProgress, wave: Wave) -> tuple[int, int]:
    """Of one wave: how many channels count, and how many of them are finalized."""
    states = [progress.channels.get(channel) for channel in wave.channels if channel in progress.members]
    return sum(state is not MemberResult.OUT for state in states), states.count(MemberResult.FINALIZED)


def failed(progress: WaveProgress) -> list[str]:
    """Channels that failed, without those whose failure a person accepted."""
    return [
        channel
        for channel, state in progress.channels.items()
        if state is MemberResult.FAILED and channel not in progress.forgiven
    ]


def permits(view: View, group: str, release: int, number: int) -> bool:
    """Whether attempts at this release that belong to this wave may start."""
    progress, rules = view.wave_progress.get(wave_progress_key(group, release)), view.groups.get(group)
    if progress is None:
        return is_through(view, group, release)
    return bool(rules and progress.members and not progress.stopped and min(number, len(rules.waves)) <= progress.open)


def is_through(view: View, group: str, release: int) -> bool:
    """Whether a release was forgotten because every instance in it was finished."""
    known = view.through.get(group, ())
    return release in known or (len(known) == KEPT_THROUGH and release < known[0] and not is_halted(view, group, release))


def is_halted(view: View, group: str, release: int) -> bool:
    """Whether a release failed so long ago that the failed channels are forgotten; it waits for a person to resume it."""
    return release in view.halted.get(group, ())


def _is_over(view: View, group: str, release: int) -> bool:
    return is_through(view, group, release) or is_halted(view, group, release)


# --- what happens ----------------------------------------------------------------------------------------------------------


def configured(draft: AdmissionDraft, fact: LimitsConfigured) -> None:
    """Take changed waves. A group without waves blocks nothing any more."""
    if fact.number < draft.configured:
        return
    draft.configured = fact.number
    if fact.groups == draft.groups:
        return
    draft.groups = fact.groups
    for progress in list(draft.wave_progress.values()):
        if progress.group not in fact.groups:
            _forget(draft, progress)
        else:
            draft.keep(progress)


def rostered(draft: AdmissionDraft, fact: WaveMembersNamed) -> None:
    """Take the instances that a release names; what they reported before counts."""
    progress = draft.wave_progress.get(wave_progress_key(fact.group, fact.release)) or WaveProgress(fact.group, fact.release)
    if progress.members or not fact.instances or _is_over(draft, fact.group, fact.release):
        return
    members: dict[str, list[str]] = {}
    for instance in fact.instances:
        members.setdefault(channel_of(instance), []).append(instance)
    progress = replace(progress, members={channel: tuple(names) for channel, names in members.items()})
    pending = sum(_state(progress, instance) not in _ENDS for instance in fact.instances)
    channels = {channel: state for channel in members if (state := _standing(progress, channel))}
    draft.keep(replace(progress, pending=pending, channels=channels))


def voted(draft: AdmissionDraft, fact: WaveVote) -> None:
    """Take the changed result of an instance for a release."""
    if _is_over(draft, fact.group, fact.release):
        return
    progress = draft.wave_progress.get(wave_progress_key(fact.group, fact.release)) or WaveProgress(fact.group, fact.release)
    known = progress.results.get(fact.instance)
    if known is not None and known.number >= fact.number:
        return
    before = _state(progress, fact.instance)
    progress = replace(progress, results={**progress.results, fact.instance: ReportedResult(fact.number, fact.state)})
    channel = channel_of(fact.instance)
    if fact.instance in progress.members.get(channel, ()):
        pending = progress.pending + (before in _ENDS) - (fact.state in _ENDS)
        states = {**progress.channels, channel: _standing(progress, channel)}
        progress = replace(
            progress, pending=pending, channels={name: state for name, state in states.items() if state is not None}
        )
    draft.keep(progress)


def resumed(draft: AdmissionDraft, fact: WavesResumed) -> None:
    """A person accepts the failures and lets the release go on."""
    signals = orders.remember(draft.signals, fact.id)
    if signals is None:
        return
    draft.signals = signals
    progress = draft.wave_progress.get(wave_progress_key(fact.group, fact.release))
    if progress is not None and progress.stopped:
        draft.keep(replace(progress, stopped=0, forgiven=(*progress.forgiven, *failed(progress))))
    elif is_halted(draft, fact.group, fact.release):
        _let_through(draft, fact.group, fact.release)
    else:
        return
    draft.announce.add(wave_progress_key(fact.group, fact.release))
    text = f"{fact.by.person} lets release {fact.release} go on in {name_of(fact.group)}{fact.by.because}"
    draft.record("signal", text, release=fact.release, by=fact.by)


def _state(progress: WaveProgress, instance: str) -> MemberResult:
    stance = progress.results.get(instance)
    return stance.state if stance else MemberResult.WAITING


def _standing(progress: WaveProgress, channel: str) -> MemberResult | None:
    """A channel has failed with its first instance, and is finalized with its last."""
    states = {_state(progress, instance) for instance in progress.members[channel]}
    if MemberResult.FAILED in states:
        return MemberResult.FAILED
    if states == {MemberResult.OUT}:
        return MemberResult.OUT
    return MemberResult.FINALIZED if states <= {MemberResult.OUT, MemberResult.FINALIZED} else None


# --- what follows ----------------------------------------------------------------------------------------------------------


def advance(draft: AdmissionDraft) -> None:
    """Stop what failed too often, open the next waves, forget what is finished."""
    for key, before in list(draft.wave_progress.items()):
        rules = draft.groups.get(before.group)
        if rules is None or not before.members:
            continue
        if before.met or before is not draft.before.wave_progress.get(key) or rules is not draft.before.groups.get(before.group):
            progress = _opened(draft, rules, _stopped(draft, rules, before))
            if progress != before:
                draft.keep(progress)
    if any(map(is_wave, draft.changed_units)):
        _forget_those_through(draft)


def _stopped(draft: AdmissionDraft, rules: GroupWaves, progress: WaveProgress) -> WaveProgress:
    forgiven = tuple(channel for channel in progress.forgiven if progress.channels.get(channel) is MemberResult.FAILED)
    progress = replace(progress, forgiven=forgiven)
    found = failed(progress)
    if progress.stopped or len(found) < max(amount(rules.max_failures, len(progress.members)), 1):
        return progress
    draft.announce.add(wave_progress_key(progress.group, progress.release))
    text = f"release {progress.release} stops in {name_of(progress.group)}: {', '.join(found)} failed"
    draft.record("waves-stopped", text, release=progress.release)
    return replace(progress, stopped=draft.now)


def _opened(draft: AdmissionDraft, rules: GroupWaves, progress: WaveProgress) -> WaveProgress:
    """Open the next wave when enough of the last open one is finalized, for its soak; immediately, if none of it counts."""
    while progress.open < len(rules.waves):
        wave = rules.waves[progress.open - 1]
        counted, finalized = tally(progress, wave)
        met = min(progress.met or draft.now, draft.now) if finalized >= need_of(wave, counted) else 0
        progress = replace(progress, met=met)
        if not met:
            return progress
        if counted and met + wave.soak > draft.now:
            draft.wake(met + wave.soak)
            return progress
        progress = replace(progress, open=progress.open + 1, met=0)
        if counted:
            text = f"wave {progress.open} of {name_of(progress.group)} may begin with release {progress.release}"
            draft.record("wave-opened", text, release=progress.release)
    return progress


def _forget_those_through(draft: AdmissionDraft) -> None:
    """Forget releases that are finished everywhere, and the oldest of many that ended with failures."""
    for group in sorted({progress.group for progress in draft.wave_progress.values()}):
        mine = sorted((one for one in draft.wave_progress.values() if one.group == group), key=lambda one: one.release)
        ended = [one for one in mine if one.members and not one.pending]
        through = [one for one in ended if _went_through(draft, one) and MemberResult.FAILED not in one.channels.values()]
        others = [one for one in ended if one not in through]
        for progress in (*through, *others[:-KEPT_ENDED]):
            _forget(draft, progress)


def _went_through(draft: AdmissionDraft, progress: WaveProgress) -> bool:
    """Every wave was opened, and too many failures did not stop it."""
    rules = draft.groups.get(progress.group)
    return not progress.stopped and (rules is None or progress.open >= len(rules.waves))


def _forget(draft: AdmissionDraft, progress: WaveProgress) -> None:
    group, release = progress.group, progress.release
    del draft.wave_progress[wave_progress_key(group, release)]
    if group not in draft.groups or _went_through(draft, progress):
        _let_through(draft, group, release)
    else:
        known = sorted((*draft.halted.get(group, ()), release))
        draft.halted = {**draft.halted, group: tuple(known[-KEPT_THROUGH:])}
        draft.changed_units.add(wave_unit(group))


def _let_through(draft: AdmissionDraft, group: str, release: int) -> None:
    """Let later requests for the release wait for no wave."""
    kept = tuple(known for known in draft.halted.get(group, ()) if known != release)
    if group in draft.halted:
        draft.halted = {name: releases for name, releases in {**draft.halted, group: kept}.items() if releases}
    known = draft.through.get(group, ())
    draft.through = {**draft.through, group: tuple(sorted((*known, release)))[-KEPT_THROUGH:]}
    draft.changed_units.add(wave_unit(group))
