"""Runtime: where instances run."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from setpoint.config.documents.base import Constants, Document, Environment, Node
from setpoint.config.documents.gates import Gated
from setpoint.config.documents.parameters import Parameter
from setpoint.config.documents.workloads import FITS, Command, Free, Path
from setpoint.config.syntax.values import Boolean, Duration, MapOf, Name, Template, Text
from setpoint.config.syntax.yaml import Sequence
from setpoint.model.time import MINUTE, SECOND

RUNTIME_TYPES = tuple(dict.fromkeys(FITS.values()))
ADAPTERS = {name: "process" if name == "local" else name for name in RUNTIME_TYPES}
"""Type block -> entry point of the adapter."""


class Local(Node):
    """Processes on this machine."""


class CustomRuntimeBlock(Node):
    """Three commands of the user's own."""

    apply: Command
    fetch: Command | None = None
    info: Command | None = None
    remove: Command | None = None
    directory: Path | None = None
    mutable: Boolean = False
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


class Containers(Node):
    """Containers of one machine."""

    socket: Template | None = None


class KubernetesCluster(Node):
    """A cluster."""

    context: Template | None = None


class TerraformRunner(Node):
    """Where Terraform, or what speaks like it, is run."""

    binary: Text = "terraform"


class FakeRuntimeBlock(Node):
    """A fake runtime: nothing runs."""


class Poll(Node):
    """How often is looked."""

    moving: Duration = 5 * SECOND
    settled: Duration = 5 * MINUTE


class RuntimeDocument(Document, Gated):
    """One place that runs things."""

    local: Local | None = None
    containers: Containers | None = None
    kubernetes: KubernetesCluster | None = None
    terraform: TerraformRunner | None = None
    aws: Free | None = None
    gcp: Free | None = None
    nomad: Free | None = None
    ssh: Free | None = None
    object_storage: Free | None = None
    custom: CustomRuntimeBlock | None = None
    fake: FakeRuntimeBlock | None = None
    constants: Constants = Field(default_factory=dict)
    env: Environment = Field(default_factory=dict)
    agent: Name | None = None
    poll: Poll = Poll()
    grace: Duration = 30 * SECOND

    @property
    def block(self) -> tuple[str, Any]:
        """The type and its block; documents that have been checked have exactly one."""
        fields = {name: "object_storage" if name == "objectStorage" else name for name in RUNTIME_TYPES}
        return next(((name, found) for name, field in fields.items() if (found := getattr(self, field)) is not None), ("", None))
