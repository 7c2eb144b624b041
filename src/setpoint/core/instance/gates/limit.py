"""Leases, waves and deploy budgets: what an attempt needs of them, and what admission has not granted yet."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core import calendars
from setpoint.core.facts import Need
from setpoint.core.instance.gates.context import Context, needed_by, still_ahead
from setpoint.core.instance.gates.set import concerns
from setpoint.core.instance.state import Attempt, Kind, Life
from setpoint.model.names import budget_unit, lease_unit, wave_unit
from setpoint.model.policy import CalendarUse, Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant

WAVE = "wave"
"""Name of the gate, for skipping."""


def evaluate(context: Context) -> Iterator[Reason]:
    """What admission has not granted yet. A set requests for its members."""
    policy, life, offer, attempt, now = context
    if concerns(life, offer, attempt) or (attempt.committed and attempt.granted):
        return
    wanted = needs(context)
    if not wanted or (attempt.granted and attempt.admission and attempt.admission.needs == wanted):
        return
    names = _names(policy)
    queued = attempt.admission.reasons if attempt.admission else ()
    yield from (_named(reason, names, life, now) for reason in queued)
    if not queued:
        yield from (_unanswered(names[need.unit], attempt) for need in wanted)


def _named(reason: Reason, names: dict[str, str], life: Life, now: Instant) -> Reason:
    """A reason of admission, by the name under which a person may skip it."""
    name = names.get(reason.subject, "")
    unblock = f"{reason.unblock}, or skip {name}" if reason.unblock else f"skip {name}"
    return replace(still_ahead(reason, life, now), phase=Phase.PRE_DEPLOYMENT, gate=name, unblock=unblock)


def _unanswered(name: str, attempt: Attempt) -> Reason:
    requested = attempt.admission is not None and not attempt.admission.returned
    text = f"{name} is requested" if requested else f"{name} is requested once every other gate passes"
    awaits = "admission's reply" if requested else "every other gate"
    return Reason(Code.ADMISSION_PENDING, text, phase=Phase.PRE_DEPLOYMENT, gate=name, awaits=awaits, unblock=f"skip {name}")


def needs(context: Context) -> tuple[Need, ...]:
    """Everything that this attempt needs of admission before it may begin, in fixed order."""
    policy = context.policy
    if not policy.limits and policy.wave is None and not policy.calendars:
        return ()
    found = {(need.unit, need.release): need for need in _needs(context)}
    return tuple(sorted(found.values(), key=lambda need: (need.unit, need.release)))


def _needs(context: Context) -> Iterator[Need]:
    policy, life, offer, attempt, now = context
    for use in policy.limits:
        if needed_by(use.when, use.name, policy, life, offer):
            yield Need(lease_unit(use.unit), use.limit)
    if policy.wave and attempt.kind is Kind.FORWARD:
        for release in waves_of(policy, life, offer):
            yield Need(wave_unit(policy.wave.group), policy.wave.number, release=release)
    for calendar in policy.calendars:
        if needed_by(calendar.when, calendar.name, policy, life, offer):
            yield from _budget(calendar, life.wall.at(now))


def waves_of(policy: Policy, life: Life, offer: Offer) -> tuple[int, ...]:
    """Releases of the attempt that go through the waves of this instance's group, and count in them here."""
    wave = policy.wave
    if wave is None:
        return ()
    groups = {offer.release: offer.waves}
    if offer.configuration is not None:
        groups[offer.configuration.release] = offer.configuration.waves
    found = needed_by(wave.when, WAVE, policy, life, offer)
    return tuple(half.release for half in found if groups.get(half.release) == wave.group)


def _budget(use: CalendarUse, wall: Instant) -> Iterator[Need]:
    """A place in the occurrence of the first open window that covers ``wall``, if that lets only so many start."""
    windows = use.calendar.open or ()
    for window in windows if any(window.max for window in windows) else ():
        occurrence = calendars.covering(window, use.timezone, wall)
        if occurrence:
            if window.max:
                yield Need(budget_unit(use.subject, use.name), window.max, *occurrence)
            return


def _names(policy: Policy) -> dict[str, str]:
    """Unit -> the gate's name, by which it is skipped."""
    found = {lease_unit(use.unit): use.name for use in policy.limits}
    found |= {budget_unit(use.subject, use.name): use.name for use in policy.calendars}
    return found | ({wave_unit(policy.wave.group): WAVE} if policy.wave else {})
