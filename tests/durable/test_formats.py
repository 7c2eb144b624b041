"""What is written to disk has a format, and no text of it changes without another number.

When one of these fails: raise the number in ``setpoint/durable/formats.py`` (for tables: add a migration), make the older format
read or refused, and record the new digest beside the old ones.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from setpoint.durable import formats, records
from setpoint.engine.tasks import TaskRecord
from setpoint.runtimes.memory import LastApply
from setpoint.runtimes.process.records import InstanceRecord
from setpoint.store.sqlite.identity import Marker
from setpoint.store.sqlite.schema import MIGRATIONS

SHAPES = {"instance": InstanceRecord, "task": TaskRecord, "applied": LastApply, "marker": Marker}
KNOWN = {
    ("database", 1): "76a96249e5fc14d0",
    ("database", 2): "3ff4fa446b791e7b",
    ("database", 3): "35f239cb1029bdeb",
    ("database", 4): "8b261fad80a13551",
    ("instance", 1): "26d37550fe00f7a4",
    ("instance", 2): "e4675616ba2436c7",
    ("instance", 3): "46e25a713a9e2680",
    ("task", 1): "cb9076eeacf54c69",
    ("applied", 1): "fe50fa66845ef107",  # as msgspec 0.23 describes it
    ("marker", 1): "a57ab53e9e1c1156",
}


def digest(text: object) -> str:
    return hashlib.sha256(repr(text).encode()).hexdigest()[:16]


def shape(kind: str) -> str:
    """Digest of what a record consists of; the names of its classes and what they say of themselves are not on the disk."""
    return digest(_plain(*msgspec.json.schema_components([SHAPES[kind]])))


def _plain(schemas: tuple[Any, ...], classes: dict[str, Any]) -> Any:
    def inlined(node: Any) -> Any:
        if isinstance(node, list):
            return [inlined(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return inlined(classes[node["$ref"].rpartition("/")[2]])
        return {
            key: {name: inlined(one) for name, one in sorted(value.items())} if key == "properties" else inlined(value)
            for key, value in sorted(node.items())
            if key not in {"title", "description"}
        }

    return [inlined(one) for one in schemas]


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS) + 1))
def test_a_migration_is_never_changed(number: int) -> None:
    tables = [" ".join(statement.split()) for statement in MIGRATIONS[number - 1]]
    assert KNOWN["database", number] == digest(tables)


def test_each_migration_is_another_format() -> None:
    assert len(MIGRATIONS) == formats.DATABASE


@pytest.mark.parametrize("kind", sorted(formats.RECORDS))
def test_a_record_does_not_change_without_another_format(kind: str) -> None:
    assert KNOWN[kind, formats.RECORDS[kind]] == shape(kind)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    record = InstanceRecord("saas/web@production", operations=["op"])
    records.write(tmp_path / "a", "instance", record)
    assert records.read(tmp_path / "a", "instance", InstanceRecord) == record


def test_a_newer_and_an_older_format_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records.write(tmp_path / "a", "marker", Marker(1, 2))
    monkeypatch.setitem(formats.RECORDS, "marker", formats.RECORDS["marker"] + 1)
    with pytest.raises(records.OtherFormat, match="an older build wrote it"):
        records.read(tmp_path / "a", "marker", Marker)
    records.write(tmp_path / "a", "marker", Marker(1, 2))
    monkeypatch.undo()
    with pytest.raises(records.OtherFormat, match="a newer build wrote it"):
        records.read(tmp_path / "a", "marker", Marker)


def test_a_record_from_before_there_were_formats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"instance":"saas/web@production"}')
    with pytest.raises(records.OtherFormat, match="an older build"):
        records.read(tmp_path / "a", "instance", InstanceRecord)


def test_a_byte_that_flips_anywhere_is_damage_and_never_another_record(tmp_path: Path) -> None:
    record = InstanceRecord("saas/web@production", operations=["op"], counter=3)
    records.write(tmp_path / "a", "instance", record)
    whole = (tmp_path / "a").read_bytes()
    for at in range(len(whole)):
        for bit in (1, 2, 32):
            (tmp_path / "a").write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            with pytest.raises(records.Damaged):
                records.read(tmp_path / "a", "instance", InstanceRecord)
