"""Heads of HTTP/1 requests and responses: parsed strictly, written again without what concerns one connection only.

Strict because a proxy that reads a message differently from the server behind it lets requests be smuggled past it (RFC 9112,
section 11.2): both lengths together, a length said twice, folded lines and stray control characters are refused. So is a Host
that differs from the target. Dropped are fields that forge where a request came from, or that CGI and WSGI, which take ``_`` for
``-``, read as another one.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)( [^\x00-\x08\x0a-\x1f\x7f]*)?")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_ABSOLUTE = re.compile(rb"(?i:http)://([^/?#]+)(.*)")
_HOST = re.compile(rb"[0-9A-Za-z._~!$&'()*+,;=%:\[\]-]*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(rb"\d{1,18}")
_VERSIONS = (b"HTTP/1.1\r", b"HTTP/1.0\r")
_OF_ONE_CONNECTION = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_MISREAD = _OF_ONE_CONNECTION | {b"content-length", b"host"}
"""Fields that count here by their exact name only."""
_PROVENANCE = (b"forwarded", b"x-forwarded-", b"x-real-ip")
_OTHER_VERSIONS = frozenset({b"h2", b"h2c"})
_SCHEMES = frozenset({b"http", b"https"})
_MOST_FIELDS = 256
_NEVER_DROPPED = frozenset({b"host", b"content-length", b"content-type", b"authorization", b"expect"})
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})


class RefusedError(Exception):
    """This message is answered with ``status`` and the connection closed; the text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Framing(NamedTuple):
    """How the end of a body is known; ``length`` counts only for ``length``."""

    kind: Literal["none", "length", "chunked", "until-close"]
    length: int = 0


class HttpRequest(NamedTuple):
    """One request as it goes on to a replica."""

    method: bytes
    target: bytes
    minor: bytes
    lines: list[bytes]
    framing: Framing
    keep_alive: bool
    upgrade: list[bytes]
    host: bytes
    came_from: tuple[bytes, ...] = ()
    """What the client sent as ``X-Forwarded-For``: counts only where it is a trusted proxy."""
    scheme: bytes = b"http"
    """As ``X-Forwarded-Proto``, likewise."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent a second time when a replica went away without a word."""
        return self.framing.kind == "none" and self.method in _IDEMPOTENT and not self.upgrade

    def head(self, peer: bytes, *, trusted: bool = False) -> bytes:
        """The head to send to a replica. What the client sent of where the request came from counts only if it is ``trusted``."""
        came_from, scheme = ((*self.came_from, peer), self.scheme) if trusted else ((peer,), b"http")
        lines = [b"%b %b HTTP/1.%b" % (self.method, self.target, self.minor), *self.lines]
        lines += [b"X-Forwarded-For: " + b", ".join(came_from), b"X-Forwarded-Proto: " + scheme]
        if self.host:
            lines.append(b"X-Forwarded-Host: " + self.host)
        if self.framing.kind == "chunked":
            lines.append(b"Transfer-Encoding: chunked")
        if self.upgrade:
            lines += [b"Connection: Upgrade", b"Upgrade: " + b", ".join(self.upgrade)]
        elif self.minor == b"1":
            lines.append(b"Connection: keep-alive")
        return b"\r\n".join(lines) + b"\r\n\r\n"


class Response(NamedTuple):
    """One response as it goes back to the client."""

    status: int
    status_line: bytes
    lines: list[bytes]
    framing: Framing
    keep_alive: bool
    upgrade: list[bytes]

    @property
    def leaves_clean(self) -> bool:
        """Whether the connection may be kept. Not where no body may follow: a replica that sends one may do so later."""
        return self.keep_alive and self.framing.kind != "none"

    def head(self, *extra: bytes) -> bytes:
        """The head to send to the client."""
        return b"\r\n".join([self.status_line, *self.lines, *extra]) + b"\r\n\r\n"


