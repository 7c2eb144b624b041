"""Results of this instance for the releases that go through its group's waves: sent to admission whenever they change."""

from __future__ import annotations

from setpoint.core.admission import ENTITY
from setpoint.core.facts import Failed, MemberResult, WaveVote
from setpoint.core.instance import selection, status
from setpoint.core.instance.gates.context import halves, matches
from setpoint.core.instance.state import Kind, Life, offer_of
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Send
from setpoint.model.names import wave_progress_key
from setpoint.model.policy import Policy, Strategy
from setpoint.model.release import Offer, Pair

KEPT_VOTES = 50
"""Releases that are not kept any more whose result is remembered: one that is offered again gets no second vote."""


def vote(turn: Turn) -> None:
    """Vote on every release here that goes through waves, and for the last time on those that were forgotten in this turn."""
    now = turn.life.in_waves
    for release, (group, offers) in now.items():
        _vote(turn, group, release, stance(turn, group, release, offers))
    if turn.life.offers is not turn.before.life.offers:
        for release, (group, _) in turn.before.life.in_waves.items():
            if release not in now:
                _vote(turn, group, release, MemberResult.OUT)


def decline(turn: Turn, offer: Offer) -> None:
    """A release that came too late to be kept at all."""
    if offer.waves and wave_progress_key(offer.waves, offer.release) not in turn.life.voted:
        _vote(turn, offer.waves, offer.release, MemberResult.OUT)


def _vote(turn: Turn, group: str, release: int, state: MemberResult) -> None:
    life, key = turn.life, wave_progress_key(group, release)
    last = life.voted.get(key, MemberResult.WAITING)
    if last is state or (last is MemberResult.FINALIZED and state is not MemberResult.FAILED):
        return
    kept = {known: result for known, result in life.voted.items() if known != key}
    here = {wave_progress_key(group, release) for release, (group, _) in life.in_waves.items()}
    forgotten = [known for known in (*kept, key) if known not in here][:-KEPT_VOTES]
    voted = {known: result for known, result in {**kept, key: state}.items() if known not in forgotten}
    turn.set(votes=life.votes + 1, voted=voted)
    vote = WaveVote(instance=turn.instance, group=group, release=release, number=turn.life.votes, state=state)
    turn.out.append(Send(ENTITY, vote))


def stance(turn: Turn, group: str, release: int, offers: list[Offer]) -> MemberResult:
    """What this instance reports of the release."""
    life, rollout = turn.life, turn.life.rollout
    if rollout and _brings(offers, rollout.attempt.pair) and rollout.attempt.kind is not Kind.BACK:
        return MemberResult.FAILED if rollout.back else MemberResult.STARTED
    if any(failed.concerns(release) and _still_vetoed(life, failed) for failed in life.rolled_back):
        return MemberResult.FAILED
    if life.failure and life.failure.release == release:
        return MemberResult.FAILED
    if any(good.release == release or _brings(offers, good) for good in life.goods) or _has_finalized(life, release, offers):
        return MemberResult.FINALIZED
    return MemberResult.WAITING if any(_takes(turn, offer, group, release) for offer in offers) else MemberResult.OUT


def _brings(offers: list[Offer], pair: Pair) -> bool:
    return any(offer.release == pair.release and offer.configured == pair.configured for offer in offers)


def _has_finalized(life: Life, release: int, offers: list[Offer]) -> bool:
    return any(done.release == release or any(done.version == offer.version for offer in offers) for done in life.finalized)


def _still_vetoed(life: Life, failed: Failed) -> bool:
    offer = offer_of(life, failed.pair)
    return offer is not None and selection.vetoed(life, offer)


def _takes(turn: Turn, offer: Offer, group: str, release: int) -> bool:
    """Whether it takes this release by this pair, as things stand: who only waits at a gate does."""
    policy, life = turn.rules, turn.life
    if policy.wave is None or policy.wave.group != group or turn.removed or policy.strategy is Strategy.MIRROR:
        return False
    half = next((one for one in halves(life, offer) if one.release == release), None)
    if half is None or not matches(policy.wave.when, policy, life, offer, half):
        return False
    if status.why_not(policy, life, offer, turn.now):
        return False
    return bool(life.pin) or not _left_out(policy, life, offer)


def _left_out(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether selection will not come to it, unless something newer is taken back."""
    candidate = life.candidate
    if candidate is not None and candidate.pair == offer.pair:
        return False
    if not selection.allowed(policy, life, offer):
        return True
    if policy.strategy is Strategy.EVERY and offer.release != life.good.release:
        return selection.left_behind(policy, life, offer)
    return candidate is not None and candidate.pair > offer.pair
