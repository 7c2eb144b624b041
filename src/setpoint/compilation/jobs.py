"""What a compiling process is given, what it reports, and the work between the two. Data only: nothing is unpickled."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import difference
from setpoint.config.problems import ConfigurationError, ConfigurationProblem
from setpoint.model.exits import ExitCodes


class Job(msgspec.Struct, frozen=True):
    """A configuration to compile."""

    files: dict[str, str]
    """Path relative to the root -> content in Base64, valid."""
    root: str
    executable: list[str]


class Report(msgspec.Struct, frozen=True):
    """What compiling it came to; without problems it can be compiled within the limits."""

    problems: list[ConfigurationProblem] = []
    notices: list[str] = []
    refusals: list[str] = []
    exit_codes: dict[str, ExitCodes] = {}
    """Protection -> its exit codes, of those that are programs."""


class JobLimits(msgspec.Struct, frozen=True):
    """What one job may take."""

    cpu: int = 30
    """Seconds of CPU time."""
    memory: int = 1 << 30
    """Bytes of data (``RLIMIT_DATA``: what is private and can be written to)."""
    deadline: float = 90.0
    """Seconds since its start."""
    report: int = 32 << 20
    """Bytes of its report."""


def write(descriptor: int, value: Job | Report) -> None:
    """To a file in memory, as ``read_job`` and ``read_report`` take it. Raises OSError."""
    left = memoryview(msgspec.msgpack.encode(value))
    while left:
        left = left[os.write(descriptor, left) :]


def read_job(descriptor: int) -> Job:
    """Raises ``msgspec.DecodeError``."""
    return msgspec.msgpack.decode(_content(descriptor), type=Job)


def read_report(descriptor: int) -> Report:
    """Raises ``msgspec.DecodeError``."""
    return msgspec.msgpack.decode(_content(descriptor), type=Report)


def _content(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def report_on(job: Job) -> Report:
    """Compile it, and compare it as an apply does: what passes here is within the limits in the engine as well."""
    files = {path: base64.b64decode(content, validate=True) for path, content in job.files.items()}
    try:
        configuration = CompiledConfiguration.from_files(files, Path(job.root), job.executable)
    except ConfigurationError as error:
        return Report(problems=error.problems)
    difference(None, configuration)
    return Report([], configuration.notices, configuration.refusals, configuration.exit_codes)
