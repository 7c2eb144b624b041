"""Getting the memory image from the journal: at the start, and again when the journal could not be written for a while."""

from __future__ import annotations

import asyncio

from setpoint.engine.embedded.mailbox import Actor, Mail
from setpoint.engine.embedded.world import EngineWorld
from setpoint.engine.errors import EngineDegraded
from setpoint.engine.port import StateCodec
from setpoint.store.journal import Loaded
from setpoint.store.port import Store, StoreError, StoreLost, StoreUnavailable


def unwritable(store: Store, error: StoreError) -> str:
    """What is the matter, and what to do."""
    if isinstance(error, StoreUnavailable):
        return f"the journal {store.name} cannot be written: {error}. No new work is started; {error.remedy}"
    return str(error)


async def open_and_load(store: Store, codec: StateCodec) -> tuple[int, EngineWorld]:
    """The number of this start, and everything that is durable.

    Raises:
        EngineDegraded: it can be read but not written. StoreDamaged: it cannot be read.
        StoreLost: it is not the one that was here.
    """
    try:
        return await store.open(), await _load(store, codec)
    except StoreUnavailable as error:
        raise EngineDegraded(unwritable(store, error)) from error


async def load_if_writable(store: Store, codec: StateCodec) -> EngineWorld | str:
    """Everything that is durable, if there is room to go on; else what is the matter. Raises StoreLost."""
    try:
        await store.journal.probe()
        return await _load(store, codec)
    except StoreLost:
        raise
    except StoreError as error:
        return unwritable(store, error)


async def _load(store: Store, codec: StateCodec) -> EngineWorld:
    loaded = await store.journal.load()
    return await asyncio.to_thread(world_of, loaded, codec)


def world_of(loaded: Loaded, codec: StateCodec) -> EngineWorld:
    """Everything, decoded. What is damaged or cannot be decoded costs its own entity only."""
    world = EngineWorld()
    world.problems = loaded.problems
    _decode_actors(loaded, codec, world)
    world.problems |= loaded.damaged
    for publisher, subscriber in loaded.subscriptions:
        world.subscribers.setdefault(publisher, {})[subscriber] = None
    _decode_publications(loaded, codec, world)
    _decode_operations(loaded, codec, world)
    _decode_mail(loaded, codec, world)
    world.next_mail, world.next_turn = loaded.next_mail, loaded.next_turn
    world.dedup = loaded.dedup
    world.stamp, world.offsets = loaded.stamp, loaded.offsets
    for publisher, after in loaded.fanouts:
        world.start_fanout(publisher, after)
    return world


def _decode_actors(loaded: Loaded, codec: StateCodec, world: EngineWorld) -> None:
    for stored in loaded.actors:
        actor = world.add(Actor(stored.number, stored.entity))
        actor.turn, actor.turns = stored.turn, stored.turns
        problem = stored.damaged
        if not problem:
            try:
                actor.state = actor.durable = codec.decode_state(stored.entity, stored.fixed, stored.changing)
            except Exception as error:  # noqa: BLE001 - what cannot be decoded costs its own entity only, and is its problem
                problem = str(error)
        if problem:
            actor.unreadable = True
            world.problems[stored.entity] = f"its stored state cannot be read: {problem}"
        if stored.wake_at is not None:
            world.wakes[stored.entity] = stored.wake_at


def _decode_publications(loaded: Loaded, codec: StateCodec, world: EngineWorld) -> None:
    for publisher, fact in loaded.publications:
        try:
            world.publications[publisher] = codec.decode_fact(fact)
        except Exception as error:  # noqa: BLE001 - as above
            world.problems.setdefault(publisher, f"what it published cannot be read: {error}")


def _decode_operations(loaded: Loaded, codec: StateCodec, world: EngineWorld) -> None:
    for operation, entity, instruction in loaded.operations:
        try:
            found = codec.decode_instruction(instruction)
            world.open.append((entity, found))
            world.operations[operation] = type(found).__name__
        except Exception as error:  # noqa: BLE001 - as above
            world.problems.setdefault(entity, f"the open operation {operation} cannot be read: {error}")


def _decode_mail(loaded: Loaded, codec: StateCodec, world: EngineWorld) -> None:
    for seq, entity, data, aside in loaded.mail:
        actor = world.actor(entity)
        try:
            mail = Mail(codec.decode_fact(data), data, seq=seq)
        except Exception as error:  # noqa: BLE001 - as above
            world.problems.setdefault(entity, f"a fact for it cannot be read and was left aside: {error}")
            continue
        _file(actor, mail, aside=aside)


def _file(actor: Actor, mail: Mail, *, aside: bool) -> None:
    if aside:
        actor.aside = actor.aside or []
        actor.aside.append(mail)
    else:
        actor.pending = actor.pending or []
        actor.pending.append(mail)
