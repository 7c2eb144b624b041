"""Approve and reject: a person's yes or no to one release at one subject."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.errors import Forbidden, Refused
from setpoint.control.instances import change_of, offer_named, open_attempt, short, state_of
from setpoint.control.people_allowed import listing, matches
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, command
from setpoint.control.targets import instances, suggestion
from setpoint.core.facts import Voted
from setpoint.core.instance import gates
from setpoint.core.instance.facts_of import applies
from setpoint.core.instance.state import InstanceState
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
    """What was answered."""

    yes: bool
    release: int
    topics: list[str]
    """Their names."""
    instances: list[str]
    """Where they count."""


@command(
    "approve",
    Permission.APPROVE,
    VoteRequest,
    VotesGiven,
    "Say yes to one release at an instance or in a channel.",
    subject=str,
)
async def approve(act: Act, request: VoteRequest) -> VotesGiven:
    """A yes."""
    return await _vote(act, request, yes=True)


@command(
    "reject",
    Permission.APPROVE,
    VoteRequest,
    VotesGiven,
    "Say no to one release at an instance or in a channel: it is not brought there.",
    subject=str,
)
async def reject(act: Act, request: VoteRequest) -> VotesGiven:
    """A no."""
    return await _vote(act, request, yes=False)


class _Asked:
    """One topic, and everything it counts for."""

    def __init__(self, use: ApprovalUse, offer: Offer) -> None:
        self.use = use
        self.offer = offer
        self.instances: list[str] = []


async def _vote(act: Act, request: VoteRequest, *, yes: bool) -> VotesGiven:
    asked = await _asked(act, request)
    allowed = {entity: one for entity, one in asked.items() if not _objection(act, one, yes=yes)}
    if not allowed or (request.topic and len(allowed) < len(asked)):
        raise Forbidden(_sentence(act, asked, yes=yes), "Ask one of them.")
    releases = {one.offer.release for one in allowed.values()}
    if len(releases) > 1:
        listed = ", ".join(str(number) for number in sorted(releases))
        raise Refused(f"Several releases wait at {request.target}: {listed}.", "Say which one with --release.")
    for entity in allowed:
        await act.control.engine.post(
            entity, Voted(person=act.person, yes=yes, why=request.why), dedup=f"vote:{entity}:{act.request}"
        )
    places = sorted({instance for one in allowed.values() for instance in one.instances})
    return VotesGiven(
        yes=yes, release=releases.pop(), topics=sorted({one.use.topic for one in allowed.values()}), instances=places
    )


async def _asked(act: Act, request: VoteRequest) -> dict[str, _Asked]:
    """Topic's entity -> what it is. Raises Refused where nothing is asked."""
    configuration = act.control.configuration
    found: dict[str, _Asked] = {}
    names: set[str] = set()
    targets = instances(configuration, request.target)
    for instance in targets:
        state = await state_of(act, instance)
        if not request.release and len(targets) > 1 and open_attempt(state) is None:
            continue
        offer = offer_named(instance, state, request.release)
        for use in _topics(state, offer):
            names.add(use.topic)
            if request.topic in {"", use.topic, use.name}:
                entity = gates.topic(use, offer.release, change_of(state))
                found.setdefault(entity, _Asked(use, offer)).instances.append(instance)
    if request.topic and names and not found:
        raise Refused(
            f'Nothing called "{request.topic}" is asked for at {request.target}.', suggestion(request.topic, names, "topic")
        )
    if not found:
        raise Refused(f"Nothing at {request.target} waits for an approval.", f"See `setpoint explain {short(targets[0])}`.")
    return found


def _topics(state: InstanceState, offer: Offer) -> list[ApprovalUse]:
    policy = state.policy
    if policy is None:
        return []
    return [use for use in policy.approvals if applies(use.when, policy, state.life, offer)]


def _objection(act: Act, asked: _Asked, *, yes: bool) -> str:
    use = asked.use
    if not matches(act.person, use.approvers):
        return f"{use.topic} is for {listing(use.approvers or ())}"
    if yes and not use.allow_author and act.person.name == asked.offer.author:
        return f"the author of release {asked.offer.release} does not count for {use.topic}"
    return ""


def _sentence(act: Act, asked: dict[str, _Asked], *, yes: bool) -> str:
    objections = sorted({objection for one in asked.values() if (objection := _objection(act, one, yes=yes))})
    return f"{act.person.name} may not {'approve' if yes else 'reject'} this: {'; '.join(objections)}."
