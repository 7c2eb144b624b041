"""What instances receive from the configuration, from releases, from their runtimes and from each other."""

from __future__ import annotations

import msgspec

from setpoint.core.facts.base import Fact
from setpoint.core.facts.lines import Part
from setpoint.model.observation import Observation
from setpoint.model.policy import Policy
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.time import Duration, Instant


class Configured(Fact, frozen=True, gc=False):
    """The policy of an instance, new or changed. It counts immediately for every gate not yet passed."""

    policy: Policy
    number: int = 0
    """Revision of the configuration: one lower than the last one received is dropped."""


class Removed(Fact, frozen=True, gc=False):
    """The instance left the configuration: candidates end, a rollout ends, what runs is orphaned."""

    number: int = 0
    """As in ``Configured``."""
    down: bool = False
    """What runs is to be taken down then: the configuration requests it, and it was shown and confirmed."""


class Offered(Fact, frozen=True, gc=False):
    """A release that names this instance (or, on a mirroring channel, one that its mirrored channel may take)."""

    offer: Offer


class Reconfigured(Fact, frozen=True, gc=False):
    """A configuration release that names this instance, and what each version release would be with it."""

    configuration: Configuration
    parts: dict[int, Part] = {}
    """Version release -> the same version in this configuration."""
    lacking: dict[int, str] = {}
    """Version release -> why it cannot come with this configuration."""


class InstanceStatus(Fact, frozen=True, gc=False):
    """What an instance publishes: to those ordered after it and those mirroring it. Whole and numbered."""

    instance: str
    number: int
    good: Pair = Pair()
    """*Good*; ``Pair()``: none."""
    version: Version | None = None
    """Version of *good*."""
    change: int = 0
    """Counts changes of *good*, back as well as forth."""
    finalized: tuple[Finalization, ...] = ()
    """The most recent finalizations, oldest first."""
    truncated: bool = False
    """There are older ones: ask for them by ``FinalizationRequested``."""
    revoked: tuple[Revoked, ...] = ()
    """What was rolled back from by hand since it was finalized."""
    rolled_back: tuple[Failed, ...] = ()
    """What failed or was rolled back here recently."""
    frontier: int = 0
    """As it was when *good* changed last: version releases before it that are not finalized here were passed over."""
    configuration_frontier: int = 0
    """The same of configurations (``Pair.configured``)."""
    abstains: tuple[int, ...] = ()
    """Recent configuration releases in which it takes no part: it has nothing that could take them, or nothing changes."""
    declined: dict[int, str] = {}
    """Recent releases that this instance does not take (pinned, held, not accepted …) -> why."""
    moving: bool = False
    """A rollout is in its deployment, or goes back. Published, as ``target_change`` is, only where an invariant watches."""
    target_change: TargetChange | None = None


class Failed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A pair that failed or was rolled back, with the identity of what it would have run."""

    pair: Pair
    version: Version
    configuration: int = 0
    """Number of the configuration release that it came with; 0: in the version release's own configuration."""
    kept: bool = False
    """The version stayed as it was: only the configuration failed."""

    def concerns(self, release: int) -> bool:
        """Whether what failed is what this release brought (§10.1: vetoed is what changed)."""
        return release == (self.configuration if self.kept else self.pair.release)


class Revoked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a person rolled back from (§10.1): a version in every configuration, or only the configuration of one."""

    version: Version
    whole: bool = True

    def covers(self, version: Version) -> bool:
        """Whether a finalization of this version does not count any more."""
        return version == self.version or (self.whole and version.same(self.version))


class TargetChange(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The last change of target, as far as an invariant needs it."""

    release: int
    version: Version
    at: Instant = 0
    """0: it was made before an invariant watched, so neither its time nor its approvals are known."""
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


class FinalizationRequested(Fact, frozen=True, gc=False):
    """From one ordered after: have this version, the same one in another configuration, or its configuration been finalized?"""

    requester: str
    version: Version
    apart: bool = False
    """Its configuration may have been finalized with another version: that counts as well."""


class FinalizationReported(Fact, frozen=True, gc=False):
    """One finalization that was requested; what has never been finalized gets no reply."""

    instance: str
    finalization: Finalization


class Applied(Fact, frozen=True, gc=False):
    """An apply ended: taken on by the runtime, or not."""

    operation: str
    error: str = ""
    """One sentence; empty: it was taken on."""
    terminal: bool = False
    """Trying again cannot help."""


class Observed(Fact, frozen=True, gc=False):
    """A look at the runtime. Posted for the first look that began after a ``Watch`` was given, then when something changed."""

    watch: int
    """Number of the ``Watch`` under which the look started."""
    look: int
    """Rises with every look at this instance, over restarts of the engine too."""
    observation: Observation
    gap: Duration = 0
    """Observed time since the last ``Observed`` or ``Unobserved`` posted for this instance: gaps between successful looks, each
    counted at most twice the polling interval; 0 for the first look after a start."""


class Unobserved(Fact, frozen=True, gc=False):
    """A look failed: the runtime cannot be reached. Posted once, when it begins."""

    watch: int
    look: int
    message: str
    gap: Duration = 0
