"""Errors of adapters, by what to do about them."""

from __future__ import annotations


class AdapterError(Exception):
    """Something a runtime could not do; the text is one sentence for people."""


class TransientError(AdapterError):
    """May go away without a change: try again with back-off."""


class TerminalError(AdapterError):
    """Trying the same again cannot help: the rollout fails."""


class Unreachable(AdapterError):  # noqa: N818 - it names a state of the world, as the design does
    """The runtime could not be reached. What cannot be observed is unknown, not absent."""
