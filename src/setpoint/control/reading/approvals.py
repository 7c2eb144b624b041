"""Approvals: those that an attempt needs, where a vote counts, and whom the configuration lets approve or skip."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from setpoint.control.context import RequestContext
from setpoint.control.reading.decisions import decision
from setpoint.control.reading.states import change_of, state_of
from setpoint.core.instance.gates.approval import topic
from setpoint.core.instance.gates.context import Half, halves
from setpoint.core.instance.gates.context import matches as applies_to
from setpoint.core.instance.state import InstanceState, offer_for
from setpoint.model.people import Person
from setpoint.model.policy import ApprovalUse
from setpoint.model.release import Offer


def matches(person: Person, principals: Sequence[str] | None) -> bool:
    """Whether a person is among those named; None: the configuration names no one, and only an administrator is."""
    return person.admin if principals is None else any(person.matches(principal) for principal in principals)


def who_may(context: RequestContext, principals: Iterable[Sequence[str] | None], *, without: Container[str] = ()) -> str:
    """A hint that names the others with a token who are among those named, such as ``Ask ann or bob.``"""
    wanted = list(principals)
    names = [name for name in with_token(context, wanted, without=without) if name != context.person.name]
    if names:
        return f"Ask {' or '.join(names)}."
    groups = sorted({one for among in wanted for one in among or ()})
    return f"No one with a token is {listing(groups)}: an administrator makes one with `setpoint token create`."


def with_token(context: RequestContext, principals: Iterable[Sequence[str] | None], *, without: Container[str] = ()) -> list[str]:
    """Names of people with a token who are among all of those named, but for some."""
    wanted = list(principals)
    valid = [token for token in context.services.people.known() if not token.expires or token.expires > context.now]
    return sorted({token.user for token in valid if token.user not in without and _among_all(token.person, wanted)})


def _among_all(person: Person, wanted: Iterable[Sequence[str] | None]) -> bool:
    return all(matches(person, principals) for principals in wanted)


def listing(principals: Sequence[str] | None) -> str:
    """Return ``group:leads or user:ann``; ``no one`` for an empty list; ``an administrator`` without a list."""
    return "an administrator" if principals is None else " or ".join(principals) or "no one"


async def sharing(context: RequestContext, entity: str, use: ApprovalUse, release: int) -> list[str]:
    """Every instance that a vote on a topic counts for now."""
    found = []
    for instance in context.configuration.all_instances:
        policy = context.configuration.policy(instance)
        if not any((one.subject, one.topic) == (use.subject, use.topic) for one in policy.approvals):
            continue
        state = await state_of(context, instance)
        offer = offer_for(state.life, release)
        uses = topics_of(state, offer, release) if offer else []
        shared = any(topic(one, release, change_of(state)) == entity for one, _ in uses)
        if shared and not decision(instance, state, release):
            found.append(instance)
    return found


def topics_of(state: InstanceState, offer: Offer, release: int = 0) -> list[tuple[ApprovalUse, Half]]:
    """Approvals that an attempt at an offer needs, each with the release it is for; ``release``: only for that one."""
    policy, life = state.policy, state.life
    if policy is None:
        return []
    wanted = [half for half in halves(life, offer) if release in {0, half.release}]
    return [(use, half) for use in policy.approvals for half in wanted if applies_to(use.when, policy, life, offer, half)]
