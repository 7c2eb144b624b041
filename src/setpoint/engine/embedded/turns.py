# ruff: noqa: ARG002 - handlers of instructions all take the same arguments
"""One pass: turns for actors with facts, collected into one transaction and what is to be performed after it.

Turns of a pass change the memory image immediately; if the transaction fails, the host discards the image and loads it again.
"""

from __future__ import annotations

import logging
import time
from asyncio import Future
from collections.abc import Callable
from typing import Any

from msgspec import msgpack

from setpoint.core import instructions as do
from setpoint.core.facts import Observed, Unobserved, Woken
from setpoint.core.routing import Message, route
from setpoint.engine.embedded.clock import HostClock, Jump
from setpoint.engine.embedded.failpoints import Failpoints
from setpoint.engine.embedded.mailbox import Actor, Mail, Mailbox, stamp_of
from setpoint.engine.embedded.timers import Timers
from setpoint.engine.embedded.world import EngineWorld
from setpoint.engine.port import CLOCK, Decide, StateCodec
from setpoint.model.names import application_of, entity_kind, is_kind, key_of
from setpoint.model.time import MINUTE, SECOND, Duration, Instant, Stamp
from setpoint.store.journal import CHAPTER, Commit, TurnRow, digest_of, pack

log = logging.getLogger("setpoint.engine")

PASS_TURNS = 256
PASS_SECONDS = 0.008
LONG_PASS_SECONDS = 0.016
"""When many wait: fewer commits for more turns, which a long queue does not notice."""
_MANY = 512
_FANOUT = 128
"""So many subscribers are notified in the publisher's own transaction; more get it in chunks of this size, pass after pass."""
_FEW = 16
"""So many receivers inherit the urgency of the publisher."""
_RETRY_FIRST: Duration = SECOND
_RETRY_LAST: Duration = 10 * MINUTE

_LOOKS = {Observed, Unobserved}

Performable = tuple[str, Any]


