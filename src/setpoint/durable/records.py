"""One record in one file: ``{"kind": …, "format": …, "sha256": …, "record": …}``.

The checksum covers kind, format and record, and is looked at first: a flipped byte is damage, never another format. How it is
made stays the same in every format.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from setpoint.durable import files
from setpoint.durable.formats import RECORDS

T = TypeVar("T")


class Damaged(Exception):  # noqa: N818 - named for its cause
    """The file is not as it was written; it is left as it is."""


class OtherFormat(Exception):  # noqa: N818 - named for its cause
    """The file is whole, and written by another build of Setpoint."""


class _Envelope(msgspec.Struct):
    kind: str
    format: int
    sha256: str
    record: msgspec.Raw


def write(path: Path, kind: str, value: Any, *, sync: bool = True) -> None:
    """Replace the record, all or nothing. Raises OSError: then it is as it was."""
    files.replace(path, encode(kind, value), sync=sync)


def read(path: Path, kind: str, shape: type[T]) -> T:
    """The record.

    Raises:
        FileNotFoundError, OSError. Damaged: it is not as it was written. OtherFormat: an older or a newer build wrote it.
    """
    return decode(path.read_bytes(), kind, shape, path)


def encode(kind: str, value: Any) -> bytes:
    """As it is written."""
    body = msgspec.json.encode(value)
    number = RECORDS[kind]
    return msgspec.json.encode(_Envelope(kind, number, _sum(kind, number, body), msgspec.Raw(body)))


def decode(data: bytes, kind: str, shape: type[T], path: Path) -> T:
    """What ``encode`` made. Raises as ``read``."""
    try:
        found = msgspec.json.decode(data, type=_Envelope)
    except msgspec.DecodeError as error:
        if _is_an_object(data):
            raise OtherFormat(f"{path} has no format: an older build of Setpoint wrote it") from error
        raise Damaged(f"{path} is damaged: {error}") from error
    if found.sha256 != _sum(found.kind, found.format, bytes(found.record)) or found.kind != kind:
        raise Damaged(f"{path} is damaged: its checksum is another")
    if found.format != RECORDS[kind]:
        age = "a newer" if found.format > RECORDS[kind] else "an older"
        raise OtherFormat(
            f"{path} has format {found.format}, this build of Setpoint knows {RECORDS[kind]}: {age} build wrote it; use that one"
        )
    try:
        return msgspec.json.decode(found.record, type=shape)
    except msgspec.DecodeError as error:
        raise OtherFormat(f"{path} was written by another build of Setpoint: {error}") from error


def _sum(kind: str, number: int, body: bytes) -> str:
    return hashlib.sha256(b"%s/%d\n%s" % (kind.encode(), number, body)).hexdigest()[:32]


def _is_an_object(data: bytes) -> bool:
    """A whole JSON object without any part of an envelope: not what damage leaves."""
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return isinstance(found, dict) and not found.keys() & {"kind", "format", "sha256", "record"}
