"""What happens to a world from outside, a file per family: people, the configuration, accidents of runtimes."""

from __future__ import annotations

from setpoint.simulate.acts.base import ACTS, WHEN_FAIR, Act, HumanAct, Upon, act, when_fair
from setpoint.simulate.finding import find_all

find_all(__name__, __path__)

__all__ = ["ACTS", "WHEN_FAIR", "Act", "HumanAct", "Upon", "act", "when_fair"]
