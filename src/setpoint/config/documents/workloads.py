"""The workloads: what a service can be, each with the type block of a runtime that it fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from setpoint.config.documents.base import Node
from setpoint.config.syntax.values import (
    Anything,
    Boolean,
    Duration,
    MapOf,
    Reads,
    Several,
    Template,
    Text,
    choice,
    describe,
    fault,
    read_duration,
    read_integer,
    read_template,
    read_text,
)
from setpoint.config.syntax.yaml import Scalar, Sequence
from setpoint.model.time import SECOND


def read_command(node: Any) -> Sequence:
    """A list of arguments; no shell splits a text."""
    if not isinstance(node, Sequence):
        hint = "Write a list such as [python, app.py]."
        if isinstance(node, Scalar) and node.split():
            hint = f"Write a list: [{', '.join(node.split())}]."
        raise fault("command-not-a-list", f"a command is a list of arguments, not {describe(node)}: no shell splits it.", hint)
    if not node:
        raise fault("empty-command", "the command is empty.", "Write the program and its arguments, such as [python, app.py].")
    for number, argument in enumerate(node):
        _read_argument(number, argument)
    if not node[0]:
        raise fault("empty-command", "the command names no program.", "Write the program first, such as [python, app.py].")
    return node


def _read_argument(number: int, node: Any) -> None:
    try:
        read_template(node)
    except PydanticCustomError as error:
        context = error.context or {}
        raise fault(error.type, str(context["message"]), str(context["hint"]), key=number) from None


def _read_number(node: Any) -> int | Scalar:
    if isinstance(node, Scalar) and "${" in node:
        return node
    return read_integer(node)


def _read_path(node: Any) -> Scalar:
    text = read_text(node)
    if not text or text.startswith(("/", "~")) or "\\" in text or "\0" in text:
        raise fault(
            "path-outside",
            f"{describe(text)} does not lie below the configuration.",
            "Write a path relative to this document, without ..",
        )
    return text


def _read_user(node: Any) -> Scalar:
    text = read_text(node)
    if not _USER.fullmatch(text) or text == "root":
        raise fault(
            "bad-user",
            f"{describe(text)} is not the name of a Unix user without privileges.",
            "Write a name such as web; its groups are those that the machine gives it.",
        )
    return text


def _read_network(node: Any) -> Scalar:
    text = read_text(node)
    try:
        ip_network(text)
    except ValueError:
        raise fault(
            "bad-network",
            f"{describe(text)} is not an IP address or a network.",
            "Write one such as 127.0.0.2 or 10.1.0.0/16.",
        ) from None
    return text


def _or_lookup(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same, where a release may set the value."""
    return lambda node: node if isinstance(node, Scalar) and "${" in node else read(node)


_OUTCOME = choice("healthy", "failing", "hangs")
Command = Annotated[
    Sequence, Reads(read_command, {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1})
]
Count = Annotated[int | str, Reads(_read_number, {"type": ["integer", "string"]})]
_PROXIES = 16
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
UserName = Annotated[str, Reads(_read_user, {"type": "string", "pattern": f"^{_USER.pattern}$"})]
"""It looks nothing up: a release must not choose whose rights a version has."""
Network = Annotated[str, Reads(_read_network, {"type": "string"})]
"""It looks nothing up: a release must not choose whom a service trusts."""
Path = Annotated[str, Reads(_read_path, {"type": "string"})]
PathTemplate = Annotated[str, Reads(_or_lookup(_read_path), {"type": "string"})]


class HealthBlock(Node):
    """How a replica is known to be healthy."""

    http: Template | None = None
    tcp: Boolean = False
    command: Command | None = None
    interval: Duration = SECOND
    timeout: Duration = 5 * SECOND

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name, there in (("http", self.http), ("tcp", self.tcp), ("command", self.command)) if there]
        if len(ways) != 1:
            raise fault(
                "one-health-check",
                f"a health check is made in one way, not {' and '.join(ways) or 'in none'}.",
                "Write one of `http: /path`, `tcp: true` and `command: [...]`.",
            )
        if self.http and not self.http.startswith(("/", "${")):
            raise fault(
                "bad-url",
                f"the path {describe(self.http)} does not start with a slash.",
                'Write one such as "/healthz".',
                key="http",
            )
        if self.interval == 0 or self.timeout == 0:
            raise fault("bad-duration", "a health check needs time.", "Write an interval and a timeout above 0.")
        return self


class Process(Node):
    """Replicas of one program on this machine."""

    command: Command
    user: UserName | None = None
    replicas: Count = 1
    directory: Path | None = None
    mutable: Boolean = False
    port: Count | None = None
    trusted_proxies: Several[Network] = ()
    health: HealthBlock | None = None
    stop_timeout: Duration = 10 * SECOND

    @model_validator(mode="after")
    def _few_proxies(self) -> Self:
        if len(self.trusted_proxies) > _PROXIES:
            raise fault(
                "too-many-proxies",
                f"{len(self.trusted_proxies)} trusted proxies are too many: at most {_PROXIES} are allowed.",
                "Write networks such as 10.1.0.0/16.",
                key="trustedProxies",
            )
        return self


class Container(Node):
    """Replicas of one image."""

    image: Template
    command: Command | None = None
    replicas: Count = 1
    ports: Several[Template] = ()
    health: HealthBlock | None = None
    volumes: Several[Template] = ()


class Kubernetes(Node):
    """Objects of a cluster, from manifests or a kustomization."""

    LATER: ClassVar[AnyMapping[str, str]] = {"template": "lookups inside of named files"}
    manifests: PathTemplate | None = None
    kustomize: PathTemplate | None = None
    images: MapOf[Text, Template] = Field(default_factory=dict)
    patches: Several[Anything] = ()
    namespace: Template | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.manifests is None) == (self.kustomize is None):
            hint = "Write `manifests: deploy/` or `kustomize: overlays/production`."
            raise fault("one-workload-source", "objects come from `manifests` or from `kustomize`.", hint)
        return self


class Helm(Node):
    """A chart."""

    chart: Template
    version: Template | None = None
    values: MapOf[Text, Anything] = Field(default_factory=dict)
    values_files: Several[PathTemplate] = ()
    release_name: Template | None = None
    namespace: Template | None = None


class Terraform(Node):
    """A root module."""

    directory: PathTemplate
    workspace: Template | None = None
    backend: MapOf[Text, Anything] = Field(default_factory=dict)
    variables: MapOf[Text, Anything] = Field(default_factory=dict)


Free = MapOf[Text, Anything]
"""Fields of the adapter's own page."""
FITS = {
    "process": "local",
    "container": "containers",
    "kubernetes": "kubernetes",
    "helm": "kubernetes",
    "terraform": "terraform",
    "ecs": "aws",
    "lambda": "aws",
    "cloudRun": "gcp",
    "nomad": "nomad",
    "systemd": "ssh",
    "static": "objectStorage",
    "custom": "custom",
    "fake": "fake",
}
"""Workload -> the type block of a runtime that can run it."""


class Custom(Node):
    """Whatever the runtime's own commands deploy."""

    with_: MapOf[Text, Anything] = Field(default_factory=dict, alias="with")


class Fake(Node):
    """A fake workload: nothing runs."""

    becomes: Annotated[str, Reads(_or_lookup(_OUTCOME.read), _OUTCOME.schema)] = "healthy"
    takes: Annotated[int | str, Reads(_or_lookup(read_duration), {"type": ["string", "integer"]})] = 0
    replicas: Count = 1
