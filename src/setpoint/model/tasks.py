"""Tasks: side effects that must succeed once in an attempt, such as a migration, and the ways in which one try can end."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from setpoint.model.time import MINUTE, Duration


class TaskEnd(StrEnum):
    """How one try ended. ``unknown``: its end was not observed (the engine was killed meanwhile)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class TaskStage(StrEnum):
    """Where a run stands, over all its tries."""

    WAITING = "waiting"
    """No attempt that waits for it may start it now: it was left during its backoff, or a person lets it be retried."""
    RUNNING = "running"
    RETRYING = "retrying"
    """A try failed; the next one follows."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """No try is left: a person may let it be tried again."""
    UNKNOWN = "unknown"
    """The end of a try that must not be repeated was not observed: a person has to find it out."""


class TaskDefinition(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One task with one set of arguments on one subject. As in a check, texts may hold lookups of the attempt in a policy."""

    task: str
    """Name of the Task document, for people."""
    use: str
    """The adapter: ``program``, ``http`` …, those of protections."""
    subject: str
    """As in ``CheckDefinition``."""
    options: dict[str, Any] = {}
    env: dict[str, str] = {}
    facts: dict[str, Any] = {}
    """What is about to ship, given to programs as JSON on standard input."""
    timeout: Duration = 10 * MINUTE
    once: bool = False
    """A try whose end was not observed is not repeated: a person decides."""
    irreversible: bool = False
    """Once it was started, automatic rollback past it is off."""
    tree: str = ""
    """SHA-256 of the files that it is run with, stored by content at ``apply`` (§10.6); empty: it needs none."""
    paths: tuple[str, ...] = ()
    """Options that are paths within the tree."""


class TaskResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How one try ended."""

    end: TaskEnd
    reason: str = ""
    """One line for people."""
    output: str = ""
    """Captured output, capped; never in an actor's state."""
