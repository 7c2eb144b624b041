"""Which replicas to start and which to stop next: a pure function of what is wanted and what is there.

Called again after every change, so each call only names the next safe move. Capacity is kept: at most ``surge`` more than wanted
run, those that are stopping included until they have ended, and an old replica goes only when as many new ones are healthy as
make up for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class LiveReplica(NamedTuple):
    """A replica that is not stopping. ``current``: it is of the spec that is wanted."""

    name: str
    current: bool
    healthy: bool


class Moves(NamedTuple):
    """What to do now."""

    start: int
    stop: tuple[str, ...]


def next_moves(wanted: int, surge: int, unavailable: int, seen: Sequence[LiveReplica], stopping: int = 0) -> Moves:
    """Return the next moves towards ``wanted`` healthy replicas of the current spec and no others.

    ``stopping``: how many others received the stop signal and still run. They take room until they have ended, and so does what
    stops with this move.
    """
    if surge == 0 and unavailable == 0:
        surge = 1
    new = [replica for replica in seen if replica.current]
    old = [replica for replica in seen if not replica.current]
    surplus = tuple(replica.name for replica in new[wanted:])
    stop = _old_to_stop(wanted, unavailable, new, old)
    room = wanted + surge - len(seen) - stopping
    return Moves(start=max(0, min(wanted - len(new), room)), stop=surplus + stop)


def _old_to_stop(wanted: int, unavailable: int, new: list[LiveReplica], old: list[LiveReplica]) -> tuple[str, ...]:
    """Old ones go as new ones become healthy, the unhealthy first; a healthy one only while enough others serve."""
    healthy_new = sum(replica.healthy for replica in new)
    keep = max(0, wanted - unavailable - healthy_new)
    serving = healthy_new + sum(replica.healthy for replica in old)
    stop: list[str] = []
    for replica in sorted(old, key=lambda replica: replica.healthy):
        if len(old) - len(stop) <= keep or (replica.healthy and serving - 1 < wanted - unavailable):
            break
        serving -= replica.healthy
        stop.append(replica.name)
    return tuple(stop)
