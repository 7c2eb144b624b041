"""How many clients the addresses of one supervisor have together: at the limit, the one waited for longest makes room.

No address takes more than its share: replicas that never respond keep the clients of their own address waiting, and no others.
"""

from __future__ import annotations

import logging
import resource
import time
from collections import Counter
from collections.abc import Callable

_MOST = 16_384
_SHARE = 4
"""Descriptors for each client: its own, one to a replica, one more while a body is sent, and one for everything else."""
_QUIET = 1.0
"""Seconds between two lines of the log about clients: as many as come must not fill the disk."""
GRACE = 0.5
"""Seconds in which an idle client keeps its place: one that was just accepted must get to send its request."""
_log = logging.getLogger(__name__)


class Clients:
    """One for each supervisor."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: set[ClientPlace] = set()
        self._ports: Counter[int] = Counter()
        """Port of an address -> its clients among them."""
        self._idle: dict[ClientPlace, tuple[float, Callable[[], None]]] = {}
        self._warned = -_QUIET

    @property
    def _share(self) -> int:
        """Places of one address: with no more than these, a quarter is left to the others."""
        return max(1, self._limit * 3 // 4)

    def full(self, port: int) -> bool:
        """Whether the limit, or the share of this address, is reached and no client that could make room was idle for long."""
        if self._ports[port] >= self._share:
            return self._longest_idle(port) is None
        return len(self._taken) >= self._limit and self._longest_idle() is None

    def place(self, port: int) -> ClientPlace:
        """Count one more client of an address, in place of an idle one where the limit or the share is reached."""
        if self._ports[port] >= self._share:
            self.make_room(port)
        elif len(self._taken) >= self._limit:
            self.make_room()
        place = ClientPlace(self, port)
        self._taken.add(place)
        self._ports[port] += 1
        return place

    def make_room(self, port: int | None = None) -> None:
        """Disconnect the client, of this address or of any, that has been idle for longest, if there is one."""
        place = self._longest_idle(port)
        if place is not None:
            _, disconnect = self._idle[place]
            place.leave()
            disconnect()

    def _longest_idle(self, port: int | None = None) -> ClientPlace | None:
        for place, (since, _) in self._idle.items():
            if port in {None, place.port}:
                return place if time.monotonic() - since >= GRACE else None
        return None

    def idle(self, place: ClientPlace, disconnect: Callable[[], None]) -> None:
        """From now on this client may be disconnected."""
        self._idle.pop(place, None)  # the order of the others is that of their times
        if place in self._taken:
            self._idle[place] = time.monotonic(), disconnect

    def busy(self, place: ClientPlace) -> None:
        """From now on it may not."""
        self._idle.pop(place, None)

    def leave(self, place: ClientPlace) -> None:
        """Count it no longer."""
        self._idle.pop(place, None)
        if place in self._taken:
            self._taken.remove(place)
            self._ports[place.port] -= 1
            if not self._ports[place.port]:
                del self._ports[place.port]

    def warn(self, text: str) -> None:
        """Log this unless something was logged a moment ago."""
        now = time.monotonic()
        if now - self._warned >= _QUIET:
            self._warned = now
            _log.warning("%s", text)


class ClientPlace:
    """One client among them."""

    def __init__(self, clients: Clients, port: int) -> None:
        self._clients = clients
        self.port = port

    def idle(self, disconnect: Callable[[], None]) -> None:
        """Nothing is expected of the address: ``disconnect`` is called when another client needs the place."""
        self._clients.idle(self, disconnect)

    def busy(self) -> None:
        """A request is under way."""
        self._clients.busy(self)

    def leave(self) -> None:
        """The connection ends."""
        self._clients.leave(self)


def most_clients() -> int:
    """Return how many clients the descriptors of this process are enough for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else min(_MOST, files // _SHARE)
