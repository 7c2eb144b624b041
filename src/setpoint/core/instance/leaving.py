"""Goodbye: an instance that left the configuration. What runs is left alone; or taken down, where that was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance import steering
from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import NOTHING, Applying, Life, Seen, is_conclusive, offer_of
from setpoint.core.instructions import Apply, Unwatch, Watch
from setpoint.model.reasons import Code, Reason

DOWN = "down"
"""Stands for a spec while what runs is taken down."""


def advance(draft: Draft) -> None:
    """After the last rollout has ended: take down what shall be, else look no more."""
    life = draft.life
    if life.applying.operation:
        return
    seen = _seen_since(life)
    if life.down is None or not life.target:
        _rest(draft)
    elif seen and not seen.present:
        _gone(draft)
    elif not steering.hands_off(life):
        _take_down(draft)


def _rest(draft: Draft) -> None:
    if draft.life.applying.every:
        draft.set_applying(every=0)
        draft.out.append(Unwatch())


def _seen_since(life: Life) -> Seen | None:
    """What was seen since it was taken down; a runtime that cannot be asked shows nothing."""
    seen = life.current if life.applying.spec == DOWN and is_conclusive(life) else None
    return seen if seen and not seen.unreachable else None


def _take_down(draft: Draft) -> None:
    """Until it shows; again only once a look has shown that something still runs after the grace period."""
    applying = draft.life.applying
    taken = applying.taken if applying.spec == DOWN else 0
    if taken and not _seen_since(draft.life):
        return
    due = taken + draft.rules.grace if taken else applying.retry_at
    if draft.now < due:
        draft.wake(due)
        return
    count, number, every = applying.count + 1, applying.watch + 1, draft.rules.poll_moving
    operation = f"{draft.entity}/apply/{count}"
    spec = draft.kept(draft.life.target).spec
    draft.out.append(Apply(operation, spec, Watch(number, every, spec), down=True))
    draft.set_applying(count=count, operation=operation, spec=DOWN, taken=0, watch=number, every=every, asked=True)


def _gone(draft: Draft) -> None:
    """What was good stays known: an instance that comes back may go back to it."""
    text = f"{draft.name(draft.life.target)} was taken down"
    draft.record("taken-down", text, release=draft.life.target.release)
    applying = draft.life.applying
    draft.set(
        target=NOTHING,
        current=None,
        down=None,
        breaker=None,
        failure=None,
        applying=Applying(count=applying.count, watch=applying.watch, every=applying.every),
    )
    _rest(draft)


def reasons(life: Life) -> Iterator[Reason]:
    """Where the goodbye stands; nothing where nothing is left."""
    target = offer_of(life, life.target)
    if life.rollout:
        yield Reason(Code.REMOVED, "it left the configuration once its rollout has ended", awaits="the end of the rollout")
    elif target is None:
        yield Reason(Code.REMOVED, "it left the configuration, and nothing of it is left", awaits="apply", unblock="add it again")
    elif life.down is None:
        text = f"it left the configuration; {target.version.name}, which runs, is left alone"
        yield Reason(Code.REMOVED, text, awaits="apply, or remove", unblock="add it again, or remove")
    else:
        yield _going(life, target.version.name)


def _going(life: Life, name: str) -> Reason:
    assert life.down is not None  # noqa: S101 - asked by the caller
    text, until = f"{name} is being taken down, says {life.down.by.person}", None
    if life.applying.error:
        text, until = f"{text}; the runtime did not: {life.applying.error}", life.applying.retry_at
    return Reason(Code.REMOVED, text, since=life.down.at, until=until, awaits="" if until else "a look that shows nothing")
