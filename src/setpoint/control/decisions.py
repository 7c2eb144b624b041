"""What was decided of a release at an instance, as a sentence: what later acts on it are answered with (§10.10)."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.control.instances import short
from setpoint.core import orders
from setpoint.core.instance.state import InstanceState, Life


def decision(instance: str, state: InstanceState, release: int) -> str:
    """Such as ``release 5 was rejected at web@acme: bob rejected it for go-live``; empty: nothing is decided yet."""
    life, where = state.life, short(instance)
    if life.candidate and life.candidate.release == release:
        return ""
    cancelled = life.line.cancelled.get(release) if life.line else None
    if cancelled:
        return f"release {release} was cancelled by {cancelled.by.person}{orders.because(cancelled.by)}"
    rollout = life.rollout
    if rollout and rollout.attempt.release == release:
        if rollout.back:
            return f"release {release} is being rolled back at {where}: {rollout.failure}"
        return f"release {release} has started at {where}{_approved(life, release)}"
    return _vetoed(life, where, release) or _past(life, where, release)


def sentence(text: str) -> str:
    """A decision as a message. Names of people keep their spelling."""
    return f"Release{text.removeprefix('release')}." if text.startswith("release ") else f"{text}."


def _vetoed(life: Life, where: str, release: int) -> str:
    veto = next((veto for veto in life.vetoes if veto.release == release), None)
    if veto is None:
        return ""
    return f"release {release} {'was rejected' if veto.rejected else 'is not retried'} at {where}: {veto.reason}"


def _past(life: Life, where: str, release: int) -> str:
    if life.failure and life.failure.release == release:
        return f"release {release} failed at {where}: {life.failure.reason}"
    if release in {life.target, *life.goods}:
        return f"release {release} is finalized at {where}{_approved(life, release)}"
    if release <= life.frontier:
        return f"release {life.frontier} has started at {where}, which is newer than {release}"
    return ""


def _approved(life: Life, release: int) -> str:
    """``, approved by ann, bob``."""
    names = list(dict.fromkeys(_approvers(life, release)))
    return f", approved by {', '.join(names)}" if names else ""


def _approvers(life: Life, release: int) -> Iterator[str]:
    for entity, status in life.topics.items():
        if entity.rpartition("#")[2].partition("~")[0] == str(release):
            yield from (vote.person.name for vote in status.votes if vote.yes)
