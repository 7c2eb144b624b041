"""One client's connection: each of its requests goes to whichever replica is best at that moment.

So a client that keeps its connection moves to the new replicas between two requests. A request is tried on another replica only
while that cannot do it twice: no connection came about, or it is idempotent, without a body, and no byte of an answer came.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from http import HTTPStatus

from setpoint.runtimes.process.proxy.balancer import PATIENCE, Balancer, Connection, Target, UnconnectedError
from setpoint.runtimes.process.proxy.bodies import PIECE, copy_body
from setpoint.runtimes.process.proxy.clients import ClientPlace
from setpoint.runtimes.process.proxy.messages import HttpRequest, RefusedError, Response, parse_request, parse_response
from setpoint.runtimes.process.proxy.streams import Inlet, Outlet, PatientSink, PatientSource, SinkBrokenError
from setpoint.runtimes.process.proxy.tunnel import tunnel

KEEP_ALIVE = 75.0
"""Seconds that a client may be silent between two requests."""
HEAD = 15.0
"""Seconds that it may take for the head of one."""
STALL = 60.0
"""Seconds that it may neither send more of a body nor take more of a response."""
_UNKNOWN = "unknown"
"""The peer of a connection that has ended already, as RFC 7239 has it."""
INTERIM = 16
"""Responses to one request within which the one proper must come."""
LINGER, LONGEST_LINGER = 1.0, 30.0
"""Seconds of silence, and in all, that a client gets to stop sending after an answer that ends its connection."""


class _SilentError(Exception):
    """The replica went away before the first byte of an answer."""


class Conversation:
    """Serves one client until either side has had enough. ``trusts``: whether an address is that of a trusted proxy."""

    def __init__(
        self, reader: StreamReader, writer: StreamWriter, balancer: Balancer, place: ClientPlace, trusts: Callable[[str], bool]
    ) -> None:
        self._reader = Inlet(reader)
        self._writer = writer
        self._balancer = balancer
        self._place = place
        self._unread = False
        self._answering = False
        self._idle = False
        self._last = False
        self._trusts = trusts
        self._peer: str = (writer.get_extra_info("peername") or (_UNKNOWN,))[0]

    async def serve(self) -> None:
        """Answer requests one after the other; returns when the connection is closed."""
        try:
            while await self._one():
                pass
        except RefusedError as refused:
            await self._refuse(refused)
        except (OSError, IncompleteReadError):
            # An answer cut short must not look complete: the client sees the connection break.
            self._writer.transport.abort()
        else:
            if self._unread:
                await self._linger()
        finally:
            self._writer.close()

    def last(self) -> None:
        """Close the connection after the request that is under way, or the next one."""
        self._last = True

    def close_if_idle(self) -> None:
        """Close the connection unless a request is under way."""
        if self._idle:
            self._writer.close()

    async def _refuse(self, refused: RefusedError) -> None:
        if self._answering:
            self._writer.transport.abort()
            return
        self._answer(refused)
        await self._linger()

    async def _linger(self) -> None:
        """Closing with input unread would reset the connection and take the answer away from a client that still sends."""
        with contextlib.suppress(OSError), self._awaited():
            async with asyncio.timeout(LONGEST_LINGER):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                while await asyncio.wait_for(self._reader.read(PIECE), LINGER):
                    pass

    async def _one(self) -> bool:
        """One request and its answer; False when the connection ends with it."""
        head = await self._read_head()
        if not head:
            return False
        request = parse_request(head)
        avoid: set[Target] = set()
        lost = 0
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            target = await self._balancer.take(avoid, deadline)
            try:
                return await self._ask(request, target)
            except UnconnectedError:
                avoid.add(target)
            except _SilentError:
                lost += 1
                if lost > 1 or not request.repeatable:
                    # A request that makes replicas fall over must not be handed to all of them.
                    raise RefusedError(502, "the replica went away without an answer") from None
                avoid.add(target)
            finally:
                target.release()

    async def _read_head(self) -> bytes:
        """Everything up to the empty line; empty when the client is done."""
        self._idle = True
        try:
            with self._awaited():
                async with asyncio.timeout(KEEP_ALIVE):
                    if not await self._reader.begins():
                        return b""
                try:
                    async with asyncio.timeout(HEAD):
                        return await self._reader.head()
                except TimeoutError:
                    raise RefusedError(408, f"the head of the request did not come within {HEAD:g} s") from None
        finally:
            self._idle = False

    async def _ask(self, request: HttpRequest, target: Target) -> bool:
        """Raises UnconnectedError or _SilentError when the replica is not to be had."""
        fresh = not request.repeatable
        while True:
            connection = await target.connect(fresh=fresh)
            try:
                return await self._exchange(request, connection)
            except _SilentError:
                # A kept connection may have been closed by the replica just now: that says nothing about it.
                if not connection.reused:
                    raise
                fresh = True

    async def _exchange(self, request: HttpRequest, connection: Connection) -> bool:
        sending = None
        if request.framing.kind == "none":
            connection.writer.write(self._head(request))
        else:
            sending = asyncio.ensure_future(self._send(request, connection))
        try:
            response = await self._final_response(request, connection)
            if response.status == 101:
                await self._upgrade(response, connection)
                return False
            again = await self._relay(request, response, connection, whole=_is_whole(sending))
        except BaseException:
            connection.abort()
            raise
        finally:
            sent = await _finish(sending, answered=self._unread)
        if again and sent and response.leaves_clean:
            connection.target.give_back(connection)
        else:
            connection.close()
        return again and sent

    def _sink(self) -> PatientSink:
        return PatientSink(self._writer, STALL, self._place)

    @contextlib.contextmanager
    def _awaited(self) -> Iterator[None]:
        """While the client is waited for, it makes room for others."""
        self._place.idle(self._writer.transport.abort)
        try:
            yield
        finally:
            self._place.busy()

    def _head(self, request: HttpRequest) -> bytes:
        return request.head(self._peer.encode(), trusted=self._peer != _UNKNOWN and self._trusts(self._peer))

    async def _send(self, request: HttpRequest, connection: Connection) -> bool:
        """Send a request with its body; False when the replica did not want all of it: then its response counts."""
        outlet = Outlet(connection.writer)
        source = PatientSource(self._reader, STALL, self._place, self._writer.transport.abort)
        try:
            outlet.write(self._head(request))
            await outlet.drain()  # the client may wait for leave to send
            await copy_body(request.framing, source, outlet, chunk=True)
        except SinkBrokenError:
            return False
        except (ConnectionError, RefusedError):  # the client went away, or sends nonsense
            connection.abort()
            raise
        finally:
            self._place.busy()
            outlet.close()
        return True

    async def _final_response(self, request: HttpRequest, connection: Connection) -> Response:
        """The response proper; those before it (100, 103) go to the client as they come."""
        for _ in range(INTERIM):
            response = parse_response(await self._response_head(connection), to_head=request.method == b"HEAD")
            if response.status >= 200:
                return response
            if response.status == 101:
                offered = {protocol.lower() for protocol in request.upgrade}
                if not response.upgrade or not offered.issuperset(protocol.lower() for protocol in response.upgrade):
                    raise RefusedError(502, "the replica switched to a protocol that the client did not offer")
                return response
            if request.minor == b"1":
                sink = self._sink()
                sink.write(response.head())
                await sink.drain()
        raise RefusedError(502, f"the replica sent {INTERIM} interim responses and no final one")

    async def _response_head(self, connection: Connection) -> bytes:
        try:
            return await connection.reader.readuntil(b"\r\n\r\n")
        except IncompleteReadError as error:
            if error.partial:
                raise RefusedError(502, "the replica broke off in the head of its answer") from error
            raise _SilentError from error
        except ConnectionError as error:
            raise _SilentError from error
        except LimitOverrunError as error:
            raise RefusedError(502, "the head of the replica's answer is too long") from error

    async def _relay(self, request: HttpRequest, response: Response, connection: Connection, *, whole: bool) -> bool:
        """Pass the response on; True when the client's connection can go on. ``whole``: the request's body went out before."""
        endless = response.framing.kind in {"chunked", "until-close"}
        chunk = endless and request.minor == b"1"
        extra = [b"Transfer-Encoding: chunked"] if chunk else []
        again = request.keep_alive and whole and not self._last
        if not again:
            extra.append(b"Connection: close")
        self._answering = True
        self._writer.write(response.head(*extra))
        await copy_body(response.framing, connection.reader, self._sink(), chunk=chunk)
        self._unread = not whole
        self._answering = False
        return again

    async def _upgrade(self, response: Response, connection: Connection) -> None:
        self._writer.write(response.head(b"Connection: Upgrade", b"Upgrade: " + b", ".join(response.upgrade)))
        await tunnel((self._reader, self._writer), (connection.reader, connection.writer), self._place)
        connection.close()

    def _answer(self, refused: RefusedError) -> None:
        body = f"setpoint: {refused}\n".encode()
        phrase = HTTPStatus(refused.status).phrase
        retry = "Retry-After: 1\r\n" if refused.status == 503 else ""
        head = f"HTTP/1.1 {refused.status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n{retry}"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def _is_whole(sending: asyncio.Future[bool] | None) -> bool:
    """Whether everything was sent before the response came."""
    return sending is None or (sending.done() and sending.exception() is None and sending.result())


async def _finish(sending: asyncio.Future[bool] | None, *, answered: bool) -> bool:
    """Whether the body went out whole. An answer that came before its end leaves the rest unread: the connection cannot go on."""
    if sending is None:
        return True
    if not sending.done():
        sending.cancel()
    outcome = (await asyncio.gather(sending, return_exceptions=True))[0]
    if isinstance(outcome, RefusedError) and not answered:
        raise outcome
    return outcome is True
