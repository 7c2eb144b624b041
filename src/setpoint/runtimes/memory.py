"""What the custom runtime remembers between two engines: what it applied last, and what that wrote."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from setpoint.model.spec import Spec

_NAME = re.compile(r"[^A-Za-z0-9._-]")
_OPERATIONS = 32
_VERSIONS = 64
_LOG = 1_048_576


class Applied(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last spec that ``apply`` brought to its end."""

    spec: Spec
    operations: tuple[str, ...] = ()
    """Operations that came to their end, the last of them last."""
    digests: dict[str, str] = {}
    """Name of a version -> digest of the spec it was last applied as."""


class Memory:
    """Files in one directory, readable by this user only: a spec holds the environment of what runs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, instance: str) -> Applied | None:
        """None when nothing was applied yet; raises msgspec.DecodeError when the file is damaged."""
        try:
            return msgspec.json.decode(self._path(instance, "json").read_bytes(), type=Applied)
        except FileNotFoundError:
            return None

    def remember(self, operation: str, spec: Spec) -> None:
        """``operation`` came to its end: ``spec`` was applied."""
        before = self.read(spec.instance)
        operations = (*before.operations, operation) if before is not None else (operation,)
        digests = dict(before.digests) if before is not None else {}
        digests.pop(spec.version.name, None)
        digests[spec.version.name] = spec.digest
        kept = dict(list(digests.items())[-_VERSIONS:])
        self._write(self._path(spec.instance, "json"), msgspec.json.encode(Applied(spec, operations[-_OPERATIONS:], kept)))

    def forget(self, instance: str) -> None:
        """The instance is no more."""
        self._path(instance, "json").unlink(missing_ok=True)
        self._path(instance, "log").unlink(missing_ok=True)

    def write_log(self, instance: str, output: bytes) -> None:
        """Keep what the last ``apply`` wrote, its end."""
        self._write(self._path(instance, "log"), output[-_LOG:])

    def read_log(self, instance: str) -> str:
        """What the last ``apply`` wrote."""
        try:
            return self._path(instance, "log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _path(self, instance: str, suffix: str) -> Path:
        return self._root / f"{_NAME.sub(lambda match: f'%{ord(match[0]):02x}', instance)}.{suffix}"

    def _write(self, path: Path, data: bytes) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(path.suffix + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
