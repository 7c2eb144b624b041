"""Raw requests that two parsers may read differently: each is refused, or reaches a replica as exactly one request."""

from __future__ import annotations

import asyncio
import itertools
from ipaddress import ip_network
from typing import NamedTuple

import pytest
from tests.runtimes.process.world import World, ok

REFUSED = {400, 405, 431, 501, 505}
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class Received(NamedTuple):
    """One request as a replica understood it."""

    line: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.fields if known.lower() == name.lower()]


class Recorder:
    """A strict replica that records whole requests and answers each with its target."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.malformed: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    self.malformed.append(error.partial)
                return
            line, *lines = head[:-4].split(b"\r\n")
            fields = [(name, value.strip()) for name, _, value in (one.partition(b":") for one in lines)]
            if any(control in head.replace(b"\r\n", b"") for control in (b"\r", b"\n", b"\0")):
                self.malformed.append(head)
            received = Received(line, fields, await self._body(reader, fields))
            self.requests.append(received)
            writer.write(ok(line.split(b" ")[1]))

    async def _body(self, reader: asyncio.StreamReader, fields: list[tuple[bytes, bytes]]) -> bytes:
        framing = {name.lower(): value for name, value in fields if name.lower() in {b"content-length", b"transfer-encoding"}}
        if len(framing) > 1:
            self.malformed.append(repr(framing).encode())
        if b"transfer-encoding" not in framing:
            return await reader.readexactly(int(framing.get(b"content-length", b"0")))
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size + 2)
        await reader.readexactly(2)
        return body


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /one HTTP/1.1", b"Host: a", *fields, b"", body])


def get(*fields: bytes, line: bytes = b"GET /one HTTP/1.1", host: bytes = b"Host: a\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


TE, END = b"Transfer-Encoding: chunked", b"0\r\n\r\n"

REFUSALS: dict[str, bytes] = {
    "CL then TE": post(b"Content-Length: 5", TE, body=END + SMUGGLED),
    "TE then CL": post(TE, b"Content-Length: 5", body=END + SMUGGLED),
    "TE and CL of nothing": post(TE, b"Content-Length: 0", body=END + SMUGGLED),
    "two CL": post(b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    "the same CL twice": post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"),
    "CL as a list": post(b"Content-Length: 3, 3", body=b"abc"),
    **{
        f"CL {value!r}": post(b"Content-Length: " + value, body=b"abc")
        for value in (b"", b"+3", b"-3", b"0x3", b"3 3", b"3.0", b"3e0", b"3;", b"\xd9\xa3", b"\x0b3", b"3" * 19)
    },
    "space before the colon of CL": post(b"Content-Length : 3", body=b"abc"),
    "tab before the colon of TE": post(b"Transfer-Encoding\t: chunked", body=END),
    "space before the name of TE": post(b" Transfer-Encoding: chunked", body=END),
    "NUL in the name of CL": post(b"Content-Length\0: 3", body=b"abc"),
    **{
        f"TE {value!r}": post(b"Transfer-Encoding: " + value, body=END + SMUGGLED)
        for value in (
            b"",
            b"identity",
            b"xchunked",
            b"chunked, identity",
            b"identity, chunked",
            b"chunked, chunked",
            b'"chunked"',
            b"chunked;q=1",
            b"\0chunked",
            b"\x0bchunked",
            b"chunked\x7f",
            b"chunked\rX: y",
        )
    },
    "two TE": post(TE, b"Transfer-Encoding: identity", body=END + SMUGGLED),
    "the same TE twice": post(TE, TE, body=END + SMUGGLED),
    "TE in HTTP/1.0": post(TE, body=END).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "TE folded": post(b"Transfer-Encoding:", b" chunked", body=END),
    "TE on a folded line": post(b"X: y", b" Transfer-Encoding: chunked", body=END),
    "folded with a tab": get(b"X: y", b"\tz"),
    "folded first line": get(host=b" Host: a\r\n"),
    "TE after a bare LF": post(b"X: y\nTransfer-Encoding: chunked", body=END),
    "TE after a bare CR": post(b"X: y\rTransfer-Encoding: chunked", body=END),
    "bare LF at the end of a line": get(b"X: y\n"),
    "bare LF for all": get().replace(b"\r\n", b"\n"),
    "bare LF first": b"\n" + get(),
    "NUL in a value": get(b"X: a\0b"),
    "NUL in a name": get(b"X\0: a"),
    "a control in a value": get(b"X: a\x01b"),
    "a space in a name": get(b"X Y: a"),
    "a name outside ASCII": get(b"X\xe9: a"),
    "no name": get(b": a"),
    "no colon": get(b"X"),
    "no Host": get(host=b""),
    "two Hosts": get(b"Host: b"),
    "the same Host twice": get(b"Host: a"),
    **{
        f"Host {value!r}": get(host=b"Host: " + value + b"\r\n") for value in (b"a b", b"a/b", b"a@b", b"a,\tb", b"a\\b", b"\xe4")
    },
    **{
        f"line {line!r}": get(line=line)
        for line in (
            b" GET /one HTTP/1.1",
            b"GET  /one HTTP/1.1",
            b"GET\t/one\tHTTP/1.1",
            b"GET /one HTTP/1.1 ",
            b"GET /one HTTP/1.1 HTTP/1.1",
            b"GET /o ne HTTP/1.1",
            b"GET /o\0ne HTTP/1.1",
            b"GET /o\rne HTTP/1.1",
            b"GET /one http/1.1",
            b"GET /one HTTP/1.2",
            b"GET /one HTTP/1.10",
            b"GET /one HTTP/2.0",
            b"GET /one",
            b"G@T /one HTTP/1.1",
            b"GET one HTTP/1.1",
            b"GET * HTTP/1.1",
            b"GET ?one HTTP/1.1",
            b"CONNECT a:80 HTTP/1.1",
            b"GET http://b/one HTTP/1.1",
            b"GET http://a@b/one HTTP/1.1",
            b"GET http://b@a/one HTTP/1.1",
            b"GET http:///one HTTP/1.1",
            b"GET https://a/one HTTP/1.1",
            b"GET ftp://a/one HTTP/1.1",
        )
    },
    **{
        f"chunk {chunk!r}": chunked(chunk + END + SMUGGLED)
        for chunk in (
            b"g\r\nabc\r\n",
            b"0x3\r\nabc\r\n",
            b"+3\r\nabc\r\n",
            b"-1\r\nabc\r\n",
            b" 3\r\nabc\r\n",
            b"3 3\r\nabc\r\n",
            b"3,3\r\nabc\r\n",
            b"\r\nabc\r\n",
            b"3\nabc\r\n",
            b"3\r\nabc\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc",
            b"00000000000000003\r\nabc\r\n",
            b"ffffffffffffffffffff3\r\nabc\r\n",
            b"3;x\ny\r\nabc\r\n",
            b"3;x\ry\r\nabc\r\n",
            b"3;x\0\r\nabc\r\n",
        )
    },
    "a chunk's extension without end": chunked(b"3;" + b"x" * 200_000),
    "a bare LF in trailers": chunked(b"0\r\nX: y\n\r\n"),
    "too many trailers": chunked(b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    "a long head": get(*[b"X: " + b"y" * 1_000] * 80),
    "a long line": get(b"X: " + b"y" * 80_000),
    "a long target": get(line=b"GET /" + b"y" * 80_000 + b" HTTP/1.1"),
    "many fields": get(*[b"X: y"] * 300),
}

FORWARDED: dict[str, bytes] = {
    "plain": get(),
    "after empty lines": b"\r\n\r\n" + get(),
    "a body that looks like a request": post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    "a body of GET": get(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED,
    "a chunk that looks like a request": chunked(b"%x\r\n%b\r\n" % (len(SMUGGLED), SMUGGLED) + END),
    "CL with zeros": post(b"Content-Length: 003", body=b"abc"),
    "CL of nothing": post(b"Content-Length: 0"),
    "CL with spaces around": post(b"Content-Length:\t 3 ", body=b"abc"),
    "TE in capitals after a tab": post(b"TRANSFER-ENCODING:\tCHUNKED", body=b"3\r\nabc\r\n" + END),
    "TE with an underscore": post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=END),
    "CL with an underscore": post(b"Content_Length: 0", b"Content-Length: 3", body=b"abc"),
    "TE named by Connection": post(b"Connection: transfer-encoding", TE, body=b"3\r\nabc\r\n" + END),
    "CL named by Connection": post(b"Connection: content-length", b"Content-Length: 3", body=b"abc"),
    "Host named by Connection": get(b"Connection: host"),
    "a chunk's extension": chunked(b'3;a="b";c\r\nabc\r\n' + END),
    "space before a chunk's extension": chunked(b"3 ;a\r\nabc\r\n" + END),
    "a framing trailer": chunked(b"3\r\nabc\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: x\r\n\r\n"),
    "absolute form": get(line=b"GET http://a/one HTTP/1.1"),
    "absolute form in capitals": get(line=b"GET HTTP://A/one HTTP/1.1"),
    "asterisk form": get(line=b"OPTIONS * HTTP/1.1"),
    "an empty Host": get(host=b"Host:\r\n"),
    "h2c": get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
    "h2c in capitals": get(b"Connection: upgrade", b"Upgrade: H2C"),
    "h2c among others": get(b"Connection: upgrade", b"Upgrade: h2c, x/1, h2", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
    "h2c on a second line": get(b"Connection: upgrade", b"Upgrade: x/1", b"Upgrade: h2c"),
    "HTTP2-Settings alone": get(b"HTTP2-Settings: AAMAAABkAAQAAP__"),
}


async def exchanged(world: World, text: bytes) -> list[int]:
    """Return the status of every response, after another client was given its own."""
    answer = await world.say(text, close=True)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert (await world.say(get(b"Connection: close", line=b"GET /other HTTP/1.1"))).endswith(b"\r\n\r\n/other")
    return statuses


@pytest.mark.parametrize("text", REFUSALS.values(), ids=REFUSALS)
async def test_what_two_parsers_may_read_differently_is_refused(world: World, text: bytes) -> None:
    recorder = Recorder()
    await world.serving(recorder.serve)
    [status] = await exchanged(world, text)
    assert status in REFUSED
    assert [request.line for request in recorder.requests] == [b"GET /other HTTP/1.1"]


@pytest.mark.parametrize("text", FORWARDED.values(), ids=FORWARDED)
async def test_what_is_forwarded_is_one_request(world: World, text: bytes) -> None:
    recorder = Recorder()
    await world.serving(recorder.serve)
    assert await exchanged(world, text) == [200]
    one, other = recorder.requests
    assert one.line.split(b" ")[1] in {b"/one", b"*"}, "in origin form"
    assert other.line == b"GET /other HTTP/1.1"
    assert recorder.malformed == []
    names = [name.lower().replace(b"_", b"-") for name, _ in one.fields]
    assert names.count(b"host") == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert b"http2-settings" not in names
    assert b"h2c" not in b", ".join(one.values(b"Upgrade")).lower()


async def test_requests_that_follow_each_other_stay_apart(world: World) -> None:
    recorder = Recorder()
    await world.serving(recorder.serve)
    text = FORWARDED["a body that looks like a request"] + FORWARDED["a chunk that looks like a request"] + get()
    assert await exchanged(world, text + b"garbage\r\n\r\n") == [200, 200, 200, 400]
    assert [request.line.split(b" ")[1] for request in recorder.requests] == [b"/one", b"/one", b"/one", b"/other"]
    assert recorder.malformed == []


async def test_a_replica_that_switches_to_another_protocol_is_a_bad_gateway(world: World) -> None:
    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")

    await world.serving(switch)
    for upgrade in (b"x", b"h2c", b"x, h2c"):
        answer = await world.say(get(b"Connection: upgrade", b"Upgrade: " + upgrade))
        assert answer.startswith(b"HTTP/1.1 502 "), upgrade


PROVENANCE = [b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Forwarded-Port", b"Forwarded", b"X-Real-IP"]
SPELLINGS = sorted(
    {
        spelled.replace(b"-", dash)
        for name, dash in itertools.product(PROVENANCE, (b"-", b"_"))
        for spelled in (name, name.lower(), name.upper())
    }
)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=[name.decode() for name in SPELLINGS])
async def test_a_client_does_not_decide_where_its_request_came_from(world: World, spelling: bytes) -> None:
    recorder = Recorder()
    await world.serving(recorder.serve)
    await world.say(get(spelling + b": forged", spelling + b":also forged", b"Connection: close", host=b"Host: shop.example\r\n"))
    [request] = recorder.requests
    came = [(name, value) for name, value in request.fields if name.lower().replace(b"_", b"-").startswith((b"x-", b"forw"))]
    assert came == [(b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Host", b"shop.example")]


SENT = (b"X-Forwarded-For: 203.0.113.7", b"X-Forwarded-For: 198.51.100.1, 10.0.0.1", b"X-Forwarded-Proto: https")
OTHERS = (b"X-Forwarded-Host: forged", b"Forwarded: for=forged", b"X-Real-IP: forged", b"X_Forwarded_For: forged")


async def provenance(world: World, networks: str, *sent: bytes) -> dict[bytes, bytes]:
    """What a replica gets to see of where a request came from that a client at 127.0.0.1 sent."""
    recorder = Recorder()
    await world.serving(recorder.serve)
    world.address.trusted_proxies = tuple(ip_network(network) for network in networks.split())
    await world.say(get(*sent, b"Connection: close", host=b"Host: shop.example\r\n"))
    [request] = recorder.requests
    came = [(name, value) for name, value in request.fields if name.lower().replace(b"_", b"-").startswith((b"x-", b"forw"))]
    assert len(dict(came)) == len(came) == 3
    return dict(came)


@pytest.mark.parametrize("networks", ["127.0.0.1", "10.0.0.0/8 127.0.0.0/8"])
async def test_a_trusted_proxy_decides_where_its_request_came_from(world: World, networks: str) -> None:
    assert await provenance(world, networks, *SENT, *OTHERS, b"Connection: X-Forwarded-For") == {
        b"X-Forwarded-For": b"203.0.113.7, 198.51.100.1, 10.0.0.1, 127.0.0.1",
        b"X-Forwarded-Proto": b"https",
        b"X-Forwarded-Host": b"shop.example",
    }


@pytest.mark.parametrize("networks", ["", "127.0.0.2", "10.0.0.0/8 ::1"])
async def test_a_client_that_is_no_trusted_proxy_does_not(world: World, networks: str) -> None:
    came = await provenance(world, networks, *SENT, *OTHERS)
    assert (came[b"X-Forwarded-For"], came[b"X-Forwarded-Proto"]) == (b"127.0.0.1", b"http")


@pytest.mark.parametrize("sent", [(), (b"X-Forwarded-Proto: ftp",), (b"X-Forwarded-Proto: https",) * 2, (b"X-Forwarded-For:",)])
async def test_what_a_trusted_proxy_leaves_open_is_what_is_known_here(world: World, sent: tuple[bytes, ...]) -> None:
    came = await provenance(world, "127.0.0.1", *sent)
    assert (came[b"X-Forwarded-For"], came[b"X-Forwarded-Proto"]) == (b"127.0.0.1", b"http")
