"""An instance that needs leases, waves or budgets, and what it and admission send each other."""

from __future__ import annotations

from typing import Any, Self

from tests.core.dsl.instance import Instance

from setpoint.core.facts import AdmissionRequested, Granted, WaveVote
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.policy import CalendarUse, LimitUse, WaveUse

LEASE = LimitUse("limit-runtime", "runtime:k8s", 2)
GROUP = "app/tenants"
DAILY = Calendar("hours", open=(Window(hours=(0, 12 * 60), max=2),))


class Limited(Instance):
    """An instance that needs one lease, and what it sends admission."""

    def __init__(self, **policy: Any) -> None:
        policy.setdefault("limits", (LEASE,))
        super().__init__(**policy)

    @property
    def requested(self) -> AdmissionRequested:
        """What the last turn requested of admission."""
        (requested,) = self.sent(AdmissionRequested)
        return requested

    def grant(self, ask: int = 0) -> Self:
        known = self.maybe_candidate.admission if self.maybe_candidate else None
        return self.receive(Granted(request_id=ask or (known.request_id if known else 0)))

    def rolls(self, release: int, name: str) -> Self:
        """A release whose lease is granted in the next turn."""
        self.offer(release, name)
        return self.grant()


def budgeted(**more: Any) -> Limited:
    """Only two may start in each window."""
    return Limited(limits=(), calendars=(CalendarUse("hours", DAILY, "UTC", "application:app"),), **more)


class Member(Limited):
    """An instance of a group with waves."""

    def __init__(self, **policy: Any) -> None:
        super().__init__(**{"limits": (), "wave": WaveUse(GROUP, 2)} | policy)

    def offer(self, release: int, name: str, *, waves: str = GROUP, **more: Any) -> Self:
        return super().offer(release, name, waves=waves, **more)

    @property
    def voted(self) -> list[tuple[int, str]]:
        """What the last turn sent admission about releases."""
        return [(vote.release, vote.state) for vote in self.sent(WaveVote)]
