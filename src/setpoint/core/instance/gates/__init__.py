"""What holds an attempt back: each gate gives a ``Reason``, or nothing when it holds. All gates of a phase are evaluated.

Everything here is a pure question about what is remembered; deciding and explaining ask the same ones.

``ordering``   earlier channels       ``approval``   people            ``calendar``   times, freezes, cadence
``check``      protections            ``service``    other services      ``task``      side effects that must succeed
``limit``      leases, waves, budgets ``member``     the set it is in    ``pausing``   what is under way stands still
``naming``     what all of them share
"""

from collections.abc import Container, Iterator
from itertools import chain

from setpoint.core.instance.gates import member, task
from setpoint.core.instance.gates.approval import approvals, countable, expiry, rejections, topic
from setpoint.core.instance.gates.calendar import times
from setpoint.core.instance.gates.check import check, checks, refreshing, uses, window_start
from setpoint.core.instance.gates.limit import WAVE, granted, limits, needs, waves_of
from setpoint.core.instance.gates.naming import EVERY_GATE, channel_of, needed_by, service_of, skipped
from setpoint.core.instance.gates.ordering import finalized_at, hopeless, orderings, passed_over
from setpoint.core.instance.gates.pausing import pauses, rollout_pauses, stands_still
from setpoint.core.instance.gates.service import services
from setpoint.core.instance.gates.task import tasks
from setpoint.core.instance.state import Life
from setpoint.model.policy import Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def earlier(
    policy: Policy, life: Life, offer: Offer, now: Instant, *, committed: bool = False, added: Container[str] = ()
) -> Iterator[Reason]:
    """Everything that an offer is ordered after: earlier channels, and other services here; not what was ``added`` since."""
    found = chain(orderings(policy, life, offer, now, committed=committed), services(policy, life, offer, now))
    yield from (reason for reason in found if reason.gate not in added)


__all__ = [
    "EVERY_GATE",
    "WAVE",
    "approvals",
    "channel_of",
    "check",
    "checks",
    "countable",
    "earlier",
    "expiry",
    "finalized_at",
    "granted",
    "hopeless",
    "limits",
    "member",
    "needed_by",
    "needs",
    "orderings",
    "passed_over",
    "pauses",
    "refreshing",
    "rejections",
    "rollout_pauses",
    "service_of",
    "services",
    "skipped",
    "stands_still",
    "task",
    "tasks",
    "times",
    "topic",
    "uses",
    "waves_of",
    "window_start",
]