class Pass:
    """What one pass adds up to."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.writes = Commit()
        self.turns = 0
        self.turned: list[Actor] = []
        """Those that took what waited for them, be it nothing."""
        self.touched: list[tuple[Actor, Any]] = []
        self.done: list[Future[None]] = []
        self.results: list[str] = []
        """Kinds of the operations whose ends were taken, for failpoints."""
        self.perform: list[Performable] = []

    def __bool__(self) -> bool:
        return bool(self.turned or self.done or self.writes)


class Turns:
    """Decides. Knows nothing of transactions, tasks or the outside."""

    def __init__(
        self,
        world: EngineWorld,
        mailbox: Mailbox,
        timers: Timers,
        *,
        decide: Decide,
        codec: StateCodec,
        clock: HostClock,
        failpoints: Failpoints,
    ) -> None:
        self._failpoints = failpoints
        self._world = world
        self._mailbox = mailbox
        self._timers = timers
        self._decide = decide
        self._codec = codec
        self._clock = clock
        self._event = msgpack.Encoder()
        self._pass = Pass()
        self._urgent = False
        self.passes = 0
        """Number of the newest pass."""
        self.dedup: list[tuple[str, Instant]] = []
        """Keys of posts that the next pass makes durable."""
        self.dedup_gone: list[str] = []
        """Keys that are too old."""
        self.jumps: list[Jump] = []
        """Of the wall clock: the next pass writes a line of history for each."""
        self.offsets: list[Stamp] = []
        """New ones of the wall clock, that the next pass makes durable."""
        self.keep_stamp = False
        """The next pass makes a stamp durable although nothing else is to be written."""
        self.started: Callable[[str], bool] = lambda _: False
        """Whether an operation has been started; it cannot be cancelled then."""
        self._encoders: dict[type[Any], Callable[[Any], bytes]] = {
            do.Send: self._encode_send,
            do.Publish: lambda instruction: codec.encode_fact(instruction.fact),
            do.Apply: codec.encode_instruction,
            do.RunCheck: codec.encode_instruction,
            do.RunTask: codec.encode_instruction,
            do.Record: lambda instruction: self._event.encode(instruction.event),
        }
        self._doers: dict[type[Any], Callable[[Actor, Any, bytes, Stamp], None]] = {
            do.Send: self._exchange,
            do.Publish: self._exchange,
            do.Subscribe: self._exchange,
            do.Unsubscribe: self._exchange,
            do.Watch: self._later,
            do.Unwatch: self._later,
            do.Apply: self._open,
            do.RunCheck: self._open,
            do.RunTask: self._open,
            do.Cancel: self._cancel,
            do.Record: self._record,
        }

    def run(self) -> Pass:
        """Turns in order of mail, bounded in number and time; what is left over becomes rows."""
        self.passes += 1
        current = self._pass = Pass(self.passes)
        end = time.perf_counter() + (LONG_PASS_SECONDS if self._mailbox.mails > _MANY else PASS_SECONDS)
        self._fan_out()
        while current.turns < PASS_TURNS and (found := self._mailbox.next()) is not None:
            actor, self._urgent = found
            self._turn(actor)
            if time.perf_counter() > end:
                break
        self._save_left()
        if self._world.long:
            current.writes.long.append(self._world.long.popleft())
        current.writes.dedup, self.dedup = self.dedup, []
        current.writes.dedup_gone, self.dedup_gone = self.dedup_gone, []
        for jump in self.jumps:
            self._record_jump(jump)
        self.jumps = []
        current.writes.offsets, self.offsets = self.offsets, []
        if current or self.keep_stamp:
            current.writes.stamp, self.keep_stamp = [self._clock.stamp()], False
        return current

    def wants_pass(self) -> bool:
        """Whether something is to be written that no turn brings about."""
        return bool(self.dedup_gone or self.jumps or self.offsets or self.keep_stamp)

    # --- one turn

    def _turn(self, actor: Actor) -> None:
        self._pass.turned.append(actor)
        mails = self._fresh(actor)
        everything = actor.aside + mails if actor.aside else mails
        if not everything:
            return
        self._pass.turns += 1
        if actor.unreadable:
            self._set_aside(actor, mails)
            return
        error = self._try(actor, everything)
        if error is None:
            if actor.failures or actor.entity in self._world.problems:
                self._solved(actor)
            return
        if actor.aside and any(type(mail.fact) is not Woken for mail in mails) and self._try(actor, mails) is None:
            self._retry_later(actor, self._clock())
            return
        self._failed(actor, mails, error)

    def _fresh(self, actor: Actor) -> list[Mail]:
        """The actor's mail without ends of operations that are not open any more."""
        mails = actor.pending
        actor.pending = None
        if mails is None:
            return []
        self._mailbox.mails -= len(mails)
        operations = self._world.operations
        fresh = [mail for mail in mails if not mail.operation or mail.operation in operations]
        if self._failpoints.armed:
            for mail in fresh:
                if mail.operation:
                    self._failpoints.hit("before-result", operations[mail.operation])
        return fresh

    def _try(self, actor: Actor, mails: list[Mail]) -> Exception | None:
        """Decide and encode everything before anything changes, so that whatever raises leaves no trace."""
        now = stamp_of(mails)
        try:
            decision = self._decide(actor.entity, actor.state, [mail.fact for mail in mails], now.at)
            fixed, changing = self._codec.encode_state(actor.entity, decision.state, actor.state)
            turn = self._written_down(actor, mails, changing, now.at)
            coded = [(instruction, self._encode(instruction)) for instruction in decision.instructions]
        except Exception as error:  # noqa: BLE001 - whatever a turn raises costs its own entity only, and is kept as its problem
            return error
        self._take(actor, mails)
        self._remember(actor, turn)
        self._keep(actor, decision, fixed, changing)
        for instruction, blob in coded:
            self._doers[type(instruction)](actor, instruction, blob, now)
        return None

    def _encode_send(self, send: do.Send) -> bytes:
        entity_kind(send.to)
        return self._codec.encode_fact(send.fact)

    def _encode(self, instruction: Any) -> bytes:
        encoder = self._encoders.get(type(instruction))
        if encoder is None:
            if type(instruction) not in self._doers:
                raise TypeError(f"{type(instruction).__name__} is not an instruction")
            return b""
        return encoder(instruction)

    def _written_down(self, actor: Actor, mails: list[Mail], changing: bytes, now: Instant) -> TurnRow:
        """The turn as its row: what it was given, a digest of what came of it, and at the start of a chapter the state before."""
        encode = self._codec.encode_fact
        facts = pack([mail.blob if mail.blob is not None else encode(mail.fact) for mail in mails])
        before: tuple[bytes | None, bytes | None] = (None, None)
        if actor.turns and actor.turns % CHAPTER == 0:
            before = self._codec.encode_state(actor.entity, actor.state, None)
        return (self._world.next_turn, actor.turn, actor.turns + 1, now, digest_of(changing), facts, *before)

    def _remember(self, actor: Actor, turn: TurnRow) -> None:
        self._pass.writes.turns.append(turn)
        actor.turn, actor.turns = turn[0], turn[2]
        self._world.next_turn += 1
        if turn[2] > 2 * CHAPTER and turn[2] % CHAPTER == 1:
            self._world.long.append(actor.turn)

    def _keep(self, actor: Actor, decision: do.Decision, fixed: bytes | None, changing: bytes) -> None:
        writes = self._pass.writes
        wake_at = decision.wake_at
        writes.actors[actor.id] = (actor.id, actor.entity, changing, wake_at, actor.turn, actor.turns)
        if fixed is not None:
            writes.fixed[actor.id] = (actor.id, fixed)
        actor.state = decision.state
        self._pass.touched.append((actor, decision.state))
        self._timers.arm(actor.entity, wake_at)

    def _take(self, actor: Actor, mails: list[Mail]) -> None:
        current = self._pass
        for mail in mails:
            mail.taken = True
            if mail.seq:
                current.writes.mail_gone.append(mail.seq)
            if mail.operation:
                self._close(mail)
            if mail.done is not None:
                current.done.append(mail.done)
        if actor.aside and actor.aside[0].taken:
            actor.aside = None

    def _close(self, mail: Mail) -> None:
        kind = self._world.operations.pop(mail.operation, None)
        if kind is not None:
            self._pass.writes.operations_gone.append(mail.operation)
            self._pass.results.append(kind)

    # --- turns that raise

    def _failed(self, actor: Actor, mails: list[Mail], error: Exception) -> None:
        problem = f"a turn raised {type(error).__name__}: {error}"
        now = self._clock.stamp()
        if problem != self._world.problems.get(actor.entity):
            log.error("%s: %s; it keeps its state, and the turn is tried again", actor.entity, problem, exc_info=error)
            self._world.problems[actor.entity] = problem
            self._pass.writes.problems[actor.entity] = (problem, now.wall)
            self._note(actor, "problem", problem, now)
        self._set_aside(actor, mails)
        self._timers.arm(actor.entity, None)
        self._retry_later(actor, now.at)

    def _retry_later(self, actor: Actor, now: Instant) -> None:
        retry = now + min(_RETRY_FIRST << min(actor.failures, 16), _RETRY_LAST)
        actor.failures += 1
        due = self._timers.due(actor.entity)
        self._timers.arm(actor.entity, retry if due is None else min(due, retry))

    def _set_aside(self, actor: Actor, mails: list[Mail]) -> None:
        """Keep facts until a turn with them succeeds; of looks the last one is enough."""
        if any(type(mail.fact) in _LOOKS for mail in mails):
            self._drop_looks(actor)
        kept = []
        for mail in mails:
            if mail.operation:
                self._close(mail)
                mail.operation = ""
            if mail.done is not None:
                self._pass.done.append(mail.done)
                mail.done = None
            if mail.seq:
                self._pass.writes.mail_aside.append(mail.seq)
                kept.append(mail)
            elif (blob := self._blob(mail)) is not None:
                mail.seq = self._row(actor, blob, aside=1)
                kept.append(mail)
        if kept:
            actor.aside = [*(actor.aside or []), *kept]

    def _blob(self, mail: Mail) -> bytes | None:
        """Return None for what comes again automatically."""
        if mail.blob is not None or type(mail.fact) is Woken:
            return mail.blob
        return self._codec.encode_fact(mail.fact)

    def _drop_looks(self, actor: Actor) -> None:
        looks = [mail for mail in actor.aside or [] if type(mail.fact) in _LOOKS]
        self._pass.writes.mail_gone += [mail.seq for mail in looks]
        actor.aside = [mail for mail in actor.aside or [] if mail not in looks] or None

    def _solved(self, actor: Actor) -> None:
        self._world.problems.pop(actor.entity, None)
        actor.failures = 0
        self._pass.writes.problems[actor.entity] = None
        self._note(actor, "problem-solved", "its turns succeed again", self._clock.stamp())

    def _note(self, actor: Actor, kind: str, text: str, now: Stamp) -> None:
        printable = text.encode("utf-8", "replace").decode()
        event = do.Event(kind, printable)
        self._record(actor, do.Record(event), self._event.encode(event), now)

    # --- instructions

    def _exchange(self, actor: Actor, message: Message, blob: bytes, now: Stamp) -> None:
        fact, receivers, changed = route(actor.entity, message, self._world.subscribers, self._world.publications, now)
        if changed and isinstance(message, do.Subscribe | do.Unsubscribe):
            self._pass.writes.subscriptions[message.to, actor.entity] = isinstance(message, do.Subscribe)
        if fact is None:
            return
        if not isinstance(message, do.Send | do.Publish) or fact is not message.fact:
            blob = self._codec.encode_fact(fact)
        if isinstance(message, do.Publish) and not self._publish(actor.entity, blob, len(receivers)):
            return
        urgent = self._urgent and len(receivers) <= _FEW
        for receiver in list(receivers):
            self._mailbox.put(self._world.actor(receiver), Mail(fact, blob), urgent=urgent)

    def _publish(self, entity: str, blob: bytes, receivers: int) -> bool:
        """Make a publication durable; False: later passes deliver it, since it goes to many."""
        self._pass.writes.publications[entity] = (entity, blob)
        if receivers > _FANOUT:
            self._world.start_fanout(entity)
            self._pass.writes.fanouts[entity] = ""
            return False
        if self._world.fanouts.pop(entity, None) is not None:
            self._pass.writes.fanouts[entity] = None
        return True

    def _fan_out(self) -> None:
        """The next chunk of one publication that goes to many; a subscriber that is not served in this pass gets a row."""
        if not self._world.fanouts:
            return
        publisher, rest = next(iter(self._world.fanouts.items()))
        fact = self._world.publications[publisher]
        blob = self._codec.encode_fact(fact)
        subscribers = self._world.subscribers.get(publisher, {})
        after = ""
        for _ in range(min(_FANOUT, len(rest))):
            after = rest.pop()
            if after in subscribers:
                self._mailbox.put(self._world.actor(after), Mail(fact, blob))
        if rest:
            self._pass.writes.fanouts[publisher] = after
        else:
            del self._world.fanouts[publisher]
            self._pass.writes.fanouts[publisher] = None

    def _later(self, actor: Actor, instruction: Any, blob: bytes, now: Stamp) -> None:
        self._pass.perform.append((actor.entity, instruction))

    def _open(self, actor: Actor, instruction: Any, blob: bytes, now: Stamp) -> None:
        operation = instruction.operation
        self._world.operations[operation] = type(instruction).__name__
        self._pass.writes.operations[operation] = (operation, actor.entity, blob)
        self._pass.perform.append((actor.entity, instruction))

    def _cancel(self, actor: Actor, cancel: do.Cancel, blob: bytes, now: Stamp) -> None:
        operation = cancel.operation
        if operation not in self._world.operations or self.started(operation):
            return
        kind = self._world.operations.pop(operation)
        self._pass.writes.operations.pop(operation, None)
        self._pass.writes.operations_gone.append(operation)
        if kind == do.Apply.__name__:
            self._pass.perform.append((actor.entity, cancel))

    def _record(self, actor: Actor, record: do.Record, blob: bytes, now: Stamp) -> None:
        self._write_line(actor.entity, blob, now)

    def _record_jump(self, jump: Jump) -> None:
        self._write_line(CLOCK, self._event.encode(do.Event("clock-jumped", str(jump))), self._clock.stamp())

    def _write_line(self, entity: str, event: bytes, now: Stamp) -> None:
        self._pass.writes.history.append((now.wall, entity, application_of_entity(entity), event))

    # --- what is left over

    def _save_left(self) -> None:
        unsaved = self._mailbox.unsaved
        if not unsaved:
            return
        self._mailbox.unsaved = []
        for actor, mail in unsaved:
            if mail.taken or mail.seq:
                continue
            if mail.blob is not None:
                mail.seq = self._row(actor, mail.blob)
            if mail.done is not None:
                self._pass.done.append(mail.done)
                mail.done = None

    def _row(self, actor: Actor, blob: bytes, aside: int = 0) -> int:
        number = self._world.next_mail
        self._world.next_mail += 1
        self._pass.writes.mail.append((number, actor.entity, blob, aside))
        return number


def application_of_entity(entity: str) -> str:
    """The application whose history an entity's events belong to; empty: none."""
    return application_of(key_of(entity)) if is_kind(entity, "instance", "line") else ""
