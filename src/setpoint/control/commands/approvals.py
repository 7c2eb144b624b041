"""Approve and reject: a person's yes or no to one release at one subject."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.errors import Decided, Forbidden, Refused
from setpoint.control.orders import in_turn, post, until
from setpoint.control.permissions import Permission
from setpoint.control.reading.approvals import listing, matches, sharing, topics_of, who_may
from setpoint.control.reading.decisions import decision, sentence
from setpoint.control.reading.states import change_of, kept_offer, offer_named, open_attempt, state_of
from setpoint.control.reading.targets import instances, suggestion
from setpoint.control.registry import Answer, Request, command
from setpoint.core.facts import Voted
from setpoint.core.instance.gates.approval import topic
from setpoint.core.instance.gates.context import Half
from setpoint.core.instance.state import InstanceState, offer_for
from setpoint.core.instance.status import listened
from setpoint.core.topic import TopicState
from setpoint.model.names import instance_entity, short_name
from setpoint.model.policy import ApprovalUse
from setpoint.model.release import Offer


class VoteRequest(Request):
    """Which release, where."""

    target: str
    """An instance, a channel or a group."""
    topic: str = ""
    """Empty: every one that this person may answer."""
    release: int = Field(0, ge=0)
    """0: the one under way."""
    why: str = Field("", max_length=2000)

    def __str__(self) -> str:
        return f"{self.topic or 'every topic'} at {self.target}" + (f", release {self.release}" if self.release else "")


class VotesGiven(Answer):
    """What was decided."""

    yes: bool
    release: int
    """The newest of ``releases``."""
    releases: list[int]
    """Two where an attempt brings a version and a configuration: each needs its own approval."""
    topics: list[str]
    """Their names."""
    instances: list[str]
    """Where they count."""
    also: list[str] = Field(default_factory=list)
    """Those of them that are outside of the target: the approval is shared."""
    decided: dict[str, str] = Field(default_factory=dict)
    """Instance -> what was decided there before: the vote changes nothing."""


@command(
    "approve",
    Permission.APPROVE,
    VoteRequest,
    VotesGiven,
    "Approve one release at an instance or in a channel.",
    subject=str,
)
@in_turn
async def approve(context: RequestContext, request: VoteRequest) -> VotesGiven:
    """A yes. Refused with the decision where it was decided before."""
    return await _vote(context, request, yes=True)


@command(
    "reject",
    Permission.APPROVE,
    VoteRequest,
    VotesGiven,
    "Reject one release at an instance or in a channel: it is not brought there.",
    subject=str,
)
@in_turn
async def reject(context: RequestContext, request: VoteRequest) -> VotesGiven:
    """A no. Refused with the decision where it was decided before, such as by a start that came first."""
    return await _vote(context, request, yes=False)


class _OpenTopic:
    """One topic, and everything it counts for."""

    def __init__(self, use: ApprovalUse, half: Half, offer: Offer) -> None:
        self.use = use
        self.half = half
        self.offer = offer
        self.instances: list[str] = []
        self.decided: dict[str, str] = {}


async def _vote(context: RequestContext, request: VoteRequest, *, yes: bool) -> VotesGiven:
    approvals = await _open_topics(context, request)
    allowed = {entity: one for entity, one in approvals.items() if not _objection(context, one, yes=yes)}
    if not allowed or (request.topic and len(allowed) < len(approvals)):
        refusing = [one for one in approvals.values() if _objection(context, one, yes=yes)]
        authors = {one.half.author for one in refusing if yes and not one.use.allow_author}
        raise Forbidden(
            _sentence(context, approvals, yes=yes), who_may(context, [one.use.approvers for one in refusing], without=authors)
        )
    releases = {one.half.release for one in allowed.values()}
    if len(releases) > 1 and len({one.offer.pair for one in allowed.values()}) > 1:
        listed = ", ".join(str(number) for number in sorted(releases))
        raise Refused(f"Several releases wait at {request.target}: {listed}.", "Choose one with --release.")
    await post(
        context, {entity: Voted(person=context.person, yes=yes, why=request.why, id=context.request) for entity in allowed}
    )
    for entity, one in allowed.items():
        await _counted_by_all(context, entity, one, yes=yes)
    counting = {instance for one in allowed.values() for instance in one.instances}
    decided = {instance: text for one in allowed.values() for instance, text in one.decided.items() if instance not in counting}
    if not counting:
        raise Decided(_first(decided), _hint(request))
    return VotesGiven(
        yes=yes,
        release=max(releases),
        releases=sorted(releases),
        topics=sorted({one.use.topic for one in allowed.values()}),
        instances=sorted(counting),
        also=sorted(counting.difference(instances(context.configuration, request.target))),
        decided=decided,
    )


async def _counted_by_all(context: RequestContext, entity: str, approval: _OpenTopic, *, yes: bool) -> None:
    """Wait until everyone whom a vote is for has counted it; what came before it there has decided (§10.10)."""
    topic = await context.engine.read(entity)
    votes = topic.votes if isinstance(topic, TopicState) else ()
    number = next((number for number, vote in enumerate(votes, 1) if vote.id == context.request), 0)
    for instance in tuple(approval.instances):
        state = await until(context, instance_entity(instance), lambda state: _counted(state, entity, number))
        release = approval.half.release
        rejected = any(veto.release == release and veto.rejected for veto in state.life.vetoes)
        text = decision(instance, state, release)
        if text and rejected is yes:
            approval.instances.remove(instance)
            approval.decided[instance] = text


def _counted(state: InstanceState, entity: str, number: int) -> bool:
    seen = state.life.topics.get(entity)
    return (seen is not None and seen.number >= number) or entity not in listened(state.policy, state.life, state.removed)


def _first(decided: dict[str, str]) -> str:
    return sentence(next(iter(decided.values())))


def _hint(request: VoteRequest) -> str:
    return f"Nothing was changed. See `setpoint history {request.target}` for who decided it and when."


async def _open_topics(context: RequestContext, request: VoteRequest) -> dict[str, _OpenTopic]:
    """Topic's entity -> what it is, with everyone that shares it. Raises Refused where no approval is open, Decided after all."""
    configuration = context.configuration
    found: dict[str, _OpenTopic] = {}
    names: set[str] = set()
    decided: dict[str, tuple[int, str]] = {}
    targets = instances(configuration, request.target)
    offers = await _meant(context, targets, request)
    for instance, offer in offers.items():
        state = await state_of(context, instance)
        for use, half in topics_of(state, offer, request.release):
            names.add(use.topic)
            if request.topic not in {"", use.topic, use.name}:
                continue
            if text := decision(instance, state, half.release):
                decided[instance] = (half.release, text)
            else:
                found.setdefault(topic(use, half.release, change_of(state)), _OpenTopic(use, half, offer))
    if request.topic and names and not found and not decided:
        raise Refused(
            f'No approval called "{request.topic}" is open at {request.target}.', suggestion(request.topic, names, "topic")
        )
    if not found and decided:
        raise Decided(_first({instance: text for instance, (_, text) in decided.items()}), _hint(request))
    if not found:
        raise Refused(f"Nothing at {request.target} waits for an approval.", f"See `setpoint explain {short_name(targets[0])}`.")
    for entity, one in found.items():
        one.instances = await sharing(context, entity, one.use, one.half.release)
        one.decided = {instance: text for instance, (release, text) in decided.items() if release == one.half.release}
    return found


