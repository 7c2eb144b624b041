"""How a member of a set stands: said to the set whenever it changes; what the set answers, this instance follows."""

from __future__ import annotations

from setpoint.core.instance.draft import Draft


def vote(draft: Draft) -> None:
    """Tell the sets of this instance's releases how it stands, where that changed."""
