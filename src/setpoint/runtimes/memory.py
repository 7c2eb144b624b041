"""What the custom runtime remembers between two engines: what it applied last, and what that wrote."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from setpoint.durable import files, records
from setpoint.model.spec import Spec
from setpoint.plugins.errors import Unreachable

_NAME = re.compile(r"[^A-Za-z0-9._-]")
_OPERATIONS = 32
_VERSIONS = 64
_LOG = 1_048_576
_KIND = "applied"


class LastApply(msgspec.Struct, frozen=True, omit_defaults=True):
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

    def read(self, instance: str) -> LastApply | None:
        """None when nothing was applied yet.

        Raises:
            Unreachable: the file cannot be used; the next apply writes it again.
        """
        try:
            return records.read(self._path(instance, "json"), _KIND, LastApply)
        except FileNotFoundError:
            return None
        except (records.Damaged, records.OtherFormat, OSError) as error:
            raise Unreachable(f"what was applied last is unknown until the next apply: {error}") from error

    def readable(self, instance: str) -> LastApply | None:
        """As ``read``; None as well where the file is damaged, so that it is applied and written again. Raises Unreachable."""
        try:
            return self.read(instance)
        except Unreachable as error:
            if isinstance(error.__cause__, records.Damaged):
                return None
            raise

    def remember(self, operation: str, spec: Spec) -> None:
        """``operation`` came to its end: ``spec`` was applied."""
        before = self.readable(spec.instance)
        operations = (*before.operations, operation) if before is not None else (operation,)
        digests = dict(before.digests) if before is not None else {}
        digests.pop(spec.version.name, None)
        digests[spec.version.name] = spec.digest
        kept = dict(list(digests.items())[-_VERSIONS:])
        files.make_directory(self._root)
        records.write(self._path(spec.instance, "json"), _KIND, LastApply(spec, operations[-_OPERATIONS:], kept))

    def forget(self, instance: str) -> None:
        """The instance is no more."""
        files.remove(self._path(instance, "json"), sync=True)
        files.remove(self._path(instance, "log"))

    def write_log(self, instance: str, output: bytes) -> None:
        """Keep what the last ``apply`` wrote, its end."""
        files.make_directory(self._root)
        files.replace(self._path(instance, "log"), output[-_LOG:])

    def read_log(self, instance: str) -> str:
        """What the last ``apply`` wrote."""
        try:
            return self._path(instance, "log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _path(self, instance: str, suffix: str) -> Path:
        return self._root / f"{_NAME.sub(lambda match: f'%{ord(match[0]):02x}', instance)}.{suffix}"
