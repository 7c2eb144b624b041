"""How many clients the addresses of one supervisor have together: at the limit, the one waited for longest makes room."""

from __future__ import annotations

import logging
import resource
import time
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
        self._idle: dict[ClientPlace, tuple[float, Callable[[], None]]] = {}
        self._warned = -_QUIET

    @property
    def full(self) -> bool:
        """Whether the limit is reached and no client has been idle for long enough."""
        return len(self._taken) >= self._limit and self._longest_idle() is None

    def place(self) -> ClientPlace:
        """Count one more client, in place of an idle one where the limit is reached."""
        if len(self._taken) >= self._limit:
            self.make_room()
        place = ClientPlace(self)
        self._taken.add(place)
        return place

    def make_room(self) -> None:
        """Disconnect the client that has been idle for longest, if there is one."""
        place = self._longest_idle()
        if place is not None:
            _, disconnect = self._idle[place]
            place.leave()
            disconnect()

    def _longest_idle(self) -> ClientPlace | None:
        for place, (since, _) in self._idle.items():
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
        self._taken.discard(place)

    def warn(self, text: str) -> None:
        """Log this unless something was logged a moment ago."""
        now = time.monotonic()
        if now - self._warned >= _QUIET:
            self._warned = now
            _log.warning("%s", text)


class ClientPlace:
    """One client among them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

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