async def _meant(context: RequestContext, targets: list[str], request: VoteRequest) -> dict[str, Offer]:
    """Instance -> the offer of the release named, of the one under way, or else of the newest that was. Raises NotFound."""
    found: dict[str, Offer] = {}
    for instance in targets:
        state = await state_of(context, instance)
        attempt = open_attempt(state)
        newest = state.life.offers[-1] if state.life.offers else None
        meant = kept_offer(state, attempt) if attempt else newest
        if offer := offer_for(state.life, request.release) if request.release else meant:
            found[instance] = offer
    if not found and request.release:
        offer_named(targets[0], await state_of(context, targets[0]), request.release)
    return found


def _objection(context: RequestContext, approval: _OpenTopic, *, yes: bool) -> str:
    use = approval.use
    if not matches(context.person, use.approvers):
        return f"{use.topic} is for {listing(use.approvers)}"
    if yes and not use.allow_author and context.person.name == approval.half.author:
        return f"the author of release {approval.half.release} does not count for {use.topic}"
    return ""


def _sentence(context: RequestContext, approvals: dict[str, _OpenTopic], *, yes: bool) -> str:
    objections = sorted({objection for one in approvals.values() if (objection := _objection(context, one, yes=yes))})
    return f"{context.person.name} may not {'approve' if yes else 'reject'} this: {'; '.join(objections)}."
