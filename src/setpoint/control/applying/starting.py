"""Channels that start with what another one finalized (``startFrom``): which instances, and the versions they start with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.context import RequestContext
from setpoint.control.reading.states import state_of
from setpoint.core.instance.state import offer_of
from setpoint.model.names import channel_of, in_channel, parse_instance
from setpoint.model.release import Offer


@dataclass
class ChannelStart:
    """New instances that start with what one channel finalized."""

    origin: str
    offers: dict[str, Offer] = field(default_factory=dict)
    """Service -> what is good there."""
    instances: list[str] = field(default_factory=list)

    @property
    def channels(self) -> list[str]:
        """Those that start."""
        return sorted({channel_of(one) for one in self.instances})


async def starts(
    context: RequestContext, configuration: CompiledConfiguration, application: str, new: Collection[str]
) -> list[ChannelStart]:
    """By the channel that they start from. Where nothing is good there, new instances take the newest release like any other."""
    origins = {one.name: one.start_from for one in configuration.channels(application) if one.start_from and not one.mirror}
    found: dict[str, ChannelStart] = {}
    for instance in new:
        owner, service, channel = parse_instance(instance)
        if owner != application or channel not in origins or not configuration.needs_release(owner, service):
            continue
        life = (await state_of(context, in_channel(instance, origins[channel]))).life
        if offer := offer_of(life, life.good):
            start = found.setdefault(origins[channel], ChannelStart(origins[channel]))
            start.offers[service] = offer
            start.instances.append(instance)
    return [found[origin] for origin in sorted(found)]
