"""``Reason`` on the wire: its cause and what clears it follow from the reason's fields, never from its text."""

from __future__ import annotations

import pytest

from setpoint.control.views.reasons import CauseView, ClearsView, reason_view
from setpoint.model.reasons import Code, Reason

WEB = "saas/web@acme"
CAUSES = [
    (Reason(Code.CHECK_FAILING, "x", gate="alerts", subject="attachment:alerts:1f"), ("check", "attachment:alerts:1f", "alerts")),
    (Reason(Code.APPROVAL_MISSING, "x", gate="go", subject="topic:a#go#3"), ("approval", "topic:a#go#3", "go")),
    (
        Reason(Code.TASK_RUNNING, "x", gate="migrate", subject="task:saas/migrate#k#3"),
        ("task", "task:saas/migrate#k#3", "migrate"),
    ),
    (Reason(Code.ORDERING_NOT_MET, "x", gate="after", subject="saas/web@eu"), ("instance", "instance:saas/web@eu", "web@eu")),
    (Reason(Code.SET_NOT_READY, "x", subject="instance:saas/api@eu"), ("instance", "instance:saas/api@eu", "api@eu")),
    (Reason(Code.LEASE_TAKEN, "x", gate="limit", subject="lease:runtime:k8s"), ("lease", "lease:runtime:k8s", "limit")),
    (Reason(Code.WAVE_STOPPED, "x", subject="wave:saas/tenants"), ("wave", "wave:saas/tenants", "tenants")),
    (Reason(Code.CALENDAR_CLOSED, "x", gate="office-hours"), ("calendar", "office-hours", "office-hours")),
    (Reason(Code.FROZEN, "x", subject="scope:organization"), ("scope", "scope:organization", "organization")),
    (Reason(Code.UNHEALTHY, "x"), ("instance", f"instance:{WEB}", "web@acme")),
]


@pytest.mark.parametrize(("reason", "cause"), CAUSES, ids=[str(reason.code) for reason, _ in CAUSES])
def test_the_cause_is_what_the_reason_is_about(reason: Reason, cause: tuple[str, str, str]) -> None:
    kind, entity, label = cause
    assert reason_view(reason, WEB).cause == CauseView(kind=kind, id=entity, label=label)


def test_a_time_clears_it_where_no_event_does() -> None:
    soak = reason_view(Reason(Code.ORDERING_NOT_MET, "soaks", until=7), WEB)
    assert (soak.recheck_at, soak.clears) == (7, ClearsView(when=7))
    held = reason_view(Reason(Code.HELD, "held", until=9, awaits="resume", unblock="resume"), WEB)
    assert (held.recheck_at, held.clears) == (9, ClearsView(what="resume", command="resume")), "its end is not waited for"


def test_what_only_a_person_clears_says_so() -> None:
    stopped = Reason(Code.WAVE_STOPPED, "x", awaits="resume", unblock="resume tenants", person=True)
    assert reason_view(stopped, WEB).clears.who == "person"


def test_no_text_is_read() -> None:
    """The view of a reason with another text differs in its text alone."""
    for reason, _ in CAUSES:
        one, other = (
            reason_view(reason, WEB),
            reason_view(Reason(reason.code, "y", gate=reason.gate, subject=reason.subject), WEB),
        )
        assert one.model_copy(update={"text": ""}) == other.model_copy(update={"text": ""})
