"""What comes back from a runtime: ends of applies, and looks."""

from __future__ import annotations

from setpoint.core.facts.base import Fact
from setpoint.model.observation import Observation
from setpoint.model.time import Duration


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
