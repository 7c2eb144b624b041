"""Who receives what an instruction sends: one table for every host (the engine, dry runs, the simulator).

A host keeps the subscriptions and the last publications, makes them durable and delivers; it decides nothing about receivers.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import NamedTuple

from msgspec.structs import replace

from setpoint.core.facts import AnyFact
from setpoint.core.instructions import Publish, Send, Subscribe, Unsubscribe
from setpoint.model.time import Stamp

Message = Send | Publish | Subscribe | Unsubscribe
Subscribers = MutableMapping[str, dict[str, None]]
"""Publisher -> those that get what it publishes, in the order of their subscriptions."""
Publications = MutableMapping[str, AnyFact]
"""Publisher -> what it published last."""


class Routed(NamedTuple):
    """What one instruction comes to."""

    fact: AnyFact | None = None
    """Stamped; None: nothing is delivered."""
    to: Collection[str] = ()
    """Entities that receive it."""
    changed: bool = False
    """Whether a subscription began or ended."""


def route(sender: str, message: Message, subscribers: Subscribers, publications: Publications, now: Stamp) -> Routed:
    """Return who receives what; ``subscribers`` and ``publications`` are as they are afterwards."""
    match message:
        case Send(to, fact):
            return Routed(stamped(fact, now), (to,))
        case Publish(fact):
            publications[sender] = fact = stamped(fact, now)
            return Routed(fact, subscribers.get(sender, ()))
        case Subscribe(to):
            known = subscribers.setdefault(to, {})
            if sender in known:
                return Routed()
            known[sender] = None
            published = publications.get(to)
            return Routed(changed=True) if published is None else Routed(stamped(published, now), (sender,), changed=True)
        case Unsubscribe(to):
            known = subscribers.get(to, {})
            return Routed(changed=known.pop(sender, sender) is None)


def stamped(fact: AnyFact, now: Stamp) -> AnyFact:
    """The fact as of ``now``."""
    return fact if (fact.at, fact.offset) == now else replace(fact, at=now.at, offset=now.offset)
