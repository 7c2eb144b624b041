"""Publishes the names of instances that changed to all subscribers, soon, and not too often.

Each listener gets one reply, then a line with a JSON string for each name: first every instance, as changes may have
been missed, then those whose view differs from the one published last. What a slow one did not read yet waits as a set of names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from setpoint.runtimes.process.records import InstanceReport, Reply

REST = 0.05
"""Shortest time between two notifications about one instance, in seconds."""


class _Listener:
    """The names that one listener has not received yet."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.over = False
        self.awake = asyncio.Event()

    def notify(self, names: Iterable[str]) -> None:
        self.names.update(names)
        if self.names:
            self.awake.set()

    def end(self) -> None:
        self.over = True
        self.awake.set()


class ChangeFeed:
    """All listeners of one supervisor. ``view``: how an instance is now, without what it uses."""

    def __init__(self, names: Callable[[], Iterable[str]], view: Callable[[str], InstanceReport]) -> None:
        self._names = names
        self._view = view
        self._published: dict[str, InstanceReport] = {}
        self._due: set[str] = set()
        self._listeners: set[_Listener] = set()
        self._closed = False

    def touched(self, name: str) -> None:
        """Something was done about an instance: see soon whether anything changed by it."""
        if self._listeners and name not in self._due:
            self._due.add(name)
            asyncio.get_running_loop().call_later(REST, self._compare, name)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply) -> None:
        """Notify one listener until it hangs up or ``close`` is called."""
        listener = _Listener()
        if self._closed:
            return
        self._listeners.add(listener)
        hung_up = asyncio.create_task(reader.read(1))
        hung_up.add_done_callback(lambda _: listener.end())
        try:
            writer.write(msgspec.json.encode(reply) + b"\n")
            self._begin()
            await self._keep_sending(listener, writer)
        finally:
            self._listeners.discard(listener)
            hung_up.cancel()
            await asyncio.gather(hung_up, return_exceptions=True)

    def close(self) -> None:
        """Hang up; listeners connect to the next supervisor."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    def _begin(self) -> None:
        """Compare with the present views from now on. Every listener receives every name, so that no change is lost."""
        self._published = {name: self._view(name) for name in self._names()}
        for listener in self._listeners:
            listener.notify(self._published)

    def _compare(self, name: str) -> None:
        self._due.discard(name)
        view, nothing = self._view(name), InstanceReport()
        if view == self._published.get(name, nothing):
            return
        if view == nothing:
            del self._published[name]
        else:
            self._published[name] = view
        for listener in self._listeners:
            listener.notify([name])

    async def _keep_sending(self, listener: _Listener, writer: asyncio.StreamWriter) -> None:
        while not listener.over:
            names, listener.names = listener.names, set()
            listener.awake.clear()
            writer.writelines(msgspec.json.encode(name) + b"\n" for name in sorted(names))
            await writer.drain()
            await listener.awake.wait()
