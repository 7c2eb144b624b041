"""Reads the files of a data directory that lie beside the store, and names what is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setpoint.durable import records
from setpoint.store.port import sha256_of


def damaged_files(home: Path) -> list[str]:
    """Files of contents and records below a data directory that are damaged, or of another format. Raises OSError."""
    return [*_contents(home / "files"), *_records(home)]


def _contents(files: Path) -> Iterator[str]:
    for path in sorted(files.glob("*")) if files.is_dir() else ():
        if len(path.name) == 64 and sha256_of(path.read_bytes()) != path.name:
            yield f"the file {path} (the next apply writes it again)"


def _records(home: Path) -> Iterator[str]:
    for kind, pattern in (
        ("instance", "runtimes/local/instances/*.json"),
        ("applied", "runtimes/custom/*.json"),
        ("task", "tasks/*.json"),
    ):
        for path in sorted(home.glob(pattern)):
            try:
                records.read(path, kind, dict[str, Any])
            except FileNotFoundError:
                continue
            except (records.Damaged, records.OtherFormat) as error:
                yield str(error)
