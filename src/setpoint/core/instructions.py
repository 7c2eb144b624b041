"""Instructions: what a decision orders its host to do. They are made durable with the state before any of them is performed."""

from __future__ import annotations

import msgspec

from setpoint.core.facts import AnyFact, Fact
from setpoint.model.checks import CheckDefinition
from setpoint.model.people import By
from setpoint.model.tasks import TaskDefinition
from setpoint.model.time import Duration, Instant


class Instruction(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag=True):
    """Something for the host to do."""


class Send(Instruction, frozen=True, gc=False):
    """Deliver a fact to another entity; the host stamps it with the turn's ``now``."""

    to: str
    fact: AnyFact


class Publish(Instruction, frozen=True, gc=False):
    """Deliver a fact to every subscriber of this entity, and keep it for later ones. Replaces the last one published."""

    fact: AnyFact


class Subscribe(Instruction, frozen=True, gc=False):
    """From now on get what ``to`` publishes, beginning with what it published last, if anything. Twice is once."""

    to: str


class Unsubscribe(Instruction, frozen=True, gc=False):
    """No longer."""

    to: str


class Watch(Instruction, frozen=True, gc=False):
    """A standing instruction that replaces the last: look at the runtime now and every so often, and post ``Observed`` for the
    first look that starts from now on, then whenever something changed. Not stored: a host that starts derives it from the state.
    """

    number: int
    every: Duration
    spec: str = ""
    """Digest of the spec expected to run; empty: none."""


class Unwatch(Instruction, frozen=True, gc=False):
    """Stop looking."""


class Apply(Instruction, frozen=True, gc=False):
    """Have the runtime make a spec true. When it was taken on, ``watch`` begins; until then the instance is not looked at.

    ``Applied`` is posted when the apply ended. An operation is performed again with the same id after a crash.
    """

    operation: str
    spec: str
    """Digest."""
    watch: Watch
    down: bool = False
    """Instead take down the objects with this instance's id, and nothing else; the spec only names the runtime."""


class RunCheck(Instruction, frozen=True, gc=False):
    """Run a check once and post ``CheckFinished``. Without a subscriber of this entity it is not run: ``CheckUnwanted``."""

    operation: str
    definition: CheckDefinition


class RunTask(Instruction, frozen=True, gc=False):
    """Run one try of a task and post ``TaskFinished``. After a crash it is performed again with the same operation, once its old
    process group is gone; one that is ``once`` is not, and ends ``unknown``.
    """

    operation: str
    definition: TaskDefinition


class Cancel(Instruction, frozen=True, gc=False):
    """Do not start this operation if it has not started; nothing is posted for it then."""

    operation: str


class Record(Instruction, frozen=True, gc=False):
    """A line of history, written with the turn."""

    event: Event


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Line of history: one decision, in a sentence."""

    kind: str
    """``attempt-started``, ``phase-entered``, ``target-moved``, ``finalized``, ``failed``, ``rolled-back``, ``signal`` …"""
    text: str
    release: int = 0
    version: str = ""
    attempt: int = 0
    phase: str = ""
    by: By | None = None
    outcome: str = ""
    configuration: int = 0
    """The configuration release that the attempt comes with; 0: in the version release's own configuration."""
    cause: str = ""
    """Code of the reason for which an attempt failed or goes back (``model.reasons.Code``); empty: a person's act."""
    gate: str = ""
    """Name of the gate that failed it; empty: none did."""
    service: str = ""
    """Of a mark: the service whose version is marked."""


AnyInstruction = Send | Publish | Subscribe | Unsubscribe | Watch | Unwatch | Apply | RunCheck | RunTask | Cancel | Record


class Decision(msgspec.Struct, frozen=True, gc=False):
    """One turn's outcome: the next state, what to do, and when to be woken at the latest (None: only by facts)."""

    state: msgspec.Struct
    instructions: tuple[AnyInstruction, ...] = ()
    wake_at: Instant | None = None
    moves: tuple[tuple[int, str, str], ...] = ()
    """Steps of attempts through the table of transitions: number, stage before, stage after. Hosts need not read them."""


__all__ = [
    "AnyFact",
    "AnyInstruction",
    "Apply",
    "Cancel",
    "Decision",
    "Event",
    "Fact",
    "Instruction",
    "Publish",
    "Record",
    "RunCheck",
    "RunTask",
    "Send",
    "Subscribe",
    "Unsubscribe",
    "Unwatch",
    "Watch",
]
