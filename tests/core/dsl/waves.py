"""Admission in the middle of waves."""

from __future__ import annotations

from tests.core.dsl.admission import AdmissionDsl

from setpoint.core.admission.waves import KEPT_ENDED
from setpoint.model.policy import Wave

FIRST, SECOND, REST = ("a", "b"), ("c", "d"), ("e",)


def tenants(*, soak: int = 0, need: str = "100%", max_failures: str = "1") -> AdmissionDsl:
    """Five channels in three waves, of which one release names all."""
    office = AdmissionDsl()
    office.group(Wave(FIRST, soak, need), Wave(SECOND, soak, need), Wave(REST), max_failures=max_failures)
    return office.roster(*FIRST, *SECOND, *REST)


def failing_again_and_again(office: AdmissionDsl) -> AdmissionDsl:
    """More releases fail than are remembered; release 1 has ended in every channel."""
    for channel in (*FIRST[1:], *SECOND, *REST):
        office.votes_that(channel, "out")
    for release in range(2, KEPT_ENDED + 4):
        office.roster("a", release=release).votes_that("a", "failed", release=release)
    return office
