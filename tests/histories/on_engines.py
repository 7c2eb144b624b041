"""Scenes on a real embedded engine, with a runtime that pretends: each plays, and names the entities whose stories are kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.control.house import ANN, BOB, House, documents, files
from tests.e2e.compressed import compressed
from tests.support.eventually import eventually

from setpoint.core.facts import TaskRetried
from setpoint.core.recording import trace as traces
from setpoint.model.people import By

FACTOR = 30
ROOT = Path("/tmp/setpoint-histories")
"""Where the configuration lies, for programs of checks and tasks; the same each time, so that stories are."""
RUNTIME = """
kind: Runtime
name: pretend
fake: {}
poll: {moving: 2s, settled: 1m}
"""
SERVICE = """
kind: Service
application: saas
name: web
parameters:
  becomes: {default: healthy, values: [healthy, failing, hangs], carry: false}
fake: {becomes: healthy, takes: 5s}
progressDeadline: 20s
env: {VERSION: "${version}"}
perChannel:
  production: {fake: {becomes: "${params.becomes}", takes: 5s}}
"""
PLAIN = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - {name: production, runtime: pretend, after: {channels: staging, soak: 10s}}
"""

Scene = Callable[[House], Awaitable[tuple[str, ...]]]
SCENES: dict[str, tuple[str, str, Scene]] = {}
"""Name -> what happens in it, its configuration, its steps."""


def scene(about: str, *texts: str) -> Callable[[Scene], Scene]:
    """Register a scene; the first sentence describes what happens in it."""

    def register(play_scene: Scene) -> Scene:
        SCENES[play_scene.__name__.replace("_", "-")] = (about, documents(RUNTIME, *texts), play_scene)
        return play_scene

    return register


async def play(name: str) -> dict[str, traces.Trace]:
    """File name -> story."""
    about, configuration, play_scene = SCENES[name]
    _empty(ROOT)
    with tempfile.TemporaryDirectory() as home:
        async with compressed(Path(home), FACTOR) as (found, _):
            await found.do("apply", **{**files(configuration), "root": str(ROOT)})
            entities = await play_scene(found)
            await eventually(lambda: not found.services.engine.health().queued)
            return {_file(name, entity): await _story(found, entity, about) for entity in entities}


