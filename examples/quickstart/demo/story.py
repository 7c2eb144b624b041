"""What happens in the demo, in order. Each chapter tells what it does and what it then sees."""

import os
import signal
from collections import Counter

from outside import Answer, now
from stage import Stage
from telling import expect, expect_still, tell

SEEN = 60.0
"""Seconds in which something that was asked for is to be seen, generously: machines may be slow."""
STILL = 3.0
"""Seconds in which something that waits is watched waiting."""
VERIFICATION = 8.0
"""Seconds that staging takes to verify a version, at least: `delay` and `for` in setpoint.yaml, and one look."""


def tell_story(stage: Stage) -> None:
    """From nothing to release 4. Raises UnexpectedError where something else was seen."""
    set_up(stage)
    first_release(stage)
    began = now()
    second_release(stage)
    bad_release(stage)
    killed = lost_replica(stage)
    lost_engine(stage)
    nothing_else_failed(stage, began, killed)


def set_up(stage: Stage) -> None:
    """Two databases, the monitoring, the engine, two people, the configuration."""
    tell("Setting up two databases, a monitoring that speaks Alertmanager's API, and an engine.")
    for channel in stage.ports:
        stage.migrate(channel, "1.0.0")
    stage.start_alerts()
    stage.start_engine()
    stage.token("ada", "developers")
    stage.token("grace", "release-managers")
    stage.setpoint("apply", str(stage.configuration), "--yes")


def first_release(stage: Stage) -> None:
    """Version 1 goes everywhere."""
    tell("Release 1: ada releases web 1.0.0 to staging and production; grace approves production.")
    stage.setpoint("release", "web=1.0.0", by="ada")
    runs(stage, "staging", "1.0.0")
    approve(stage)
    runs(stage, "production", "1.0.0")
    tell("  -> 2 replicas of 1.0.0 answer in staging, 2 in production.")


def second_release(stage: Stage) -> None:
    """Version 2 waits for a migration, then for a person."""
    tell("Release 2: web 2.0.0 needs a new column. It waits: nobody has migrated the databases.")
    began = now()
    stage.setpoint("release", "web=2.0.0", by="ada")
    stays(stage, "staging", "1.0.0", STILL)
    seen_schema(stage, "staging", "0001")
    tell("  -> staging still runs 1.0.0. Now `alembic upgrade head`, as a person would; it goes on by itself.")
    for channel in stage.ports:
        stage.migrate(channel, "2.0.0")
        seen_schema(stage, channel, "0002")
    runs(stage, "staging", "2.0.0")
    greets(stage, "staging")
    tell("  -> staging runs 2.0.0 and verifies that no alert fires. Then production waits for somebody other than ada.")
    stays(stage, "production", "1.0.0", VERIFICATION)
    expect("ada may not approve her own release", lambda: stage.is_refused("approve", "web@production", by="ada"), bool, within=1)
    stays(stage, "production", "1.0.0", STILL)
    approve(stage)
    runs(stage, "production", "2.0.0")
    greets(stage, "production")
    only_versions(stage, "production", {"1.0.0", "2.0.0"}, began)
    tell("  -> grace approved; production runs 2.0.0. No request failed while the replicas were replaced.")


def bad_release(stage: Stage) -> None:
    """Version 3 is healthy and wrong."""
    tell("Release 3: web 3.0.0 is healthy, but where two visits fall into one second, it divides by zero.")
    began = now()
    stage.setpoint("release", "web=3.0.0", by="ada")
    runs(stage, "staging", "3.0.0")
    expect(
        "HighErrorRate fires in staging",
        lambda: stage.outside.alerts("staging", began),
        lambda seen: "firing" in seen,
        within=SEEN,
    )
    tell("  -> staging runs it, its alert fires ...")
    runs(stage, "staging", "2.0.0")
    expect("the alert ends", lambda: stage.outside.alerts("staging", began)[-1:], lambda seen: seen == ["resolved"], within=SEEN)
    only_versions(stage, "production", {"2.0.0"}, began)
    tell("  -> ... and staging is rolled back to 2.0.0. Production never moved, not for a single answer.")


