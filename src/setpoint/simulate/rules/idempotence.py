"""What a repeated fact must not change: of most actors everything, of these what they have decided."""

from __future__ import annotations

from setpoint.core.admission import AdmissionState
from setpoint.core.attachment import AttachmentState
from setpoint.core.facts import StandingOrder
from setpoint.core.instance.state import Hold, InstanceState
from setpoint.core.scope import ScopeState
from setpoint.simulate.rules.registry import canonical

Order = Hold | StandingOrder


@canonical(InstanceState)
def of_instance(state: InstanceState) -> object:
    """All that is decided (another request for a fresh run does no harm)."""
    life = state.life
    rollout, applying = life.rollout, life.applying
    return (
        life.target,
        life.goods,
        life.change,
        life.frontier,
        life.configuration_frontier,
        0 if life.pinned_until else life.pin,
        _endless(life.hold),
        life.vetoes,
        life.finalized,
        [neighbour.number for neighbour in life.upstream.values()],
        rollout and (rollout.to, rollout.back, rollout.idle, rollout.sick),
        (applying.count, applying.errors, applying.judges, applying.taken, applying.retry_at),
    )


@canonical(ScopeState)
def of_scope(state: ScopeState) -> object:
    """What stands until it is withdrawn, and which acts were taken."""
    return _endless(state.stop), _endless(state.pause), state.signals


def _endless(order: Order | None) -> Order | None:
    """An order with an end may end by a clock that was set between two facts with the same stamp."""
    return order if order and not order.until else None


@canonical(AttachmentState)
def of_attachment(state: AttachmentState) -> object:
    """Its last result (another request starts one more run)."""
    return state.last


@canonical(AdmissionState)
def of_admission(state: AdmissionState) -> object:
    """Who has what, and how far each release is."""
    return {key: (place.request_id, place.stage) for key, place in state.requests.items()}, state.spent, state.wave_progress
