"""Runtime: where instances run."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import ClassVar

from pydantic import Field

from setpoint.config.documents.base import Constants, Document, Environment, Node
from setpoint.config.documents.gates import Gated
from setpoint.config.documents.parameters import Parameter
from setpoint.config.documents.workloads import Command
from setpoint.config.values import Boolean, Duration, MapOf, Text
from setpoint.config.yaml import Sequence
from setpoint.model.time import MINUTE, SECOND

RUNTIME_TYPES = ("local", "custom", "fake")
LATER_RUNTIME_TYPES = ("containers", "kubernetes", "aws", "gcp", "nomad", "ssh", "objectStorage", "terraform")
FITS = {"process": "local", "custom": "custom", "fake": "fake"}
"""Workload -> the type block of a runtime that can run it."""
ADAPTERS = {"local": "process", "custom": "custom", "fake": "fake"}
"""Type block -> entry point of the adapter."""


class Local(Node):
    """Processes on this machine."""


class CustomRuntime(Node):
    """Three commands of the user's own."""

    apply: Command
    fetch: Command | None = None
    info: Command | None = None
    remove: Command | None = None
    parameters: MapOf[Text, Parameter] = Field(default_factory=dict)
    structured: Boolean = False
    timeout: Duration = 10 * MINUTE
    """Of ``apply`` and ``remove``."""
    fetch_timeout: Duration = 30 * SECOND
    """Of ``fetch`` and ``info``."""

    @property
    def commands(self) -> dict[str, Sequence]:
        """Those that are declared, by name."""
        found = {"fetch": self.fetch, "apply": self.apply, "info": self.info, "remove": self.remove}
        return {name: command for name, command in found.items() if command is not None}


class FakeRuntime(Node):
    """A rehearsal."""


class Poll(Node):
    """How often is looked."""

    moving: Duration = 5 * SECOND
    settled: Duration = 5 * MINUTE


class Runtime(Document, Gated):
    """One place that runs things."""

    LATER: ClassVar[AnyMapping[str, str]] = {
        "agent": "agents",
        **{name: f"{name} runtimes" for name in LATER_RUNTIME_TYPES},
    }
    local: Local | None = None
    custom: CustomRuntime | None = None
    fake: FakeRuntime | None = None
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    poll: Poll = Poll()
    grace: Duration = 30 * SECOND