class _Fields(NamedTuple):
    """What the header fields say about the connection, and the lines that go on."""

    lines: list[bytes]
    lengths: list[bytes]
    codings: list[bytes]
    connection: set[bytes]
    upgrade: list[bytes]
    hosts: list[bytes]


def parse_request(head: bytes) -> HttpRequest:
    """Return a request from everything up to and including the empty line.

    Raises:
        RefusedError: with the status of the response.
    """
    return _request(head[:-4].split(b"\r\n"), whole=True)


def refuse_early(part: bytes, checked: int = 0) -> None:
    """Check the beginning of a head that is still incomplete: no client waits for a response to a head that cannot become valid.

    ``checked``: bytes of it that were in order before. Whole lines are checked again only when one more is there: a head
    that comes byte by byte costs little.

    Raises:
        RefusedError: whatever follows, the head stays malformed.
    """
    *lines, last = part.split(b"\r\n")
    if lines:
        if part.find(b"\n", checked) >= 0:
            _request(lines, whole=False)
    elif not _may_become_request_line(last):
        raise _bad_request_line(last)
    if lines and not _may_become_field(last):
        raise RefusedError(400, "a header line is malformed")


def _bad_request_line(line: bytes) -> RefusedError:
    return RefusedError(505 if re.search(rb" HTTP/[02-9]", line) else 400, "the request line is not one of HTTP/1")


def _may_become_request_line(part: bytes) -> bool:
    method, first, rest = part.partition(b" ")
    target, second, version = rest.partition(b" ")
    return (
        (bool(_NAME.fullmatch(method)) or part == b"")
        and (not first or bool(_TARGET.fullmatch(target)) or rest == b"")
        and (not second or any(known.startswith(version) for known in _VERSIONS))
    )


def _may_become_field(part: bytes) -> bool:
    if part in {b"", b"\r"}:
        return True
    name, colon, value = part.partition(b":")
    return bool(_NAME.fullmatch(name)) and (not colon or not _CONTROL.search(value.removesuffix(b"\r")))


def _request(lines: list[bytes], *, whole: bool) -> HttpRequest:
    """Return the request of these lines; ``whole`` is False while more of them may come."""
    first, *rest = lines
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise _bad_request_line(first)
    method, target, minor = match[1], match[2], match[3]
    fields = _fields(rest, 400)
    if method == b"CONNECT":
        raise RefusedError(405, "CONNECT goes through a forward proxy; this is an instance's own address")
    if len(fields.hosts) > 1 or (whole and not fields.hosts and minor == b"1"):
        raise RefusedError(400, "a request names one Host")
    host = fields.hosts[0] if fields.hosts else b""
    if not _HOST.fullmatch(host):
        raise RefusedError(400, "Host is malformed")
    target = _origin_form(method, target, host, known=whole or bool(fields.hosts))
    framing = _request_framing(fields, minor)
    keep_alive = minor == b"1" and b"close" not in fields.connection
    upgrade = fields.upgrade if b"upgrade" in fields.connection and minor == b"1" else []
    lines = [line for line in fields.lines if not _is_forgery(line)]
    came_from = _values(rest, b"x-forwarded-for")
    scheme = _scheme(_values(rest, b"x-forwarded-proto"))
    return HttpRequest(method, target, minor, lines, framing, keep_alive, upgrade, host, came_from, scheme)


def _origin_form(method: bytes, target: bytes, host: bytes, *, known: bool) -> bytes:
    """Return the target as a server gets it; ``known``: whether ``host`` is, or may still come."""
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise RefusedError(400, "the target of the request is neither a path nor a URL with http")
    if known and absolute[1].lower() != host.lower():
        raise RefusedError(400, "Host differs from the target of the request")
    return absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]


def _values(lines: list[bytes], name: bytes) -> tuple[bytes, ...]:
    """Return what is written in all fields of one name, those left out that are empty."""
    fields = (line.partition(b":") for line in lines)
    values = (value.strip(b" \t") for field, _, value in fields if field.lower() == name)
    return tuple(value for value in values if value)


