"""Reasons: why something is not so yet, as data. The UI, the CLI, notifications and the timeline all render these."""

from __future__ import annotations

import msgspec

from setpoint.model.time import Instant


class Reason(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that is waited for, or that went wrong."""

    code: str
    """``ordering check approval calendar cadence hold veto pin mirror rollout apply runtime failed breaker problem …``."""
    text: str
    """A sentence for people, without the names of the instance and the phase."""
    phase: str = ""
    gate: str = ""
    """The gate's name, for ``skip``; empty: nothing that could be skipped."""
    subject: str = ""
    """The entity it is about: an attachment, a topic, another instance."""
    since: Instant = 0
    until: Instant | None = None
    """When the engine looks again by itself."""
    awaits: str = ""
    """The event that is waited for."""
    unblock: str = ""
    """What a person could do."""
    failed: bool = False
    """It ends the attempt, or ended it."""
    stuck: bool = False
    """A check has had no decisive result for long, and nothing will end that (§10.4): shown first."""
