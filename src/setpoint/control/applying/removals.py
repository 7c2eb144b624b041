"""What an apply would leave behind or take down, and which groups would lose more than half of their channels together."""

from __future__ import annotations

from dataclasses import dataclass, field

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.context import RequestContext
from setpoint.control.reading.states import state_of
from setpoint.core.instance.state import offer_of
from setpoint.model.names import within


@dataclass
class Removals:
    """What ``preview`` shows and ``apply`` does."""

    kept: dict[str, str] = field(default_factory=dict)
    """Instance -> version that runs on."""
    down: dict[str, str] = field(default_factory=dict)
    """Instance -> version that is taken down, as ``onRemove: destroy`` requires."""
    shrinking: dict[str, tuple[int, int]] = field(default_factory=dict)
    """``application/group`` -> (channels that go, channels there are), where that is more than half."""


async def removals(context: RequestContext, configuration: CompiledConfiguration) -> Removals:
    """Compared with what is in force."""
    applied, found = context.applied, Removals()
    if applied is None:
        return found
    here = set(configuration.all_instances)
    for instance in applied.all_instances:
        if instance in here:
            continue
        life = (await state_of(context, instance)).life
        offer = offer_of(life, life.target)
        if offer:
            chosen = found.down if applied.on_remove(instance) == "destroy" else found.kept
            chosen[instance] = offer.version.name
    _note_shrinking(applied, configuration, found)
    return found


def _note_shrinking(applied: CompiledConfiguration, configuration: CompiledConfiguration, found: Removals) -> None:
    for application in applied.applications:
        after = configuration.members(application) if application in configuration.applications else {}
        for group, channels in applied.members(application).items():
            gone = set(channels) - set(after.get(group, ()))
            if 2 * len(gone) > len(channels):
                found.shrinking[within(application, group)] = (len(gone), len(channels))
