"""Whether what listens at the port of a replica is that replica: another process that took the port first gets no traffic."""

from __future__ import annotations

import asyncio
from typing import Literal

from setpoint.programs.procfs import Identity, is_open, listeners_at, members, sockets_of, user_of

PortState = Literal["own", "free", "taken"]


class ReplicaPort:
    """The port of one run. The descriptor that holds the listening socket is remembered, so that looking again is cheap."""

    def __init__(self, number: int, run: str, leader: Identity) -> None:
        self.number = number
        self._run = run
        self._leader = leader
        self._holders: dict[int, str] = {}
        self._looking: asyncio.Task[PortState] | None = None

    async def state(self) -> PortState:
        """Return who listens: this run, no process, or another process. Raises OSError: that cannot be known."""
        if self._holders and all(is_open(path, inode) for inode, path in self._holders.items()):
            return "own"
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._look))
        return await asyncio.shield(self._looking)

    def _look(self) -> PortState:
        """Sockets before processes: a process that is started in between has its sockets from one that is seen."""
        self._holders = {}
        listeners = listeners_at(self.number)
        if not listeners:
            return "free"
        held: dict[int, str] = {}
        hidden: set[int] = set()
        run = members(self._run, self._leader)
        for identity in sorted(run, key=lambda one: one != self._leader):  # the leader lasts longest
            try:
                held = sockets_of(identity.pid) | held
            except PermissionError:  # another user's, or not to be traced
                hidden.add(user_of(identity.pid))
        if not all(listener.inode in held or listener.user in hidden for listener in listeners):
            return "taken"
        if all(listener.inode in held for listener in listeners):
            self._holders = {listener.inode: held[listener.inode] for listener in listeners}
        return "own"
