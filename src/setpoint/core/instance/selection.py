"""Which release an instance wants: forward only, unless a person or a mirrored channel goes back."""

from __future__ import annotations

import msgspec

from setpoint.core.facts import InstanceStatus, SetStage
from setpoint.core.instance.gates import approval, dependency, ordering
from setpoint.core.instance.gates.context import applies, before, keeps_version, set_of, skipped
from setpoint.core.instance.state import Kind, Life, Veto, Vetoed, offer_of, version_offer
from setpoint.model.grammars import versions
from setpoint.model.names import channel_of
from setpoint.model.policy import Accepts, Ordering, Policy, Strategy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Instant

RELEASE = "release"
"""Skipping this gate of a release takes the release out of a train here."""
_NOTHING_RELEASED = Reason(
    Code.NOTHING_RELEASED, "nothing has been released here yet", awaits="a release", unblock="release a version"
)
_RANKS = {"none": 0, "back": 0, "prerelease": 0, "patch": 1, "minor": 2, "major": 3}


class Want(msgspec.Struct, frozen=True, gc=False):
    """What is to be brought here, and why."""

    offer: Offer
    kind: Kind
    change: int = 0


def wanted(policy: Policy, life: Life, now: Instant) -> Want | None:
    """What selection picks now; None when what is wanted is here already, is on its way, or nothing may start."""
    want = _picked(policy, life, now)
    if want is None or vetoed(life, want.offer) or ruled_out(life, want.offer) or _here(life, want.offer):
        return None
    if want.kind is Kind.FORWARD and out_with_its_set(life, want.offer):
        return None
    return want


def _here(life: Life, offer: Offer) -> bool:
    """Whether it is finalized here, or on its way: what a rollback goes back to needs no attempt of its own (§5)."""
    rollout = life.rollout
    if rollout:
        return (rollout.to if rollout.back else rollout.attempt.pair) == offer.pair
    return life.target == life.good == offer.pair


def _picked(policy: Policy, life: Life, now: Instant) -> Want | None:
    if life.pin:
        pinned = _pinned(policy, life, now)
        return Want(pinned, Kind.PIN) if pinned else None
    if policy.strategy is Strategy.MIRROR:
        return _mirrored(policy, life)
    found = considered(policy, life)
    if not found:
        return None
    version = None if policy.strategy is Strategy.NEWEST_READY else chosen(policy, life)
    if policy.strategy is Strategy.NEWEST_READY:
        return Want(_readiest(policy, life, found, now), Kind.FORWARD)
    offer = _with_good(policy, life, found, version, now)
    return Want(offer, Kind.FORWARD) if offer else None


def _with_good(policy: Policy, life: Life, found: list[Offer], version: int | None, now: Instant) -> Offer | None:
    """§10.1 Chosen: the version of the strategy in its newest, readiest configuration – or *good* with a configuration, while
    that is more ready.
    """
    goods = [offer for offer in found if offer.release == life.good.release]
    first = [offer for offer in found if offer.release == version]
    best = _readiest(policy, life, first, now) if first else None
    if best is None or not goods or best.release == life.good.release:
        return best or (_readiest(policy, life, goods, now) if goods else None)
    readiest = _readiest(policy, life, goods, now)
    ahead = _common_level(policy, life, readiest, now) > _common_level(policy, life, best, now)
    return readiest if ahead else best


def _pinned(policy: Policy, life: Life, now: Instant) -> Offer | None:
    """The pinned version in the configuration that is most ready, never in an older one than it is good or target in.

    What a person pins moves independently of its set.
    """
    oldest = max((pair.configured for pair in (life.good, life.target) if pair.release == life.pin), default=0)
    found = [offer for offer in life.offers if offer.release == life.pin and offer.configured >= oldest]
    may_start = [offer for offer in found if not vetoed(life, offer) and not _cancelled_configuration(life, offer)]
    at_rest = life.good.release == life.pin and life.target == life.good
    newer = [offer for offer in may_start if offer.pair != life.good and changes_what_runs(life, offer)] if at_rest else []
    choice = newer or may_start or found
    return max(choice, key=lambda offer: (level(policy, life, offer, now), offer.configured), default=None)


