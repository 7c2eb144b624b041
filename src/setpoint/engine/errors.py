"""What can be wrong with an engine as a whole. Each text contains what, where and what to do."""

from __future__ import annotations


class EngineError(Exception):
    """The engine cannot do what was requested."""


class EngineDegraded(EngineError):  # noqa: N818 - named for its cause
    """The journal cannot be written (a full disk, a failing one): nothing was accepted, nothing is started until it can be."""


class EngineStopped(EngineError):  # noqa: N818 - named for its cause
    """The engine is not serving: not yet, or not any more."""


class AlreadyRunning(EngineError):  # noqa: N818 - named for its cause
    """Another engine holds the data directory."""


class UnsafeHome(EngineError):  # noqa: N818 - named for its cause
    """Another user could read or replace the data directory."""
