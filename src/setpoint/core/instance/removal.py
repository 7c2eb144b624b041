"""Removal of an instance that left the configuration. What runs is left alone; or taken down, where that was requested."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance import reconcile
from setpoint.core.instance.state import NOTHING, Applying, Current, Life, is_conclusive, offer_of
from setpoint.core.instance.turn import Turn
from setpoint.core.instructions import Apply, Unwatch, Watch
from setpoint.model.names import format_operation
from setpoint.model.reasons import Code, Reason

DOWN = "down"
"""Stands for a spec while what runs is taken down."""


def advance(turn: Turn) -> None:
    """After the last rollout has ended, take down what is to be taken down; otherwise stop observing."""
    life = turn.life
    if life.applying.operation:
        return
    seen = _seen_since(life)
    if life.down is None or not life.target:
        _rest(turn)
    elif seen and not seen.present:
        _gone(turn)
    elif not reconcile.hands_off(life):
        _take_down(turn)


def _rest(turn: Turn) -> None:
    if turn.life.applying.every:
        turn.set_applying(every=0)
        turn.out.append(Unwatch())


def _seen_since(life: Life) -> Current | None:
    """What was seen since it was taken down; an unreachable runtime shows nothing."""
    seen = life.current if life.applying.spec == DOWN and is_conclusive(life) else None
    return seen if seen and not seen.unreachable else None


def _take_down(turn: Turn) -> None:
    """Until it shows; again only once a look has shown that something still runs after the grace period."""
    applying = turn.life.applying
    taken = applying.taken if applying.spec == DOWN else 0
    if taken and not _seen_since(turn.life):
        return
    due = taken + turn.rules.grace if taken else applying.retry_at
    if turn.now < due:
        turn.wake(due)
        return
    count, number, every = applying.count + 1, applying.watch + 1, turn.rules.poll_moving
    operation = format_operation(turn.entity, "apply", count)
    spec = turn.kept(turn.life.target).spec
    turn.out.append(Apply(operation, spec, Watch(number, every, spec), down=True))
    turn.set_applying(count=count, operation=operation, spec=DOWN, taken=0, watch=number, every=every, look_requested=True)


def _gone(turn: Turn) -> None:
    """What was good stays known: an instance that comes back may go back to it."""
    text = f"{turn.name(turn.life.target)} was taken down"
    turn.record("taken-down", text, release=turn.life.target.release)
    applying = turn.life.applying
    turn.set(
        target=NOTHING,
        current=None,
        down=None,
        breaker=None,
        failure=None,
        applying=Applying(count=applying.count, watch=applying.watch, every=applying.every),
    )
    _rest(turn)


def reasons(life: Life) -> Iterator[Reason]:
    """How far the removal is; nothing where nothing is left."""
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
    assert life.down is not None  # noqa: S101 - checked by the caller
    text, until = f"{name} is being taken down by {life.down.by.person}", None
    if life.applying.error:
        text, until = f"{text}; the last try failed: {life.applying.error}", life.applying.retry_at
    return Reason(Code.REMOVED, text, since=life.down.at, until=until, awaits="" if until else "a look that shows nothing")
