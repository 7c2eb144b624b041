"""A configuration as files, as commands and queries receive it."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from setpoint.compilation.compilers import BusyError, CompilerBrokenError, TooExpensiveError
from setpoint.compilation.jobs import Job, Report
from setpoint.config.compile import CompiledConfiguration
from setpoint.control.context import Services
from setpoint.control.errors import Busy, Invalid, Malformed, TooExpensive, Unavailable
from setpoint.control.registry import Request
from setpoint.model.spec import digest
from setpoint.store.port import sha256_of

UPLOAD = 96 << 20
"""Bytes of a request that brings a configuration with the files it names."""
CONTENT = UPLOAD
"""Characters of one file in Base64: what is larger does not fit into a request either."""
MOST = 10_000
"""Files of a configuration."""
VALUES = 2 * MOST + 1000
"""As ``bounds.VALUES``, of a request that brings a configuration."""


class Files(Request):
    """A configuration as files."""

    files: dict[str, Annotated[str, Field(max_length=CONTENT)]] = Field(max_length=MOST)
    """Path relative to the root -> content in Base64, as ``setpoint.config.collect`` finds them."""
    root: str
    """Where they lie on the engine's machine."""
    executable: list[str] = Field(default_factory=list, max_length=MOST)
    """Paths of those that may be run."""


def contents(request: Files) -> dict[str, bytes]:
    """Path -> content.

    Raises:
        Malformed: it is not a set of files below a root.
    """
    if not Path(request.root).is_absolute() or not all(_inside(path) for path in request.files):
        raise Malformed("Paths of files must be relative and stay below an absolute root.", "Use the command line.")
    try:
        return {path: base64.b64decode(content, validate=True) for path, content in request.files.items()}
    except binascii.Error as error:
        raise Malformed(
            f"A file's content is not valid Base64: {error}.", "Use the command line, or encode contents in Base64."
        ) from None


async def report_on(services: Services, request: Files) -> Report:
    """Compile it in a process with limits.

    Raises:
        Malformed: it is not a set of files. TooExpensive, Busy, Unavailable: it was not compiled.
    """
    await asyncio.to_thread(contents, request)
    try:
        return await services.compilers.report_on(Job(request.files, request.root, request.executable))
    except TooExpensiveError as limit:
        raise TooExpensive(
            f"Compiling the configuration takes more than {limit}.", "Reduce its channels, groups or constants, or split it."
        ) from None
    except BusyError:
        raise Busy("Too many configurations are being compiled.", "Try again in a few seconds.") from None
    except CompilerBrokenError as error:
        raise Unavailable(f"The configuration was not compiled: {error}.", "Try again; see the log of the engine.") from error


async def parse(services: Services, request: Files) -> tuple[CompiledConfiguration, dict[str, bytes]]:
    """The configuration that a request holds: compiled here once it is known to stay within the limits.

    Raises:
        Malformed: it is not a set of files. Invalid: the configuration has errors. TooExpensive, Busy, Unavailable: see
            ``report_on``.
    """
    report = await report_on(services, request)
    if report.problems:
        number = len(report.problems)
        raise Invalid(
            f"The configuration has {number} error{'s' if number > 1 else ''}; nothing was applied.",
            "Correct them; `setpoint validate DIRECTORY` shows them too.",
            details=[str(problem) for problem in report.problems],
        )
    return await asyncio.to_thread(_compile, request)


def _compile(request: Files) -> tuple[CompiledConfiguration, dict[str, bytes]]:
    files = contents(request)
    return CompiledConfiguration.from_files(files, Path(request.root), request.executable), files


def _inside(path: str) -> bool:
    pure = Path(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts


def content_digest(files: Mapping[str, bytes]) -> str:
    """Of all paths and contents."""
    return digest({path: sha256_of(content) for path, content in sorted(files.items())})
