"""Apply: a configuration becomes the one in force.

What was shown is what is applied. A change of what runs makes a configuration release, which keeps versions (§10.1).
"""

from __future__ import annotations

from pydantic import Field

from setpoint.control.applying.carrying_out import KIND, PENDING, Progress, carry_out
from setpoint.control.applying.exit_codes import changed_meanings
from setpoint.control.applying.files import Files, content_digest, parse
from setpoint.control.applying.planning import ApplyPlan, make_plan
from setpoint.control.bounds import ITEMS
from setpoint.control.context import RequestContext
from setpoint.control.errors import Refused
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, command


class ApplyRequest(Files):
    """A configuration to apply."""

    expect: str = ""
    """The ``plan`` that ``preview`` gave: refused when it would do something else by now."""
    confirm: list[str] = Field(default_factory=list, max_length=ITEMS)
    """Names of groups that may lose more than half of their channels together, such as ``saas/tenants``."""
    why: str = Field("", max_length=2000)


class AppliedConfiguration(Answer):
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


@command(
    "apply",
    Permission.CONFIGURE,
    ApplyRequest,
    AppliedConfiguration,
    "Put a configuration into force; a change of what runs makes a configuration release, which keeps versions.",
    subject=lambda request: request.root,
    instead="Ask for `preview`: `setpoint apply DIRECTORY --dry-run` shows it.",
)
async def apply(context: RequestContext, request: ApplyRequest) -> AppliedConfiguration:
    """Stores it first; what is left undone by a crash is done by ``restoring``."""
    configuration, files = await parse(context.services, request)
    services, stores = context.services, context.stores
    if configuration.refusals:
        message = "This configuration is in order, but this version does not support all of it; nothing was applied."
        raise Refused(message, "Leave that out, or wait for a version that can.", details=configuration.refusals)
    async with services.configuring:
        plan = await make_plan(context, configuration)
        if request.expect and request.expect != plan.digest:
            raise Refused(
                "The configuration or the releases changed since the difference was shown.", "Look at it again, then apply."
            )
        _check_removals(request, plan)
        meanings = await changed_meanings(services, configuration.exit_codes)
        await stores.records.put("configuration-root", content_digest(files), request.root)
        # What gates are run with is durable before the revision that needs it (§10.6).
        await stores.content.put(files=configuration.trees.contents.values())
        revision = await stores.documents.save(files, request.executable, at=context.now, person=context.person.name)
        progress = Progress(revision.number, plan.new, list(plan.removals.down), context.person.name)
        await stores.records.put(KIND, PENDING, progress)
        releases, configurations = await carry_out(context, configuration, plan, progress)
    return AppliedConfiguration(
        revision=revision.number,
        digest=configuration.digest,
        changes=len(plan.changes),
        releases=releases,
        configurations=configurations,
        waiting=plan.waiting,
        notices=[*configuration.notices, *meanings],
    )


def _check_removals(request: ApplyRequest, plan: ApplyPlan) -> None:
    """Nothing is taken down that was not shown, and no group is emptied by a slip. Raises Refused."""
    leaving = plan.removals
    if leaving.down and not request.expect:
        names = ", ".join(sorted(leaving.down)[:5]) + (" …" if len(leaving.down) > 5 else "")
        raise Refused(
            f"This would take down {len(leaving.down)} instances ({names}), which was not confirmed.",
            "Ask for `preview` first and give its `plan` as `expect`; the command line does so.",
        )
    for group, (gone, whole) in leaving.shrinking.items():
        if group not in request.confirm:
            raise Refused(
                f"{gone} of the {whole} channels of group {group} would be removed together; nothing was applied.",
                f"If that is intended, confirm the group: `--confirm {group}`.",
            )
