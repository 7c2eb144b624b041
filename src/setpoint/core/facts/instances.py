"""What instances are told by the configuration and by releases, and what they tell each other."""

from __future__ import annotations

import msgspec

from setpoint.core.facts.base import Fact
from setpoint.model.policy import Policy
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import Instant


class Configured(Fact, frozen=True, gc=False):
    """The policy of an instance, new or changed. It counts at once for every gate not yet left behind."""

    policy: Policy
    number: int = 0
    """Revision of the configuration: one lower than the last one told is dropped."""


class Removed(Fact, frozen=True, gc=False):
    """The instance left the configuration: candidates end, a rollout ends, what runs is orphaned."""

    number: int = 0
    """As in ``Configured``."""
    down: bool = False
    """What runs shall be taken down then: the configuration asked for it, and it was shown and confirmed."""


class Offered(Fact, frozen=True, gc=False):
    """A release that names this instance (or, on a mirroring channel, one that its mirrored channel may take)."""

    offer: Offer


class Neighbour(Fact, frozen=True, gc=False):
    """What an instance publishes: to those ordered after it and those mirroring it. Whole and numbered."""

    instance: str
    number: int
    good: int = 0
    """Release number of *good*; 0: none."""
    version: Version | None = None
    """Version of *good*."""
    change: int = 0
    """Counts changes of *good*, back as well as forth."""
    finalized: tuple[Finalization, ...] = ()
    """The most recent finalizations, oldest first."""
    truncated: bool = False
    """There are older ones: ask for them by ``AskFinalized``."""
    revoked: tuple[Version, ...] = ()
    """Versions rolled back from by hand since they were finalized."""
    rolled_back: tuple[int, ...] = ()
    """Recent releases that failed or were rolled back here, for reasons downstream."""
    frontier: int = 0
    """As it was when *good* changed last: releases before it that are not finalized here were passed over."""
    declined: dict[int, str] = {}
    """Recent releases that this instance does not take (pinned, held, not accepted …) -> why."""
    moving: bool = False
    """A rollout is in its deployment, or goes back. Told, as ``move`` is, only where an invariant watches."""
    move: Move | None = None


class Move(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The last move of target, as far as an invariant asks for it."""

    release: int
    version: Version
    at: Instant = 0
    """0: it was made before anybody watched, so that neither when nor with whose approval is known."""
    labels: dict[str, str] = {}
    """The facts of the attempt, as ``when`` sees them."""
    approvals: dict[str, int] = {}
    """Topic -> how many approvals counted."""
    back: bool = False
    """A rollback, which no gate before deployment holds up."""


class Finalization(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An attempt ended ``converged``."""

    version: Version
    release: int
    at: Instant


class AskFinalized(Fact, frozen=True, gc=False):
    """From one ordered after: has this version ever been finalized here?"""

    asker: str
    version: Version


class ToldFinalized(Fact, frozen=True, gc=False):
    """The answer, only ever given when it is yes."""

    instance: str
    finalization: Finalization
