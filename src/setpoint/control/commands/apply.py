"""Apply: a configuration becomes the one in force.

What was shown is what is applied. A change of what runs makes a configuration release, which keeps versions (§10.1).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from pydantic import Field

from setpoint.config.compile import Configuration
from setpoint.config.problems import ConfigurationError
from setpoint.control import limits
from setpoint.control.act import Act
from setpoint.control.commands.release import same_versions, submit
from setpoint.control.compiling import Compiled, compile_all
from setpoint.control.errors import Invalid, Malformed, Refused
from setpoint.control.exit_codes import changed_meanings
from setpoint.control.instances import line_of
from setpoint.control.leftovers import everybody, instances_of
from setpoint.control.permissions import Permission
from setpoint.control.planning import AutomaticRelease, Plan, make_plan
from setpoint.control.reconfiguring import submit_configuration
from setpoint.control.registry import Answer, Request, command
from setpoint.core.facts import AnyFact, Configured, InvariantConfigured, Removed
from setpoint.core.instance.state import InstanceState
from setpoint.core.invariant import InvariantState
from setpoint.model.people import ENGINE, Person
from setpoint.model.release import Release
from setpoint.model.spec import digest
from setpoint.store.content import sha256_of

if TYPE_CHECKING:
    from setpoint.control.control import Control

log = logging.getLogger("setpoint.control")
KIND = "configuration"
FINISHED = "finished"
PENDING = "pending"


class Files(Request):
    """A configuration as files."""

    files: dict[str, str]
    """Path relative to the root -> content in Base64, as ``setpoint.config.collect`` finds them."""
    root: str
    """Where they lie on the engine's machine."""
    executable: list[str] = Field(default_factory=list)
    """Paths of those that may be run."""


class ApplyRequest(Files):
    """A configuration to apply."""

    expect: str = ""
    """The ``plan`` that ``preview`` gave: refused when it would do something else by now."""
    confirm: list[str] = Field(default_factory=list)
    """Names of groups that may lose more than half of their channels at once, such as ``saas/tenants``."""
    why: str = Field("", max_length=2000)


class Applied(Answer):
    """What was applied."""

    revision: int
    digest: str
    changes: int
    releases: dict[str, int]
    """Application -> number of the newest release that the apply made, of either kind."""
    configurations: dict[str, int]
    """Application -> number of the configuration release that the apply made."""
    waiting: list[str]
    """Services that changed and yet are not released by themselves, and why."""
    notices: list[str]
    """What is declared and not acted on by this version, one line for each sort; and checks whose last exit code gets another
    result."""


class Progress(msgspec.Struct, frozen=True):
    """How far an apply got: a revision, and the instances that it brought."""

    revision: int
    new: list[str] = []
    down: list[str] = []
    """What has left and is taken down."""
    person: str = ENGINE.person


@command(
    "apply",
    Permission.CONFIGURE,
    ApplyRequest,
    Applied,
    "Put a configuration into force; a change of what runs makes a configuration release, which keeps versions.",
    subject=lambda request: request.root,
    instead="Ask for `preview`: `setpoint apply DIRECTORY --dry-run` shows it.",
)
async def apply(act: Act, request: ApplyRequest) -> Applied:
    """Stores it first; what is left undone by a crash is done by ``restore``."""
    configuration, files = await asyncio.to_thread(parse, request)
    control = act.control
    if configuration.refusals:
        message = "This configuration is in order, but this version cannot do all that it asks for; nothing was applied."
        raise Refused(message, "Leave that out, or wait for a version that can.", details=configuration.refusals)
    async with control.configuring:
        plan = await make_plan(act, configuration)
        if request.expect and request.expect != plan.digest:
            raise Refused(
                "The configuration or the releases changed since the difference was shown.", "Look at it again, then apply."
            )
        _check_departures(request, plan)
        meanings = await changed_meanings(control, configuration)
        await control.records.put("configuration-root", content_digest(files), request.root)
        # What gates are run with is durable before the revision that asks for it (§10.6).
        await control.content.put(files=configuration.trees.contents.values())
        revision = await control.documents.save(files, request.executable, at=act.now, person=act.person.name)
        progress = Progress(revision.number, plan.new, list(plan.departures.down), act.person.name)
        await control.records.put(KIND, PENDING, progress)
        releases, configurations = await _carry_out(act, configuration, plan, progress)
    return Applied(
        revision=revision.number,
        digest=configuration.digest,
        changes=len(plan.changes),
        releases=releases,
        configurations=configurations,
        waiting=plan.waiting,
        notices=[*configuration.notices, *meanings],
    )


def _check_departures(request: ApplyRequest, plan: Plan) -> None:
    """Nothing is taken down that was not shown, and no group is emptied by a slip. Raises Refused."""
    leaving = plan.departures
    if leaving.down and not request.expect:
        names = ", ".join(sorted(leaving.down)[:5]) + (" …" if len(leaving.down) > 5 else "")
        raise Refused(
            f"This would take down {len(leaving.down)} instances ({names}), and nobody has looked at that.",
            "Ask for `preview` first and give its `plan` as `expect`; the command line does so.",
        )
    for group, (gone, whole) in leaving.shrinking.items():
        if group not in request.confirm:
            raise Refused(
                f"{gone} of the {whole} channels of group {group} would go at once; nothing was applied.",
                f"If that is meant, say so by name: `--confirm {group}`.",
            )


