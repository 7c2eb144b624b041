"""Ports on the loopback interface, chosen where outgoing connections do not take them.

A port is free when it is looked for and may be taken before a replica binds it: then the replica ends, and its next start gets
another one. Below the kernel's range for outgoing connections that is rare.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
_TRIES = 200


def free_port(taken: set[int]) -> int:
    """Return a port on which no process listens now and that is not in ``taken``.

    Raises:
        OSError: none was found.
    """
    highest = _outgoing_range_start() - 1
    if highest - _LOWEST < 1_000:
        return _kernels_choice()
    for _ in range(_TRIES):
        port = random.randint(_LOWEST, highest)  # noqa: S311 - not a secret
        if port not in taken and _is_free(port):
            return port
    return _kernels_choice()


def _outgoing_range_start() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _kernels_choice() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listen(port: int, taken: set[int]) -> socket.socket:
    """A listening socket at ``port`` (0: one that is not in ``taken`` is chosen).

    Raises:
        OSError: another process has it.
    """
    # The protocol is named because asyncio sends small pieces immediately only where it knows that it is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port or free_port(taken)))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} of {LOOPBACK} cannot be had: {error.strerror}") from error
    return listener