def _scheme(values: tuple[bytes, ...]) -> bytes:
    return values[0].lower() if len(values) == 1 and values[0].lower() in _SCHEMES else b"http"


def _is_forgery(line: bytes) -> bool:
    name = line.partition(b":")[0].lower()
    read = name.replace(b"_", b"-")
    return read.startswith(_PROVENANCE) or (read != name and read in _MISREAD)


def parse_response(head: bytes, *, to_head: bool) -> Response:
    """A response from its head; ``to_head``: the request was a HEAD.

    Raises:
        RefusedError: 502, the replica does not speak HTTP/1.
    """
    first, *rest = head[:-4].split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise RefusedError(502, "the replica did not answer with an HTTP/1 status line")
    status = int(match[1])
    fields = _fields(rest, 502)
    framing = _response_framing(fields, status, to_head=to_head)
    lines = fields.lines
    if to_head and fields.codings:
        lines = [*lines, b"Transfer-Encoding: chunked"]
    keep_alive = first.startswith(b"HTTP/1.1") and b"close" not in fields.connection and framing.kind != "until-close"
    line = b"HTTP/1.1 " + match[1] + (match[2] or b" ")
    return Response(status, line, lines, framing, keep_alive, fields.upgrade)


def _fields(lines: list[bytes], status: int) -> _Fields:
    kept: list[tuple[bytes, bytes]] = []
    lengths: list[bytes] = []
    codings: list[bytes] = []
    connection: set[bytes] = set()
    upgrade: list[bytes] = []
    hosts: list[bytes] = []
    if len(lines) > _MOST_FIELDS:
        raise RefusedError(431 if status == 400 else status, f"a head has at most {_MOST_FIELDS} fields")
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise RefusedError(status, "a header line is malformed")
        lower, value = name.lower(), value.strip(b" \t")
        if lower == b"content-length":
            lengths.append(value)
        elif lower == b"transfer-encoding":
            codings.append(value.lower())
        elif lower == b"connection":
            connection.update(option.strip(b" \t") for option in value.lower().split(b","))
        elif lower == b"upgrade":
            upgrade += [protocol for option in value.split(b",") if _is_other_protocol(protocol := option.strip(b" \t"))]
        elif lower == b"host":
            hosts.append(value)
        kept.append((lower, line))
    dropped = _OF_ONE_CONNECTION | (connection - _NEVER_DROPPED)
    return _Fields([line for lower, line in kept if lower not in dropped], lengths, codings, connection, upgrade, hosts)


def _is_other_protocol(protocol: bytes) -> bool:
    """Not HTTP/2: a replica that spoke it would read requests past the checks made here."""
    return bool(protocol) and protocol.partition(b"/")[0].lower() not in _OTHER_VERSIONS


def _length(fields: _Fields, status: int) -> int | None:
    if not fields.lengths:
        return None
    if len(fields.lengths) > 1 or not _DIGITS.fullmatch(fields.lengths[0]):
        raise RefusedError(status, "Content-Length is one whole number, said once")
    return int(fields.lengths[0])


def _request_framing(fields: _Fields, minor: bytes) -> Framing:
    length = _length(fields, 400)
    if fields.codings:
        if length is not None or minor == b"0":
            raise RefusedError(400, "Transfer-Encoding excludes Content-Length and HTTP/1.0")
        if fields.codings != [b"chunked"]:
            raise RefusedError(501, "the only transfer coding understood here is chunked")
        return Framing("chunked")
    return Framing("length", length) if length else Framing("none")


def _response_framing(fields: _Fields, status: int, *, to_head: bool) -> Framing:
    length = _length(fields, 502)
    if fields.codings and (length is not None or fields.codings != [b"chunked"]):
        raise RefusedError(502, "the replica frames its answer ambiguously")
    if to_head or status < 200 or status in {204, 304}:
        return Framing("none")
    if fields.codings:
        return Framing("chunked")
    return Framing("until-close") if length is None else Framing("length", length)