async def restore(control: Control) -> None:
    """At a start: put the configuration of the last apply into force again."""
    newest = await control.documents.newest()
    if newest is None:
        return
    files = await control.documents.load(newest.number)
    root = await control.records.get("configuration-root", content_digest(files), str) or "/"
    try:
        executable = await control.documents.executables(newest.number)
        await control.adopt(await asyncio.to_thread(Configuration.from_files, files, Path(root), executable))
    except ConfigurationError as error:
        control.unreadable = str(error)
        log.error("the stored configuration (revision %d) cannot be used by this version:\n%s", newest.number, error)  # noqa: TRY400 - its problems say all


async def finish(control: Control) -> None:
    """Do the rest of an apply that was interrupted."""
    newest = await control.documents.newest()
    finished = await control.records.get(KIND, FINISHED, int)
    if newest is None or control.applied is None or finished == newest.number:
        return
    pending = await control.records.get(KIND, PENDING, Progress)
    act = Act(control, Person(newest.person), control.clock(), "restore")
    new = pending.new if pending and pending.revision == newest.number else None
    down = pending.down if pending and pending.revision == newest.number else []
    plan = await make_plan(act, control.applied, new=new)
    await _carry_out(act, control.applied, plan, Progress(newest.number, plan.new, down, newest.person))


def contents(request: Files) -> dict[str, bytes]:
    """Path -> content.

    Raises:
        Malformed: it is no set of files below a root.
    """
    if not Path(request.root).is_absolute() or not all(_inside(path) for path in request.files):
        raise Malformed("Paths of files must be relative and stay below an absolute root.", "Use the command line.")
    try:
        return {path: base64.b64decode(content, validate=True) for path, content in request.files.items()}
    except binascii.Error as error:
        raise Malformed(
            f"A file's content is no Base64: {error}.", "Use the command line, or encode contents in Base64."
        ) from None


def parse(request: Files) -> tuple[Configuration, dict[str, bytes]]:
    """The configuration that a request holds.

    Raises:
        Malformed: it is no set of files. Invalid: the configuration has mistakes.
    """
    files = contents(request)
    try:
        return Configuration.from_files(files, Path(request.root), request.executable), files
    except ConfigurationError as error:
        number = len(error.problems)
        raise Invalid(
            f"The configuration has {number} mistake{'s' if number > 1 else ''}; nothing was applied.",
            "Correct them; `setpoint validate DIRECTORY` shows them too.",
            details=[str(problem) for problem in error.problems],
        ) from None


def _inside(path: str) -> bool:
    pure = Path(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts


def content_digest(files: Mapping[str, bytes]) -> str:
    """Of all paths and contents."""
    return digest({path: sha256_of(content) for path, content in sorted(files.items())})


async def _carry_out(
    act: Act, configuration: Configuration, plan: Plan, progress: Progress
) -> tuple[dict[str, int], dict[str, int]]:
    """Application -> its newest release, and -> its configuration release."""
    control = act.control
    await control.adopt(configuration)
    number = progress.revision
    told = [
        *await limits.configured(control, configuration, number),
        *await _policies(control, configuration, number),
        *await _removals(control, configuration, number, progress.down),
        *await _invariants(control, configuration, number),
    ]
    await control.engine.post_all(told)
    configurations: dict[str, int] = {}
    for changed in plan.configurations:
        made = await submit_configuration(act, configuration, changed, progress.revision, plan.new, plan.starting)
        configurations |= {changed.application: made} if made else {}
    releases = dict(configurations)
    for wanted in plan.releases:
        number = await _release(act, wanted, f"apply:{progress.revision}:{wanted.application}:{wanted.digest}")
        releases[wanted.application] = max(number, releases.get(wanted.application, 0))
    await control.records.put(KIND, FINISHED, progress.revision)
    return releases, configurations


async def _policies(control: Control, configuration: Configuration, number: int) -> list[tuple[str, AnyFact]]:
    found: list[tuple[str, AnyFact]] = []
    for instance in configuration.all_instances:
        state = await control.engine.read(f"instance:{instance}")
        policy = configuration.policy(instance)
        if not isinstance(state, InstanceState) or state.policy != policy or state.removed:
            found.append((f"instance:{instance}", Configured(policy=policy, number=number)))
    return found


async def _removals(control: Control, configuration: Configuration, number: int, down: list[str]) -> list[tuple[str, AnyFact]]:
    configured = {f"instance:{instance}" for instance in configuration.all_instances}
    return [
        (entity, Removed(number=number, down=entity.partition(":")[2] in down))
        async for entity, state in instances_of(control)
        if entity not in configured and not state.removed
    ]


async def _invariants(control: Control, configuration: Configuration, number: int) -> list[tuple[str, AnyFact]]:
    """Those that are new or changed, and those that are gone."""
    found: list[tuple[str, AnyFact]] = []
    for name, invariant in configuration.invariants.items():
        state = await control.engine.read(f"invariant:{name}")
        if not isinstance(state, InvariantState) or state.invariant != invariant:
            found.append((f"invariant:{name}", InvariantConfigured(number=number, invariant=invariant)))
    async for entity, state in everybody(control, "invariant"):
        if entity.partition(":")[2] not in configuration.invariants and state.invariant is not None:
            found.append((entity, InvariantConfigured(number=number)))
    return found


async def _release(act: Act, wanted: AutomaticRelease, request: str) -> int:
    async def make() -> tuple[Release, Compiled]:
        line = await line_of(act, wanted.application)
        compiled = await compile_all(act.control.configuration, line, wanted.application, wanted.wishes, wanted.instances)
        release = Release(
            application=wanted.application,
            services=compiled.services | same_versions(wanted.versions, compiled),
            channels=tuple(wanted.channels),
            author=act.person.name,
            reason=wanted.why,
            automatic=True,
        )
        return release, compiled

    return await submit(act, make, request)
