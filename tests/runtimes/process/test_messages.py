"""Heads of HTTP messages: what is refused, what goes on, and how bodies end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.runtimes.process.proxy.address import _is_http
from setpoint.runtimes.process.proxy.messages import Framing, RefusedError, parse_request, parse_response, refuse_early


def request(*lines: str, first: str = "GET /a?b HTTP/1.1", host: bool = True) -> bytes:
    return "\r\n".join([first, *(["Host: a"] if host else []), *lines, "", ""]).encode("latin-1")


def response(*lines: str, first: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request("Content-Length: 3", "Transfer-Encoding: chunked"), 400),
        (request("Content-Length: 3", "Content-Length: 3"), 400),
        (request("Content-Length: 3, 3"), 400),
        (request("Content-Length: +3"), 400),
        (request("Content-Length: 0x3"), 400),
        (request("Content-Length: "), 400),
        (request("Content-Length: ٣".encode().decode("latin-1")), 400),
        (request("Transfer-Encoding: gzip"), 501),
        (request("Transfer-Encoding: chunked, chunked"), 501),
        (request("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501),
        (request("Transfer-Encoding: \x0bchunked"), 400),
        (request("Transfer-Encoding: chunked", first="POST / HTTP/1.0"), 400),
        (request("Transfer-Encoding : chunked"), 400),
        (request(" folded: line"), 400),
        (request("A: b\nC: d"), 400),
        (request("A: b\rC: d"), 400),
        (request("A: \0"), 400),
        (request("no colon"), 400),
        (request(": no name"), 400),
        (request(host=False), 400),
        (request("Host: b"), 400),
        (request(first="GET  / HTTP/1.1"), 400),
        (request(first="GET /a b HTTP/1.1"), 400),
        (request(first="GET / HTTP/1.1 "), 400),
        (request(first="GET / HTTP/2.0"), 505),
        (request(first="G(T / HTTP/1.1"), 400),
        (request(first="CONNECT a:1 HTTP/1.1"), 405),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_request(head)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "head",
    [
        response("Content-Length: 3", "Transfer-Encoding: chunked"),
        response("Content-Length: 3", "Content-Length: 4"),
        response("Transfer-Encoding: gzip, chunked"),
        response(first="HTTP/2 200 OK"),
        response(first="200 OK"),
        response("bad header"),
    ],
)
def test_a_replica_that_answers_ambiguously_is_a_bad_gateway(head: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_response(head, to_head=False)
    assert refused.value.status == 502


def test_what_concerns_one_connection_stays_there() -> None:
    head = parse_request(
        request(
            "Connection: keep-alive, X-Mine, host, content-length",
            "X-Mine: 1",
            "Keep-Alive: 5",
            "TE: x",
            "A: b",
            "Content-Length: 2",
        )
    ).head(b"10.0.0.1")
    came = ["X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: a"]
    lines = ["GET /a?b HTTP/1.1", "Host: a", "A: b", "Content-Length: 2", *came, "Connection: keep-alive"]
    assert head.decode().split("\r\n") == [*lines, "", ""]


def test_an_upgrade_is_asked_on() -> None:
    head = parse_request(request("Connection: Upgrade", "Upgrade: websocket")).head(b"::1")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head


@pytest.mark.parametrize(
    ("lines", "first", "to_head", "framing"),
    [
        (["Content-Length: 5"], "HTTP/1.1 200 OK", False, Framing("length", 5)),
        (["Content-Length: 5"], "HTTP/1.1 200 OK", True, Framing("none")),
        (["Content-Length: 5"], "HTTP/1.1 304 Not Modified", False, Framing("none")),
        (["Transfer-Encoding: chunked"], "HTTP/1.1 200 OK", False, Framing("chunked")),
        ([], "HTTP/1.1 204 No Content", False, Framing("none")),
        ([], "HTTP/1.1 100 Continue", False, Framing("none")),
        ([], "HTTP/1.1 200", False, Framing("until-close")),
    ],
)
def test_how_an_answer_ends(lines: list[str], first: str, to_head: bool, framing: Framing) -> None:
    assert parse_response(response(*lines, first=first), to_head=to_head).framing == framing


def test_only_what_cannot_be_done_twice_may_be_repeated() -> None:
    assert parse_request(request()).repeatable
    assert not parse_request(request(first="POST / HTTP/1.1")).repeatable
    assert not parse_request(request("Content-Length: 1", first="PUT / HTTP/1.1")).repeatable
    assert not parse_request(request("Connection: upgrade", "Upgrade: x")).repeatable


@pytest.mark.parametrize(
    ("first", "http"),
    [
        (b"GET / HTTP/1.1\r\nHost", True),
        (b"PATCH /x HTTP/1.0\r\n", True),
        (b"GE", True),
        (b"GET key\r\n", False),
        (b"HELO mail\r\n", False),
        (b"PRI * HTTP/2.0\r\n\r\n", False),
        (b"*1\r\n$4\r\nPING\r\n", False),
        (b"\x16\x03\x01", False),
        (b"", False),
    ],
)
def test_http_is_told_from_other_protocols_by_its_first_line(first: bytes, http: bool) -> None:
    assert _is_http(first) is http


VALID = (
    b"GET /a?b HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
    b"PUT /x HTTP/1.1\r\nhost:a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
)
STARTS = (b"", b"X", b"1", b"GET / HTTP/1.1", b" / HTTP/1.1", b"/ HTTP/1.1", b" HTTP/1.1", b": 1", b": chunked", b"X: 1")
REST_OF_WORDS = tuple(word[cut:] for word in (b"HTTP/1.1", b"chunked") for cut in range(len(word)))
LAST_LINES = (b"", b"Host: a", b"X: 1\r\nHost: a")
ENDINGS = (
    b"\n",
    b"\n\r\n",
    b"\r\n",
    *(
        start + end + last + b"\r\n\r\n"
        for start in STARTS + REST_OF_WORDS
        for end in (b"", b"\n", b"\r\n")
        for last in LAST_LINES
    ),
)
"""Some of them complete whatever began well."""


def accepted(head: bytes) -> bool:
    if not head.endswith(b"\r\n\r\n"):
        return False
    try:
        parse_request(head)
    except RefusedError:
        return False
    return True


def refused_early(part: bytes) -> bool:
    try:
        refuse_early(part)
    except RefusedError:
        return True
    return False


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The beginning of a valid head, with a few bytes lost, put in or replaced."""
    head = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(head) - 1))
        fresh = draw(
            st.sampled_from([b"", b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b" ", b":", b"\t", b"x", b"\xff", b"Host: b\r\n"])
        )
        head[place : place + draw(st.integers(0, 2))] = fresh
    return bytes(head[: draw(st.integers(0, len(head)))])


@given(part=mutated())
def test_a_malformed_head_is_refused_at_the_latest_when_its_line_ends(part: bytes) -> None:
    """No head is waited for that cannot become valid any more, and none is refused that is only incomplete."""
    if b"\r\n\r\n" in part:
        return
    can_become_valid = any(accepted(part + ending) for ending in ENDINGS)
    if can_become_valid:
        assert not refused_early(part)
    elif not refused_early(part):
        unfinished = part.rpartition(b"\r\n")[2]
        assert b"\n" not in unfinished
        assert refused_early(part.removesuffix(b"\r") + b"\r\n")


@given(head=st.sampled_from(VALID), data=st.data())
def test_no_beginning_of_a_valid_head_is_refused(head: bytes, data: st.DataObject) -> None:
    assert accepted(head)
    assert not refused_early(head[: data.draw(st.integers(0, len(head) - 4))])
