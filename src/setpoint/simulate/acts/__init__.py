"""What happens to a world from outside, a module per family: people, the configuration, accidents of runtimes."""

from __future__ import annotations

from collections.abc import Callable

from setpoint.simulate.acts.accidents import mend
from setpoint.simulate.acts.limiting import nothing_stays_stopped
from setpoint.simulate.acts.overrides import let_go
from setpoint.simulate.acts.removal import configure_all_again
from setpoint.simulate.acts.stopping import go_on
from setpoint.simulate.acts.tasking import try_again
from setpoint.simulate.discovery import find_all
from setpoint.simulate.world.act import ACTS, Act, HumanAct, Upon, act
from setpoint.simulate.world.environment import Environment

find_all(__name__, __path__)

WHEN_FAIR: tuple[Callable[[Environment], None], ...] = (
    mend,
    configure_all_again,
    nothing_stays_stopped,
    let_go,
    go_on,
    try_again,
)
"""What the end of the faults undoes, besides runtimes and checks. Another order gives other worlds."""

__all__ = ["ACTS", "WHEN_FAIR", "Act", "HumanAct", "Upon", "act"]
