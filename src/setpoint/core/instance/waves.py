"""How this instance stands to the releases that go through its group's waves: said to admission whenever it changes."""

from __future__ import annotations

from setpoint.core.admission import ENTITY
from setpoint.core.facts import WaveVote
from setpoint.core.instance import declining, selection
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.state import Kind, Life, offer_of
from setpoint.core.instructions import Send
from setpoint.model.policy import Policy, Strategy
from setpoint.model.release import Offer

WAITING, OUT, BEGUN, FINALIZED, FAILED = "waiting", "out", "begun", "finalized", "failed"
KEPT_VOTES = 50
"""What was said about so many releases that are not kept any more is remembered: one offered once more is not answered anew."""


def tell(draft: Draft) -> None:
    """Vote on every release here that goes through waves, and for the last time on those that were forgotten in this turn."""
    for offer in draft.life.offers:
        if offer.waves:
            _vote(draft, offer, stance(draft, offer))
    if draft.life.offers is not draft.before.life.offers:
        for offer in draft.before.life.offers:
            if offer.waves and offer_of(draft.life, offer.release) is None:
                _vote(draft, offer, OUT)


def decline(draft: Draft, offer: Offer) -> None:
    """A release that came too late to be kept at all."""
    if offer.waves and _key(offer) not in draft.life.voted:
        _vote(draft, offer, OUT)


def _vote(draft: Draft, offer: Offer, state: str) -> None:
    life, key = draft.life, _key(offer)
    said = life.voted.get(key, WAITING)
    if said == state or (said == FINALIZED and state != FAILED):
        return
    kept = {known: word for known, word in life.voted.items() if known != key}
    here = {_key(offer) for offer in life.offers}
    forgotten = [known for known in (*kept, key) if known not in here][:-KEPT_VOTES]
    draft.set(votes=life.votes + 1, voted={known: word for known, word in {**kept, key: state}.items() if known not in forgotten})
    vote = WaveVote(instance=draft.instance, group=offer.waves, release=offer.release, number=draft.life.votes, state=state)
    draft.out.append(Send(ENTITY, vote))


def _key(offer: Offer) -> str:
    return f"{offer.waves}#{offer.release}"


def stance(draft: Draft, offer: Offer) -> str:
    """``waiting``, ``out``, ``begun``, ``finalized`` or ``failed``."""
    life, release = draft.life, offer.release
    rollout = life.rollout
    if rollout and rollout.attempt.release == release and rollout.attempt.kind is not Kind.BACK:
        return FAILED if rollout.back else BEGUN
    went_back = release in life.rolled_back and selection.vetoed(life, offer)
    if went_back or (life.failure and life.failure.release == release):
        return FAILED
    if release in life.goods or any(done.release == release for done in life.finalized):
        return FINALIZED
    return OUT if _out(draft, offer) else WAITING


def _out(draft: Draft, offer: Offer) -> bool:
    """Whether it does not take this release, as things stand: who only waits at a gate does."""
    policy, life = draft.rules, draft.life
    wave = policy.wave
    concerned = wave is not None and wave.group == offer.waves and applies(wave.when, policy, life, offer)
    if not concerned or draft.removed or policy.strategy is Strategy.MIRROR:
        return True
    return bool(declining.why_not(policy, life, offer, draft.now)) or (not life.pin and _left_out(policy, life, offer))


def _left_out(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether selection will not come to it, unless something newer is taken back."""
    if offer.release < selection.floor(life) or not selection.eligible(policy, life, offer):
        return True
    if policy.strategy is Strategy.EVERY:
        return selection.left_behind(policy, life, offer)
    return life.candidate is not None and life.candidate.release > offer.release
