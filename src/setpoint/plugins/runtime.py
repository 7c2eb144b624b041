"""The port of a runtime: where instances run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, runtime_checkable

import msgspec

from setpoint.model.observation import Observation
from setpoint.model.spec import Spec
from setpoint.model.time import Instant


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line a replica wrote."""

    replica: str
    text: str
    at: Instant = 0
    """0 when the runtime keeps no times."""


class LoggedReplica(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replica whose logs are kept, running or gone."""

    name: str
    version: str
    running: bool
    ended: str = ""
    """How it ended, such as ``exited with 3``; empty while it runs, or when it was stopped."""
    at: Instant = 0
    """When it ended."""


class Runtime(Protocol):
    """Observes and applies. Every method may be called again at any time, by an engine that was killed in the middle of a call.

    ``apply`` hands over what is to run and returns when the runtime has taken it on, not when it is healthy: progress shows in
    observations. The same ``operation`` may come twice and must not be done twice; an apply of what already runs changes nothing.
    An adapter is made with the options of its Runtime document and the data directory of the engine.
    """

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        """What runs for ``instance``, compared with ``expected`` (None: nothing is expected yet). Changes nothing.

        Raises:
            Unreachable: the runtime cannot be reached.
        """
        ...

    async def apply(self, operation: str, spec: Spec) -> None:
        """Make ``spec`` run in place of whatever runs for ``spec.instance``, replacing it gradually as ``spec.rollout`` defines.

        Raises:
            TransientError: worth another try. TerminalError: it is not.
        """
        ...

    async def remove(self, operation: str, instance: str) -> None:
        """Take down everything that has this instance's name, and nothing else. Raises as ``apply``."""
        ...

    def logs(self, instance: str, *, replica: str = "", lines: int = 100, follow: bool = False) -> AsyncIterator[LogLine]:
        """The last lines of each replica (or of one), then new ones as they come if ``follow``."""
        ...

    def validate(self, options: dict[str, Any]) -> list[str]:
        """What is wrong with a workload's options, in sentences that name the field; empty: nothing. Pure."""
        ...

    async def close(self) -> None:
        """Let go of connections; what runs goes on running."""
        ...


@runtime_checkable
class KeepsLogs(Protocol):
    """What a runtime may do beside ``Runtime``: list the replicas whose logs it keeps, also of versions that are gone."""

    async def logged(self, instance: str) -> tuple[LoggedReplica, ...]:
        """Return the replicas of ``instance`` whose logs can be read, oldest first."""
        ...


@runtime_checkable
class ChangeSource(Protocol):
    """What a runtime may do beside ``Runtime``: publish changes, so that they are seen immediately, not when next polled."""

    def changes(self) -> AsyncIterator[str]:
        """Names of instances of which something may have changed, as it happens.

        A name may come again and again, several changes may come as one, resource use alone is not a change, and while
        nothing changes nothing comes. What was missed without a listener is found by polling. The iterator ends when the
        runtime publishes no more; the listener ends it before ``close``.
        """
        ...