def lost_replica(stage: Stage) -> float:
    """A process dies; when."""
    victim = stage.outside.replicas("production")[0]
    tell(f"kill -9 {victim.pid}: one replica of production.")
    killed = now()
    os.kill(victim.pid, signal.SIGKILL)
    seen = lambda: stage.outside.replicas("production")  # noqa: E731 - what is looked at
    expect("2 replicas again", seen, lambda there: len(there) == 2 and victim not in there, within=SEEN)
    tell("  -> another one runs in its place.")
    return killed


def lost_engine(stage: Stage) -> None:
    """The engine dies in the middle of a deployment."""
    tell("Release 4: web 3.0.1 puts it right. The engine is killed in the middle of its deployment to staging ...")
    stage.setpoint("release", "web=3.0.1", by="ada")
    both = {"2.0.0", "3.0.1"}
    expect(
        "old and new replicas side by side",
        lambda: set(stage.outside.versions("staging")),
        lambda seen: seen == both,
        within=SEEN,
    )
    pid = stage.kill_engine()
    for channel in stage.ports:
        expect_still(f"{channel} answers without an engine", lambda c=channel: stage.outside.page(c), answers_well, during=1)
    tell(f"  -> kill -9 {pid}; both channels go on answering. Started again, it finishes what it had begun.")
    stage.start_engine()
    runs(stage, "staging", "3.0.1")
    approve(stage)
    runs(stage, "production", "3.0.1")
    tell("  -> staging finished, then production, with grace's approval: both run 2 replicas of 3.0.1.")


def nothing_else_failed(stage: Stage, began: float, killed: float) -> None:
    """In all that time only 3.0.0 in staging failed. What the killed replica was answering at that moment was lost with it."""
    seen: Counter[Answer] = Counter()
    for channel in stage.ports:
        seen += stage.outside.answers(channel, began, killed) + stage.outside.answers(channel, killed + 1)
    bad = [answer for answer in seen if answer.status != 200 and answer != Answer("staging", 500, "3.0.0")]
    expect(f"of {seen.total()} requests only those to 3.0.0 in staging failed", lambda: bad, lambda it: not it, within=0)
    tell(f"Of {seen.total()} requests since release 2, the second of kill -9 aside, only those to 3.0.0 in staging failed.")


def runs(stage: Stage, channel: str, version: str) -> None:
    """Two processes of that version and no other, and it answers at the stable address."""
    outside = stage.outside
    expect(
        f"{channel}: 2 processes, both {version}",
        lambda: outside.versions(channel),
        lambda seen: seen == {version: 2},
        within=SEEN,
    )
    expect(
        f"{channel} answers as {version}",
        lambda: outside.page(channel),
        lambda seen: str(seen).startswith(f"web {version} in {channel}\n"),
        within=SEEN,
    )


def stays(stage: Stage, channel: str, version: str, during: float) -> None:
    """Nothing moves there."""
    outside = stage.outside
    expect_still(
        f"{channel}: 2 processes, both {version}", lambda: outside.versions(channel), lambda seen: seen == {version: 2}, during
    )


def greets(stage: Stage, channel: str) -> None:
    """What version 2 can do and version 1 could not."""
    page = lambda: stage.outside.page(channel, "?name=Ada")  # noqa: E731 - what is looked at
    expect(f"{channel} greets Ada", page, lambda seen: "hello Ada" in str(seen), within=5)


def seen_schema(stage: Stage, channel: str, revision: str) -> None:
    """The database says at which migration it is."""
    expect(f"{channel}'s database at {revision}", lambda: stage.outside.schema(channel), lambda seen: seen == revision, within=5)


def only_versions(stage: Stage, channel: str, versions: set[str], since: float) -> None:
    """No other version has answered a single request there, and none was an error."""
    allowed = {Answer(channel, 200, version) for version in versions}
    seen = set(stage.outside.answers(channel, since))
    expect(
        f"{channel} answered only as {sorted(versions)}, without an error",
        lambda: seen,
        lambda it: bool(it) and it <= allowed,
        within=0,
    )


def answers_well(page: object) -> bool:
    """The page, not an error."""
    return str(page).startswith("web ") and "error" not in str(page)


def approve(stage: Stage) -> None:
    """Grace says yes to what waits for production."""
    stage.setpoint("approve", "web@production", by="grace")
