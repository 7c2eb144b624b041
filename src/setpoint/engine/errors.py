"""What can be wrong with an engine as a whole. Each text says what, where and what to do."""

from __future__ import annotations


class EngineError(Exception):
    """The engine cannot do what was asked."""


class EngineDegraded(EngineError):  # noqa: N818 - says what is the matter
    """The journal cannot be written (a full disk, a failing one): nothing was accepted, nothing is started until it can be."""


class EngineStopped(EngineError):  # noqa: N818 - says what is the matter
    """The engine is not serving: not yet, or not any more."""


class AlreadyRunning(EngineError):  # noqa: N818 - says what is the matter
    """Another engine holds the data directory."""