def _empty(directory: Path) -> None:
    """Make it, or remove what it holds."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()


def _file(name: str, entity: str) -> str:
    kind = entity.partition(":")[0]
    return f"{name}.{entity.rpartition('/')[2] if kind == 'instance' else kind}.json"


async def _story(found: House, entity: str, about: str) -> traces.Trace:
    answer = await found.ask("story", entity=entity, about=about)
    assert answer.decided_otherwise == []
    return traces.read(traces.laid_out(answer.story))


# --- releases and rollbacks -------------------------------------------------------------------------------------------


@scene("Two releases come to production, each after staging and its soak.", SERVICE, PLAIN)
async def first_releases(found: House) -> tuple[str, ...]:
    for version in ("1.0", "1.1"):
        await found.release(version)
        await found.good("web@production", version)
    return "web@staging", "web@production", "line:saas"


@scene("A release fails in production and is rolled back, is retried, fails again; a fix follows.", SERVICE, PLAIN)
async def rolled_back(found: House) -> tuple[str, ...]:
    await found.release("1.0")
    await found.good("web@production", "1.0")
    await found.release("1.1", web={"parameters": {"becomes": "failing"}})
    await found.comes_to("web@production", "vetoed")
    await found.do("retry", ANN, target="web@production", why="once more")
    await found.comes_to("web@production", "rolling-back")
    await found.comes_to("web@production", "vetoed")
    await found.release("1.2")
    await found.good("web@production", "1.2")
    return ("web@production",)


@scene("The very first release fails: there is nothing to go back to.", SERVICE, PLAIN)
async def nothing_to_go_back_to(found: House) -> tuple[str, ...]:
    await found.release("1.0", web={"parameters": {"becomes": "hangs"}})
    await found.comes_to("web@production", "failed")
    await found.release("1.1")
    await found.good("web@production", "1.1")
    return ("web@production",)


@scene("A person rolls back to the version before, which holds; later resumes.", SERVICE, PLAIN)
async def rolled_back_by_hand(found: House) -> tuple[str, ...]:
    for version in ("1.0", "1.1", "1.2"):
        await found.release(version)
        await found.good("web@production", version)
    await found.do("rollback", ANN, target="web@production", why="errors")
    await found.comes_to("web@production", "vetoed")
    await found.release("1.3")
    await found.good("web@staging", "1.3")
    await found.do("resume", ANN, target="web@production")
    await found.good("web@production", "1.3")
    return ("web@production",)


@scene("A version is pinned while newer ones are released, and unpinned.", SERVICE, PLAIN)
async def pinned(found: House) -> tuple[str, ...]:
    for version in ("1.0", "1.1"):
        await found.release(version)
        await found.good("web@production", version)
    await found.do("pin", ANN, target="web@production", version="1.0", why="a demonstration")
    await found.good("web@production", "1.0")
    await found.release("1.2")
    await found.good("web@staging", "1.2")
    await found.do("unpin", ANN, target="web@production")
    await found.good("web@production", "1.2")
    return ("web@production",)


@scene("Held while a release comes, only observed while another one does.", SERVICE, PLAIN)
async def held_and_observed(found: House) -> tuple[str, ...]:
    await found.release("1.0")
    await found.good("web@production", "1.0")
    await found.do("hold", ANN, target="web@production", why="looking")
    await found.release("1.1")
    await found.comes_to("web@production", "held")
    await found.do("resume", ANN, target="web@production")
    await found.good("web@production", "1.1")
    await found.do("observe", ANN, target="web@production", why="a storm")
    await found.release("1.2")
    await found.good("web@staging", "1.2")
    await found.waits_for("web@production", "observed-only")
    await found.do("heal", ANN, target="web@production")
    await found.good("web@production", "1.2")
    return ("web@production",)


@scene("The line is stopped and goes on; everything is paused in the middle of a rollout.", SERVICE, PLAIN)
async def stopped_and_paused(found: House) -> tuple[str, ...]:
    await found.release("1.0")
    await found.good("web@production", "1.0")
    await found.do("stop-the-line", ANN, scope="production", why="an incident")
    await found.release("1.1")
    await found.good("web@staging", "1.1")
    await found.waits_for("web@production", "frozen")
    await found.do("start-the-line", ANN, scope="production")
    await found.comes_to("web@production", "deploying")
    await found.do("pause", ANN, scope="production", why="the network is rebuilt")
    await found.do("unpause", ANN, scope="production")
    await found.good("web@production", "1.1")
    return "web@production", "scope:channel:saas/production"


@scene("A version is marked bad after it was finalized, a release is cancelled, the version is good again.", SERVICE, PLAIN)
async def marked_and_cancelled(found: House) -> tuple[str, ...]:
    for version in ("1.0", "1.1"):
        await found.release(version)
        await found.good("web@production", version)
    await found.do("mark-bad", ANN, service="web", version="1.1", why="loses orders")
    await found.comes_to("web@production", "bad")
    await found.release("1.2")
    await found.do("cancel", ANN, release=3, why="wrong branch")
    await found.do("mark-good", ANN, service="web", version="1.1", why="it was the network")
    await found.good("web@production", "1.1")
    await found.release("1.3")
    await found.good("web@production", "1.3")
    return "web@production", "line:saas"


# --- approvals, mirrors, calendars, checks ----------------------------------------------------------------------------

APPROVED = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: production
    runtime: pretend
    after: staging
    approvals: [{topic: release-manager, from: "group:release-managers", min: 2}]
  - {name: globex, runtime: pretend, mirror: production}
"""