def considered(policy: Policy, life: Life) -> list[Offer]:
    """Every pair that automatic selection may choose now (§10.1 Chosen), ascending."""
    under_way = life.rollout.attempt.pair if life.rollout and not life.rollout.back else None
    return [offer for offer in life.offers if offer.pair != under_way and allowed(policy, life, offer)]


def allowed(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether automatic selection may choose this pair."""
    return allowed_alone(policy, life, offer) and not out_with_its_set(life, offer)


def allowed_alone(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether automatic selection may choose this pair, whatever the other members of its set report."""
    at_good = bool(life.target) and offer.pair == life.good
    if at_good or offer.configured < newest_configuration(life) or _cancelled_configuration(life, offer):
        return False
    if offer.release == life.good.release:
        brought_back = not life.target and not ruled_out(life, offer)
        current = brought_back or (offer.release >= life.target.release and changes_what_runs(life, offer))
    else:
        current = is_ahead(life, offer) and not dropped(policy, life, offer)
    return current and not vetoed(life, offer)


def changes_what_runs(life: Life, offer: Offer) -> bool:
    """Whether it would run anything else than *good* does; if not, this instance takes no part in its configuration."""
    good = life.good_offer
    return good is None or good.spec != offer.spec


def is_ahead(life: Life, offer: Offer) -> bool:
    """Whether a version is newer than all that started here, or started last and not left behind (§3 Forward only, §10.11)."""
    return offer.release >= max(life.frontier, life.good.release + 1, life.target.release)


def newest_configuration(life: Life) -> int:
    """The oldest configuration that may come here: that of *good*, or the newest started here."""
    return max(life.configuration_frontier, life.good.configured)


def chosen(policy: Policy, life: Life) -> int | None:
    """The version release that a strategy chooses without regard to how ready it is; None: none, only *good* remains."""
    if policy.strategy is Strategy.EVERY:
        following = next_in_train(policy, life)
        return None if following is None or vetoed(life, following) else following.release
    newest = next((offer for offer in reversed(life.offers) if allowed(policy, life, offer)), None)
    return newest.release if newest else None


def floor(life: Life) -> int:
    """Selection considers only releases newer than this: than the frontier, and than what a pin has finalized since."""
    return max(life.frontier, life.good.release)


def dropped(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether this version will not come here: bad, cancelled, not accepted, or not sent to a manual channel."""
    if offer.adopt or ruled_out(life, offer) or (policy.strategy is Strategy.MANUAL and not offer.addressed):
        return True
    return refusal(policy, life, offer) is not None


def ruled_out(life: Life, offer: Offer) -> str:
    """Why a person took this release out: cancelled, or its version marked bad; empty: no person did."""
    line = life.line
    if line is None:
        return ""
    kept = bool(life.target) and offer.release == life.good.release
    if offer.release in line.cancelled and not kept:
        return f"cancelled by {line.cancelled[offer.release].by.person}"
    if _cancelled_configuration(life, offer):
        release = offer.configuration.release if offer.configuration else 0
        return f"its configuration (release {release}) was cancelled by {line.cancelled[release].by.person}"
    mark = line.bad.get(offer.version.name)
    if mark is None:
        return ""
    return f"{offer.version.name} was marked bad by {mark.by.person}{mark.by.because}"


def _cancelled_configuration(life: Life, offer: Offer) -> bool:
    configuration = offer.configuration
    return configuration is not None and life.line is not None and configuration.release in life.line.cancelled


def out_with_its_set(life: Life, offer: Offer) -> str:
    """Why another member took this release out for the whole set; empty: none did."""
    entity = set_of(life, offer)
    status = life.sets.get(entity) if entity else None
    return f"its set does not take it any more: {status.out}" if status and status.out else ""


def taken_out(life: Life, offer: Offer) -> str:
    """Why this release does not come here any more, because of a person or another member; empty: it may."""
    return ruled_out(life, offer) or out_with_its_set(life, offer)


def next_in_train(policy: Policy, life: Life) -> Offer | None:
    """The oldest version newer than the frontier, none skipped; ``urgent`` ones go first. A vetoed one stops the train.

    Configurations are not members of a train (§10.1).
    """
    waiting: dict[int, Offer] = {}
    for offer in life.offers:
        if offer.release not in waiting and _aboard(life, offer) and not _out_of_train(policy, life, offer):
            waiting[offer.release] = offer
    urgent = next((offer for offer in waiting.values() if offer.urgent), None)
    return urgent or next(iter(waiting.values()), None)


def _aboard(life: Life, offer: Offer) -> bool:
    """Newer than all that was started here, or started last and not good: the train does not leave it behind, unless a pin has
    finalized something newer (§10.11).
    """
    return offer.release > floor(life) or offer.release == life.frontier > life.good.release


def _out_of_train(policy: Policy, life: Life, offer: Offer) -> bool:
    return dropped(policy, life, offer) or bool(out_with_its_set(life, offer)) or not_awaited(policy, life, offer)


def not_awaited(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether a train does not wait for this version: a person skipped it, or an earlier channel passed it over."""
    return skipped(life, offer.release, RELEASE) or _passed_over(policy, life, offer)


def left_behind(policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether a train goes on without this version."""
    return not _aboard(life, offer) or _out_of_train(policy, life, offer)


def _passed_over(policy: Policy, life: Life, offer: Offer) -> bool:
    """§10.1: an earlier channel went past this version, and no allowed configuration can bring it."""
    past = [rule for rule in policy.orderings if any(_is_beyond(life, one, offer) for one in rule.instances)]
    if not past:
        return False
    oldest = newest_configuration(life)
    pairs = [one for one in life.offers if one.release == offer.release and one.configured >= oldest]
    return any(all(_lost(life, rule, pair) for pair in pairs or (offer,)) for rule in past)


def _lost(life: Life, rule: Ordering, offer: Offer) -> bool:
    """So many went past it that the ordering can never be met. Those of a group that did do not count."""
    past = {one for one in rule.instances if _went_past(life, one, offer) and not life.upstream[one].truncated}
    counting = [one for one in rule.instances if one not in past or one not in rule.members]
    return not counting or len(counting) - sum(one in past for one in counting) < (rule.need or len(counting))


def _went_past(life: Life, instance: str, offer: Offer) -> bool:
    return _is_beyond(life, instance, offer) and ordering.hopeless(life, instance, offer)


def _is_beyond(life: Life, instance: str, offer: Offer) -> bool:
    return instance in life.upstream and offer.release < life.upstream[instance].frontier


def _readiest(policy: Policy, life: Life, offers: list[Offer], now: Instant) -> Offer:
    """Of equally ready attempts the newer version goes first, then the newer configuration."""
    if len(offers) == 1:
        return offers[0]
    return max(offers, key=lambda offer: (_common_level(policy, life, offer, now), offer.release, offer.configured))


def _common_level(policy: Policy, life: Life, offer: Offer, now: Instant) -> int:
    """A set is selected as a whole: what counts is how ready the release is at every member."""
    entity = set_of(life, offer)
    status = life.sets.get(entity) if entity else None
    common = 2 if not entity or (status and status.stage is SetStage.ENDED) else status.level if status else 0
    return min(common, level(policy, life, offer, now)) if common else 0


def level(policy: Policy, life: Life, offer: Offer, now: Instant) -> int:
    """How ready a release is here: 1, what it is ordered after is met; 2, its approvals are complete as well."""
    context = before(policy, life, offer, now)
    if any(ordering.evaluate(context)) or any(dependency.evaluate(context)):
        return 0
    return 1 if any(approval.evaluate(context)) else 2


def soonest(policy: Policy, life: Life, now: Instant) -> Instant | None:
    """When a soak of an offer that is not the candidate ends, so that selection may change by the clock alone."""
    if life.pin or not any(one.soak for one in policy.orderings):
        return None
    found = considered(policy, life)
    if policy.strategy is not Strategy.NEWEST_READY and all(offer.configuration is None for offer in found):
        return None
    return min(
        (reason.until for offer in found for reason in ordering.evaluate(before(policy, life, offer, now)) if reason.until),
        default=None,
    )


def _mirrored(policy: Policy, life: Life) -> Want | None:
    """The mirrored channel's *good*, in its configuration, or in a newer one in which that channel takes no part."""
    upstream_status = life.upstream.get(policy.mirror)
    if upstream_status is None or not upstream_status.good:
        return None
    found = [
        offer
        for offer in life.offers
        if offer.release == upstream_status.good.release
        and (offer.configured == upstream_status.good.configured or _follows(life, upstream_status, offer))
        and not vetoed(life, offer)
    ]
    offer = found[-1] if found else offer_of(life, upstream_status.good)
    if offer is None:
        offer = next((known for known in reversed(life.offers) if known.version == upstream_status.version), None)
    return Want(offer, Kind.MIRROR, upstream_status.change) if offer else None


def _follows(life: Life, upstream_status: InstanceStatus, offer: Offer) -> bool:
    configuration = offer.configuration
    newer = configuration is not None and offer.configured > upstream_status.good.configured
    abstains = configuration is not None and configuration.release in upstream_status.abstains
    return newer and abstains and changes_what_runs(life, offer)


def vetoed(life: Life, offer: Offer) -> bool:
    """Whether this pair, its version in every configuration, or its configuration failed or was rejected here (§10.1 Vetoed)."""
    return any(covers(life, veto, offer) for veto in life.vetoes)


def covers(life: Life, veto: Veto, offer: Offer) -> bool:
    """Whether a veto keeps this pair away. *Good* comes with configurations whatever became of its release."""
    match veto.scope:
        case Vetoed.PAIR:
            return veto.pair == offer.pair
        case Vetoed.CONFIGURATION:
            return offer.configuration is not None and offer.configuration.release == veto.release
        case Vetoed.VERSION:
            own = veto.pair == offer.pair
            whole = veto.release == offer.release or veto.version.same(offer.version)
            return own or (whole and not keeps_version(life, offer))


def release_of(veto: Veto) -> int:
    """The release that a person retries: of a pair whose version stayed, the one that brought the configuration."""
    return veto.configures or veto.release


def vetoed_releases(life: Life) -> set[int]:
    """Releases that a person may retry here."""
    return {release_of(veto) for veto in life.vetoes}


def refusal(policy: Policy, life: Life, offer: Offer) -> str | None:
    """Why ``accepts`` does not take this offer; None: it does."""
    accepts = policy.accepts
    if accepts is None or not applies(accepts.when, policy, life, offer):
        return None
    name = offer.version.name
    if not versions.parse_range(accepts.range).contains(name, prereleases=accepts.prereleases):
        return f"{name} is not in the accepted range {accepts.range}"
    good = life.good_offer
    if good is None or good.version.name == name:
        return None
    return _wrong_step(accepts, good.version.name, name)


def _wrong_step(accepts: Accepts, good: str, name: str) -> str | None:
    if not accepts.min_step and not accepts.max_step:
        return None
    step = versions.step(good, name)
    if step == "unknown":
        return f"the step from {good} to {name} cannot be determined: one of them is not a SemVer version"
    if accepts.min_step and _RANKS[step] < _RANKS[accepts.min_step]:
        return f"{name} is a smaller step from {good} than the {accepts.min_step} ones accepted here"
    if accepts.max_step and _RANKS[step] > _RANKS[accepts.max_step]:
        return f"{name} is a larger step from {good} than the {accepts.max_step} ones accepted here"
    return None


def nothing_wanted(policy: Policy, life: Life) -> Reason | None:
    """Why nothing is on its way although the newest release is not what is finalized here; None: it is, or there is none."""
    if life.pin:
        return _pin_reason(life)
    if policy.strategy is Strategy.MIRROR:
        return _mirror_reason(policy, life)
    if policy.strategy is Strategy.EVERY:
        return _stopped_train(policy, life) or _configuration_reason(life)
    newest = life.offers[-1] if life.offers else None
    if newest is None or (newest.adopt and not life.good and life.adopting is None):
        return None if life.good else _NOTHING_RELEASED
    veto = next((veto for veto in reversed(life.vetoes) if covers(life, veto, newest)), None)
    if veto and not (life.target and newest.release == life.good.release):
        return Reason(
            Code.VETOED,
            f"{newest.version.name} is vetoed here: {veto.reason}",
            since=veto.at,
            awaits="a newer release",
            unblock=f"retry release {veto.release}, or release another version",
        )
    return _out_of_question(policy, life, newest) or _configuration_reason(life)


def _configuration_reason(life: Life) -> Reason | None:
    """Why *good* does not take the newest configuration; None: it has it, or nothing of it would change here."""
    newest = life.configurations[-1] if life.configurations else None
    if newest is None or not life.good or newest.configuration.configured <= life.good.configured:
        return None
    configuration = newest.configuration
    what = f"the configuration of release {configuration.release}"
    why = newest.lacking.get(life.good.release)
    if why:
        text = f"takes no part in {what}: {why}"
        return Reason(Code.CONFIGURATION_NOT_TAKEN, text, since=configuration.at, awaits="a release", unblock="release a version")
    offer = offer_of(life, Pair(life.good.release, configuration.configured))
    veto = next((veto for veto in reversed(life.vetoes) if offer and covers(life, veto, offer)), None)
    if veto is None:
        return None
    text = f"{what} is vetoed here: {veto.reason}"
    unblock = f"retry release {configuration.release}, or apply another configuration"
    return Reason(Code.VETOED, text, since=veto.at, awaits="a newer configuration", unblock=unblock)


def _out_of_question(policy: Policy, life: Life, newest: Offer) -> Reason | None:
    """The newest release is not taken here, and nothing else is on its way."""
    if life.target and newest.release in {life.good.release, life.target.release}:
        return None
    out = taken_out(life, newest)
    if not out and skipped(life, newest.release, RELEASE):
        out = f"{newest.version.name} was skipped here"
    if out:
        return Reason(Code.RELEASE_NOT_TAKEN, f"release {newest.release}: {out}", since=newest.at, awaits="a newer release")
    if policy.strategy is Strategy.MANUAL and not newest.addressed:
        text = "takes only what a person sends to it"
        return (
            None
            if life.target
            else Reason(Code.NOT_SENT_HERE, text, awaits="a release sent here", unblock="promote, or release --to")
        )
    refused = refusal(policy, life, newest)
    if refused is None:
        return None
    unblock = "release another version, or pin it"
    return Reason(Code.NOT_ACCEPTED, refused, since=newest.at, awaits="a release that is accepted", unblock=unblock)


def _stopped_train(policy: Policy, life: Life) -> Reason | None:
    following = next_in_train(policy, life)
    veto = next((veto for veto in reversed(life.vetoes) if following and covers(life, veto, following)), None)
    if following is None and life.offers:
        passed = Reason(Code.NOTHING_RELEASED, "every release so far was passed over by an earlier channel", awaits="a release")
        return _out_of_question(policy, life, life.offers[-1]) or (None if life.target else passed)
    if following is None or veto is None:
        return None if life.good else _NOTHING_RELEASED
    return Reason(
        Code.TRAIN_STOPPED,
        f"the train stops at {following.version.name}: {veto.reason}",
        since=veto.at,
        awaits="a person",
        unblock=f"retry, skip or cancel release {following.release}",
        failed=True,
        person=True,
    )


def _pin_reason(life: Life) -> Reason | None:
    pinned = version_offer(life, life.pin)
    if pinned is None:
        return None
    out = ruled_out(life, pinned)
    if out and life.pin != life.target.release:
        return Reason(
            Code.PINNED, f"pinned to {pinned.version.name}, but {out}", awaits="unpin", unblock="unpin, or mark it good"
        )
    runs = bool(life.target) and life.pin == life.good.release
    if runs or not vetoed(life, pinned):
        return None
    return Reason(
        Code.PINNED, f"pinned to {pinned.version.name}, which failed here", awaits="unpin or retry", unblock="unpin, or retry"
    )


def _mirror_reason(policy: Policy, life: Life) -> Reason | None:
    source = channel_of(policy.mirror)
    upstream_status = life.upstream.get(policy.mirror)
    if upstream_status is None or not upstream_status.good:
        return Reason(
            Code.MIRROR_NOT_READY,
            f"mirrors {source}, which has finalized nothing yet",
            subject=policy.mirror,
            awaits=f"a finalized version in {source}",
        )
    want = _mirrored(policy, life)
    if want is None:
        return Reason(
            Code.MIRROR_NOT_READY,
            f"the version that {source} runs is not known here",
            subject=policy.mirror,
            awaits=f"a release in {source}",
        )
    out = ruled_out(life, want.offer)
    if out and life.target != want.offer.pair:
        return Reason(
            Code.MIRROR_NOT_READY, f"{source} runs {want.offer.version.name}, but {out}", awaits=f"a change in {source}"
        )
    if vetoed(life, want.offer):
        text = f"{want.offer.version.name}, which {source} runs, failed here"
        return Reason(
            Code.VETOED,
            text,
            subject=policy.mirror,
            awaits=f"a change in {source}",
            unblock=f"retry release {want.offer.release}",
        )
    return None
