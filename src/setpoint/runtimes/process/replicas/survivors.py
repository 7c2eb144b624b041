"""Recognising replicas that outlived the supervisor that started them: never by their number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from setpoint.programs.procfs import Identity, Stat, is_alive, run_of
from setpoint.runtimes.process.records import InstanceRecord, ReplicaRecord

Found = Mapping[str, Sequence[Stat]]
"""Run -> its living processes, oldest first; as ``procfs.runs_with`` gives it."""


def survivors_of(record: InstanceRecord, found: Found, boot: str) -> dict[str, Identity]:
    """Run -> leading process of each replica of ``record`` that still runs."""
    leaders = {replica.run: _leader(replica, found, same_boot=record.boot == boot) for replica in record.replicas}
    return {run: leader for run, leader in leaders.items() if leader is not None}


def _leader(replica: ReplicaRecord, found: Found, *, same_boot: bool) -> Identity | None:
    if replica.pid:
        recorded = Identity(replica.pid, replica.start)
        # Some programs overwrite their environment: number and start within one boot are proof enough, another mark is disproof.
        known = same_boot and is_alive(recorded) and run_of(replica.pid) in {"", replica.run}
        return recorded if known else None
    # The supervisor died between starting it and writing its number down: the leader of its session is the replica.
    started = (stat.identity for stat in found.get(replica.run, ()) if stat.session == stat.identity.pid)
    return next(started, None) if replica.run else None
