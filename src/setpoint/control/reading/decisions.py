"""What was decided of a release at an instance, as a sentence: what later acts on it are answered with (§10.10)."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.selection import release_of
from setpoint.core.instance.state import InstanceState, Life, offer_of
from setpoint.model.names import parse_topic, short_name
from setpoint.model.release import Pair


def decision(instance: str, state: InstanceState, release: int) -> str:
    """Such as ``release 5 was rejected at web@acme: bob rejected it for go-live``; empty: nothing is decided yet."""
    life, where = state.life, short_name(instance)
    if life.candidate and release in _brought(life, life.candidate.pair):
        return ""
    cancelled = life.line.cancelled.get(release) if life.line else None
    if cancelled:
        return f"release {release} was cancelled by {cancelled.by.person}{cancelled.by.because}"
    rollout = life.rollout
    if rollout and release in _brought(life, rollout.attempt.pair):
        if rollout.back:
            return f"release {release} is being rolled back at {where}: {rollout.failure}"
        return f"release {release} has started at {where}{_approved(life, release)}"
    return _vetoed(life, where, release) or _past(life, where, release)


def sentence(text: str) -> str:
    """A decision as a message. Names of people keep their spelling."""
    return f"Release{text.removeprefix('release')}." if text.startswith("release ") else f"{text}."


def _vetoed(life: Life, where: str, release: int) -> str:
    veto = next((veto for veto in life.vetoes if release_of(veto) == release), None)
    if veto is None:
        return ""
    return f"release {release} {'was rejected' if veto.rejected else 'is not retried'} at {where}: {veto.reason}"


def _past(life: Life, where: str, release: int) -> str:
    if life.failure and life.failure.release == release:
        return f"release {release} failed at {where}: {life.failure.reason}"
    if any(release in _brought(life, pair) for pair in (life.target, *life.goods)):
        return f"release {release} is finalized at {where}{_approved(life, release)}"
    if release <= life.frontier and all(one.configuration.release != release for one in life.configurations):
        return f"release {life.frontier} has started at {where}, which is newer than {release}"
    return ""


def _brought(life: Life, pair: Pair) -> set[int]:
    """The releases that a pair is made of."""
    offer = offer_of(life, pair)
    configuration = offer.configuration.release if offer and offer.configuration else 0
    return {pair.release, configuration} - {0}


def _approved(life: Life, release: int) -> str:
    """``, approved by ann, bob``."""
    names = list(dict.fromkeys(_approvers(life, release)))
    return f", approved by {', '.join(names)}" if names else ""


def _approvers(life: Life, release: int) -> Iterator[str]:
    for entity, status in life.topics.items():
        if parse_topic(entity).release == release:
            yield from (vote.person.name for vote in status.votes if vote.yes)
