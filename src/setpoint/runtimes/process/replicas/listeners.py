"""Listening sockets of the addresses: kept by the guardian, so that a supervisor finds those of its predecessor open."""

from __future__ import annotations

import socket
from collections.abc import Callable

from setpoint.runtimes.process.ports import listen

_PREFIX = "port-"


class Listeners:
    """All of one supervisor. ``keep`` and ``drop``: what is done about one that is opened, or closed for good."""

    def __init__(self, kept: dict[str, int], keep: Callable[[str, int], None], drop: Callable[[str], None]) -> None:
        self._keep = keep
        self._drop = drop
        self._inherited = {name: descriptor for name, descriptor in kept.items() if name.startswith(_PREFIX)}

    def open(self, port: int, taken: set[int]) -> socket.socket:
        """Return a listening socket at ``port`` (0: one that is not in ``taken`` is chosen). Raises OSError: it cannot be had."""
        descriptor = self._inherited.pop(_name(port), None)
        listener = listen(port, taken) if descriptor is None else socket.socket(fileno=descriptor)
        listener.setblocking(False)
        self._keep(_name(listener.getsockname()[1]), listener.fileno())
        return listener

    def close(self, port: int) -> None:
        """Have nothing listen at ``port`` any more once its address has closed it."""
        self._drop(_name(port))

    def close_unclaimed(self) -> None:
        """Close what a predecessor left and no instance uses."""
        for name, descriptor in self._inherited.items():
            socket.close(descriptor)
            self._drop(name)
        self._inherited.clear()


def _name(port: int) -> str:
    return f"{_PREFIX}{port}"
