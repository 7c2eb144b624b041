"""Parts of facts and policies, short enough to stand in a line of a test: ``check("alerts")``, ``after("staging")``."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from setpoint.core.facts import Failed, Revoked
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import CheckDefinition
from setpoint.model.people import Person
from setpoint.model.policy import ApprovalUse, Cadence, CalendarUse, CheckUse, Ordering, Phase, TaskUse
from setpoint.model.release import Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.tasks import TaskDefinition
from setpoint.model.time import SECOND

START = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
NAME = "app/web@production"
LEADS = {name: Person(name, ("leads",)) for name in ("ann", "bob", "cleo")}


def check(name: str, phase: Phase = Phase.PRE_DEPLOYMENT, *, subject: str = "channel:app/production", **more: Any) -> CheckUse:
    """One use of a check that runs every 20 s and is fresh for 45 s."""
    options = more.pop("options", {})
    definition = CheckDefinition(name, "program", subject, options, interval=20 * SECOND, timeout=5 * SECOND, max_age=45 * SECOND)
    return CheckUse(name, phase, definition, **more)


def after(channel: str = "staging", **more: Any) -> Ordering:
    """Ordered after another channel."""
    return Ordering("after", (f"app/web@{channel}",), (channel,), **more)


def approval(**more: Any) -> ApprovalUse:
    """One topic, of this channel."""
    return ApprovalUse("release-manager", "release-manager", "channel:app/production", **more)


def a_task(name: str = "migrate", phase: Phase = Phase.PRE_DEPLOYMENT, **more: Any) -> TaskUse:
    """One use of a task that may take ten minutes."""
    own = {field: more.pop(field) for field in ("once", "irreversible", "options", "timeout") if field in more}
    definition = TaskDefinition(name, "program", f"attempt:{NAME}", **own)
    return TaskUse(name, phase, definition, **more)


def hours(start: int, end: int) -> CalendarUse:
    """Open between two hours of the day, UTC."""
    return CalendarUse("hours", Calendar("hours", open=(Window(hours=(start * 60, end * 60)),)), "UTC")


def version(name: str) -> Version:
    """``1.0``, or with the revision of a newer configuration: ``1.0/R1``."""
    name, _, revision = name.partition("/")
    return Version(name, revision=revision)


def spec_of(name: str, revision: str = "") -> str:
    """Digest of the spec that runs a version in a configuration."""
    return f"spec-{name}/{revision}" if revision else f"spec-{name}"


def with_revision(offer: Offer | None) -> str:
    """``1.0/R1`` of what runs 1.0 in the configuration R1; ``1.0`` in the one before the first change."""
    version = offer.version if offer else Version("")
    return f"{version.name}/{version.revision}" if version.revision else version.name


def short(status: dict[str, Any]) -> dict[str, Any]:
    """Parts of a status, where a number stands for a version release in its own configuration, and a version for all of it."""
    good, rolled_back, revoked = status.get("good"), status.get("rolled_back", ()), status.get("revoked", ())
    found = {"rolled_back": tuple(failed(one) if isinstance(one, int) else one for one in rolled_back)} if rolled_back else {}
    found |= {"revoked": tuple(Revoked(one) if isinstance(one, Version) else one for one in revoked)} if revoked else {}
    return {**status, **found} | ({"good": Pair(good)} if isinstance(good, int) else {})


def failed(release: int, name: str = "", configured: int = 0, **more: Any) -> Failed:
    """A version release that failed, in its own configuration or in a newer one."""
    return Failed(Pair(release, configured), version(name), **more)


DAILY = Cadence(Calendar("daily", open=(Window(hours=(0, 6 * 60)),)), "UTC")


def closing(in_flight: str) -> CalendarUse:
    """Open for the first hour of the day."""
    use = hours(0, 1)
    return replace(use, calendar=replace(use.calendar, in_flight=in_flight))