@scene("One release is rejected, the next one approved by two; a channel mirrors that, and goes back with it.", SERVICE, APPROVED)
async def approved_and_mirrored(found: House) -> tuple[str, ...]:
    await found.release("1.0")
    await found.waits_for("web@production", "approval-missing")
    await found.do("approve", ANN, target="web@production", topic="release-manager", why="looks good")
    await found.do("approve", BOB, target="web@production", topic="release-manager")
    await found.good("web@globex", "1.0")
    await found.release("1.1")
    await found.waits_for("web@production", "approval-missing")
    await found.do("reject", BOB, target="web@production", topic="release-manager", why="not before the holiday")
    await found.comes_to("web@production", "vetoed")
    await found.release("1.2")
    await found.waits_for("web@production", "approval-missing")
    for person in (ANN, BOB):
        await found.do("approve", person, target="web@production", topic="release-manager")
    await found.good("web@globex", "1.2")
    await found.do("rollback", ANN, target="web@production", why="errors")
    await found.good("web@globex", "1.0")
    topics = [entity for entity, _ in await found.services.engine.scan("topic")]
    return "web@production", "web@globex", topics[-1]


CHECKED = """
kind: Protection
name: no-incident
program: {command: [test, "!", -e, incident]}
interval: 5s
timeout: 2s
---
kind: Application
name: saas
channels:
  - name: production
    runtime: pretend
    protections:
      - {use: no-incident}
      - {use: no-incident, name: quiet, at: {post-deployment: {for: 20s}}}
"""


@scene("A check fails before a deployment, then passes; it fails again after the next one, which goes back.", SERVICE, CHECKED)
async def checked(found: House) -> tuple[str, ...]:
    incident = ROOT / "incident"
    incident.touch()
    await found.release("1.0")
    await found.waits_for("web@production", "check-failing")
    incident.unlink()
    await found.good("web@production", "1.0")
    await found.release("1.1")
    await found.comes_to("web@production", "verifying")
    incident.touch()
    await found.comes_to("web@production", "vetoed")
    attachments = [entity for entity, _ in await found.services.engine.scan("attachment")]
    return "web@production", attachments[0]


# --- groups, waves, leases, sets, tasks -------------------------------------------------------------------------------

TENANTS = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: tenants
    runtime: pretend
    after: staging
    each: {items: [{name: initech, labels: {ring: early}}, {name: hooli}, {name: acme}, {name: globex}]}
    limits: {maxConcurrent: 1, maxFailures: 2, waves: [{select: ring=early, soak: 15s}, {size: rest}]}
  - {name: archive, runtime: pretend, after: {channels: tenants, need: 75%}}
"""
FOR_TENANTS = SERVICE.replace("production:", "tenants-hooli:")


@scene(
    "A group in two waves, one channel at a time; one of them fails, and a channel behind it needs three of four.",
    FOR_TENANTS,
    TENANTS,
)
async def waves(found: House) -> tuple[str, ...]:
    await found.release("1.0")
    await found.good("web@archive", "1.0")
    await found.release("1.1", web={"parameters": {"becomes": "failing"}})
    await found.comes_to("web@tenants-hooli", "vetoed")
    await found.good("web@archive", "1.1")
    return "web@tenants-initech", "web@tenants-hooli", "web@tenants-globex", "web@archive", "admission:organization"


MIGRATED = """
kind: Task
name: migrate
program: {command: [test, -e, ready]}
timeout: 5s
---
kind: Application
name: saas
channels:
  - {name: production, runtime: pretend, tasks: [{use: migrate, retries: 1}]}
"""


@scene("A migration fails, is tried again, waits for a person, and succeeds; the next release runs its own.", SERVICE, MIGRATED)
async def migrated(found: House) -> tuple[str, ...]:
    await found.release("1.0")
    await found.waits_for("web@production", "task-retrying")
    await eventually(lambda: _asks(found), 20)
    (ROOT / "ready").touch()
    engine = found.services.engine
    first, *_ = [entity for entity, _ in await engine.scan("task")]
    await engine.post(first, TaskRetried(by=By("ann", "the disk was full")))
    await found.good("web@production", "1.0")
    await found.release("1.1")
    await found.good("web@production", "1.1")
    return "web@production", first


async def _asks(found: House) -> bool:
    row = await found.row("web@production")
    return bool(row.reason and row.reason.clears.who == "person")
