"""Leases, waves and budgets, by a ledger that is kept for the whole world from what was delivered and what moved.

*one-at-a-time* counts who is really in deployment; *waves* and *budgets* are part of *gated*. Nothing is read from admission's
state but what it must not have kept in the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.admission import ENTITY, AdmissionState
from setpoint.core.facts import (
    AdmissionRequested,
    Fact,
    Granted,
    LimitsConfigured,
    WaveMembersNamed,
    WavesResumed,
    WaveVote,
)
from setpoint.core.instance.state import Kind, Rollout
from setpoint.core.instructions import Send
from setpoint.model.calendars.calendar import Window
from setpoint.model.calendars.windows import covering
from setpoint.model.names import budget_unit, channel_of, is_budget, is_wave, key_of, lease_unit, wave_unit
from setpoint.model.policy import GroupWaves, Phase, Policy, Wave
from setpoint.model.release import Offer
from setpoint.model.time import Instant
from setpoint.simulate.checker.requirements import attempt_releases, matches, set_of
from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.rules.registry import Complaint, actor_rule, end_rule, rule
from setpoint.simulate.world.host import World

Key = tuple[str, int]
"""(group, release)."""


@dataclass
class WaveModel:
    """One release in one group."""

    roster: tuple[str, ...] = ()
    votes: dict[str, tuple[int, str]] = field(default_factory=dict)
    open: int = 1
    met: Instant | None = None
    stopped: bool = False
    excused: set[str] = field(default_factory=set)

    def state(self, channel: str) -> str:
        """Of a channel: the worst of its instances, and not finalized before the last."""
        mine = [self.votes.get(one, (0, "waiting"))[1] for one in self.roster if channel_of(one) == channel]
        if "failed" in mine or not mine:
            return "failed" if mine else "out"
        taking = [word for word in mine if word != "out"]
        return "out" if not taking else "finalized" if set(taking) == {"finalized"} else "waiting"

    @property
    def channels(self) -> list[str]:
        """Those that the release names."""
        return sorted({channel_of(instance) for instance in self.roster})


@dataclass
class LeaseLedger:
    """Of one world."""

    holding: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    """Lease -> instance in deployment with it -> number of its attempt, and the set that it moves with."""
    granted: dict[str, set[int]] = field(default_factory=dict)
    """Instance -> requests that it was granted."""
    requests: dict[tuple[str, int], AdmissionRequested] = field(default_factory=dict)
    starts: dict[tuple[str, Instant], int] = field(default_factory=dict)
    """(budget, start of the occurrence) -> deployments that began."""
    committed: dict[str, list[tuple[str, Instant]]] = field(default_factory=dict)
    """Instance -> where its candidate counts already."""
    number: int = 0
    groups: dict[str, GroupWaves] = field(default_factory=dict)
    models: dict[Key, WaveModel] = field(default_factory=dict)
    exempt: set[Key] = field(default_factory=set)
    """Releases that were on their way when their group lost its waves, and those that were through once."""
    signals: set[str] = field(default_factory=set)

    def model(self, group: str, release: int) -> WaveModel:
        """One that may be new."""
        return self.models.setdefault((group, release), WaveModel())

    # --- what admission received --------------------------------------------------------------------------------------

    def take(self, fact: Fact) -> None:
        """Write a delivered fact down."""
        match fact:
            case AdmissionRequested(requester=requester, request_id=request_id):
                self.requests.setdefault((requester, request_id), fact)
            case LimitsConfigured(number=number, groups=groups) if number >= self.number:
                self.exempt |= {key for key in self.models if key[0] not in groups}
                self.number, self.groups = number, groups
            case WaveMembersNamed(group=group, release=release, instances=instances):
                self.model(group, release).roster = instances
            case WaveVote(instance=instance, group=group, release=release, number=number, state=state):
                votes = self.model(group, release).votes
                if number > votes.get(instance, (0, ""))[0]:
                    votes[instance] = (number, state)
            case WavesResumed(id=identity, group=group, release=release) if identity not in self.signals:
                self.signals.add(identity)
                self._resume(self.model(group, release))
            case _:
                pass

    @staticmethod
    def _resume(model: WaveModel) -> None:
        if model.stopped:
            model.stopped = False
            model.excused |= {channel for channel in model.channels if model.state(channel) == "failed"}

    def move_on(self, now: Instant) -> None:
        """Stop and open what is to be by now."""
        for (group, release), model in self.models.items():
            rules = self.groups.get(group)
            if rules and model.roster:
                if all(model.state(channel) in {"finalized", "out"} for channel in model.channels):
                    self.exempt.add((group, release))  # it is through: an instance that takes it later comes after the last wave
                self._stop(model, rules)
                self._open(model, rules, now)

    @staticmethod
    def _stop(model: WaveModel, rules: GroupWaves) -> None:
        bad = {channel for channel in model.channels if model.state(channel) == "failed"}
        model.excused &= bad
        if len(bad - model.excused) >= max(_amount(rules.max_failures, len(model.channels)), 1):
            model.stopped = True

    @staticmethod
    def _open(model: WaveModel, rules: GroupWaves, now: Instant) -> None:
        while model.open < len(rules.waves):
            wave = rules.waves[model.open - 1]
            counted, enough = _enough(model, wave)
            model.met = (now if model.met is None else min(model.met, now)) if enough else None
            if model.met is None or (counted and model.met + wave.soak > now):
                return
            model.open, model.met = model.open + 1, None

    def may_begin(self, need: str, number: int, release: int) -> str:
        """Why a wave may not; empty: it may."""
        key = (key_of(need), release)
        model, rules = self.models.get(key), self.groups.get(key[0])
        if key in self.exempt:
            return ""
        if model is None or not model.roster or rules is None:
            return "the members of the wave are unknown"
        if model.stopped:
            return "too many have failed"
        waves = min(number, max(len(rules.waves), 1))
        return "" if waves <= model.open else f"only {model.open} waves are open"


def _amount(text: str, of: int) -> int:
    return math.ceil(of * int(text[:-1]) / 100) if text.endswith("%") else int(text)


def _enough(model: WaveModel, wave: Wave) -> tuple[int, bool]:
    states = [model.state(channel) for channel in wave.channels if channel in model.channels]
    counted = [state for state in states if state != "out"]
    return len(counted), counted.count("finalized") >= min(_amount(wave.need, len(counted)), len(counted))


def _ledger(moment: Moment) -> LeaseLedger:
    return moment.memory.shared(LeaseLedger)


# --- admission ---------------------------------------------------------------------------------------------------------------


@actor_rule("gated", "admission")
def grants(moment: Moment) -> Iterator[Complaint]:
    """No instance is granted a wave that is not open, or of a release that stopped."""
    ledger = _ledger(moment)
    for fact in moment.turn.facts:
        ledger.take(fact)
    ledger.move_on(moment.now)
    for given in moment.turn.decision.instructions:
        if isinstance(given, Send) and isinstance(given.fact, Granted):
            request = ledger.requests.get((given.to, given.fact.request_id))
            if request is None:
                yield f"{given.to} is granted {given.fact.request_id}, which it never requested"
                continue
            for need in request.needs:
                if is_wave(need.unit):
                    moment.saw("waves")
                    why = ledger.may_begin(need.unit, need.limit, need.release)
                    if why:
                        yield f"{given.to} may begin release {need.release} in wave {need.limit}, but {why}"


# --- instances ---------------------------------------------------------------------------------------------------------------


@rule("one-at-a-time")
def leases(step: Step) -> Iterator[Complaint]:
    """Never do more than ``limit`` instances deploy with one lease; who holds it is seen from what the instance does."""
    ledger = _ledger(step)
    _free(step, ledger)
    if step.forward is None:
        return
    attempt, offer, policy = step.forward
    together = set_of(step.judged, offer)
    for use in policy.limits:
        if not step.concerns(use.when, use.name, policy, offer):
            continue
        step.saw("leases")
        holders = ledger.holding.setdefault(use.unit, {})
        others = [one for one, (_, fellows) in holders.items() if one != step.instance and not (fellows and fellows == together)]
        if len(others) >= use.limit and not attempt.committed:
            yield f"{use.unit} lets {use.limit} deploy at the same time, and {sorted(others)} do"
        holders[step.instance] = (attempt.number, together)


def _free(step: Step, ledger: LeaseLedger) -> None:
    """Leases of rollouts that have left deployment, or failed to go back."""
    rollout = step.after.life.rollout
    for holders in ledger.holding.values():
        held = holders.get(step.instance)
        if held is not None and not _deploys(rollout, held[0]):
            del holders[step.instance]


def _deploys(rollout: Rollout | None, number: int) -> bool:
    if rollout is None or rollout.attempt.number != number:
        return False
    return not rollout.stuck if rollout.back else rollout.attempt.phase is Phase.DEPLOYMENT


@rule("gated")
def admitted(step: Step) -> Iterator[Complaint]:
    """An instance that needs admission was granted all that it needs by now."""
    ledger = _ledger(step)
    for fact in step.turn.facts:
        if isinstance(fact, Granted):
            ledger.granted.setdefault(step.instance, set()).add(fact.request_id)
    _commitments(step, ledger)
    if step.forward is None:
        return
    attempt, offer, policy = step.forward
    candidate = step.before.life.candidate
    admission = candidate.admission if candidate and candidate.number == attempt.number else None
    units = {need.unit for need in admission.needs} if admission else set()
    missing = set(_needed(step, policy, offer, attempt.kind)) - units
    alone = not set_of(step.judged, offer)  # a set requests for its members, and uses up its part when it starts
    if missing and alone and not (admission and attempt.committed):
        yield f"started without {sorted(missing)}"
    if (
        units
        and admission
        and admission.request_id not in ledger.granted.get(step.instance, set())
        and not _none_left(step, policy, offer)
    ):
        yield f"started without a grant of {sorted(units)}"
    if alone and not attempt.committed:
        yield from _budgets(step, ledger, policy, offer)


def _commitments(step: Step, ledger: LeaseLedger) -> None:
    """An attempt whose task has started counts in the window it was admitted to, whenever target moves, unless it ends before."""
    before, after = step.before.life.candidate, step.after.life.candidate
    if after and after.committed and not (before and before.number == after.number and before.committed):
        needs = after.admission.needs if after.admission and after.admission.granted else ()
        keys = [(need.unit, need.occurrence) for need in needs if is_budget(need.unit)]
        ledger.committed[step.instance] = keys
        for key in keys:
            ledger.starts[key] = ledger.starts.get(key, 0) + 1
    elif before and before.committed and not (after and after.number == before.number and after.committed):
        for key in ledger.committed.pop(step.instance, []):
            if not step.forward or step.forward[0].number != before.number:
                ledger.starts[key] -= 1


def _needed(step: Step, policy: Policy, offer: Offer, kind: Kind) -> Iterator[str]:
    for use in policy.limits:
        if step.concerns(use.when, use.name, policy, offer):
            yield lease_unit(use.unit)
    wave = policy.wave
    groups = {offer.release: offer.waves}
    if offer.configuration:
        groups[offer.configuration.release] = offer.configuration.waves
    for part in attempt_releases(step.judged, offer) if wave and kind is Kind.FORWARD else ():
        concerned = wave and matches(wave.when, policy, step.judged, offer, part)
        if wave and concerned and groups.get(part.release) == wave.group and not step.skipped(part.release, "wave"):
            yield wave_unit(wave.group)


def _none_left(step: Step, policy: Policy, offer: Offer) -> bool:
    """Whether a person or the configuration took away in this very turn all that it had requested."""
    return not [*_needed(step, policy, offer, Kind.FORWARD), *(unit for unit, _, _ in _windows(step, policy, offer))]


def _budgets(step: Step, ledger: LeaseLedger, policy: Policy, offer: Offer) -> Iterator[Complaint]:
    for unit, window, occurrence in _windows(step, policy, offer):
        step.saw("budgets")
        key = (unit, occurrence)
        if ledger.starts.get(key, 0) >= window.max:
            yield f"{ledger.starts[key]} deployments have started in this window of {unit} already"
        ledger.starts[key] = ledger.starts.get(key, 0) + 1


def _windows(step: Step, policy: Policy, offer: Offer) -> Iterator[tuple[str, Window, Instant]]:
    """Windows that are open now and let only so many start."""
    for use in policy.calendars:
        if not step.concerns(use.when, use.name, policy, offer):
            continue
        for window in use.calendar.open or ():
            occurrence = covering(window, use.timezone, step.wall)
            if occurrence:
                if window.max:
                    yield budget_unit(use.subject, use.name), window, occurrence[0]
                break


@rule("unhindered")
def rollbacks_need_no_admission(step: Step) -> Iterator[Complaint]:
    """Only an attempt that gathers its gates requests admission; a rollback neither requests it nor waits for it."""
    candidate, rollout = step.after.life.candidate, step.after.life.rollout
    for given in step.turn.decision.instructions:
        if isinstance(given, Send) and isinstance(given.fact, AdmissionRequested):
            step.saw("unhindered")
            if candidate is None or given.fact.attempt != candidate.number:
                yield f"attempt {given.fact.attempt} requests admission, but is not a candidate"
            elif rollout and rollout.attempt.number == given.fact.attempt:
                yield "a rollout requests admission"


# --- in the end --------------------------------------------------------------------------------------------------------------


@end_rule("settled")
def nothing_is_kept(world: World) -> Iterator[Complaint]:
    """No instance waits or holds anything when everything has converged."""
    state = world.states.get(ENTITY)
    if isinstance(state, AdmissionState):
        for name in ("requests", "queues", "holders"):
            if kept := getattr(state, name):
                yield f"admission still has {name}: {kept}"
