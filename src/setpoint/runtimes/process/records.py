"""What the process runtime stores and sends over its socket: small frozen values, JSON on disk and on the wire."""

from __future__ import annotations

from typing import Literal

import msgspec

PROTOCOL = 5
"""Version of the socket's protocol; an older supervisor then receives a request to hand over."""


class HealthProbe(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the health of a replica is probed. Over HTTP, 200 to 399 is healthy. Times in milliseconds."""

    kind: Literal["none", "http", "tcp", "command"] = "none"
    path: str = ""
    command: tuple[str, ...] = ()
    interval: int = 1_000
    timeout: int = 1_000


class Launch(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that is needed to start one replica of one spec, again and again."""

    digest: str
    version: str
    command: tuple[str, ...]
    directory: str = ""
    env: dict[str, str] = {}
    health: HealthProbe = HealthProbe()
    user: str = ""
    """The Unix user that it runs as; empty: the supervisor's."""
    stop: int = 10_000
    """Milliseconds between the signal to end and being killed; draining included."""


class Desired(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to run for one instance."""

    launch: Launch
    replicas: int = 1
    surge: int = 1
    unavailable: int = 0
    port: int = 0
    """Of the stable address; 0: whichever it was given first."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose clients report the origin of a request."""


class ReplicaRecord(msgspec.Struct, omit_defaults=True):
    """One replica as remembered between supervisors. ``run`` is new at every start."""

    name: str
    digest: str
    run: str = ""
    pid: int = 0
    start: int = 0
    port: int = 0
    restarts: int = 0
    ended: str = ""
    """How its last start ended, if it has ended unexpectedly."""
    stopping: bool = False
    healthy: bool = False
    """When it was last known: a supervisor that takes it over hands it requests until a check of its own fails."""


class GoneRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replica that is gone and whose logs are kept."""

    name: str
    digest: str
    version: str
    ended: str = ""
    """How, if it was not stopped."""
    at: int = 0
    """When, in milliseconds since 1970."""


class InstanceRecord(msgspec.Struct, omit_defaults=True):
    """One instance as remembered: what is to run (None: nothing, it is being removed) and what was started for it."""

    instance: str
    desired: Desired | None = None
    halted: bool = False
    """Taken down with the whole supervisor: nothing is started before the next apply."""
    operations: list[str] = []
    """The last operations, with the digest that each one requested."""
    port: int = 0
    counter: int = 0
    boot: str = ""
    replicas: list[ReplicaRecord] = []
    gone: list[GoneRecord] = []
    """Oldest first."""
    launches: dict[str, Launch] = {}


class ReplicaView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One replica as seen now. ``running`` is False while it waits to be started again."""

    name: str
    digest: str
    version: str
    running: bool
    stopping: bool
    healthy: bool | None = None
    message: str = ""
    pid: int = 0
    port: int = 0
    cpu: float = 0.0
    """Seconds of processor time, descendants included."""
    memory: int = 0
    """Resident bytes, descendants included."""


class InstanceReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One instance as seen now; ``digest`` is that of what is to run, empty when nothing."""

    digest: str = ""
    version: str = ""
    wanted: int = 0
    port: int = 0
    message: str = ""
    replicas: tuple[ReplicaView, ...] = ()


class EngineStart(msgspec.Struct, frozen=True, omit_defaults=True):
    """An engine in the background and how it was started; kept in memory only, as environments hold secrets."""

    pid: int
    start: int
    """Together with ``pid`` an ``Identity``."""
    command: tuple[str, ...]
    env: dict[str, str]
    directory: str


class SupervisorRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line to the supervisor."""

    do: Literal["ping", "apply", "observe", "usage", "remove", "changes", "handover", "shutdown"]
    operation: str = ""
    instance: str = ""
    desired: Desired | None = None
    engine: EngineStart | None = None
    """With ``changes``: the engine that listens, if it is to be started again when it is killed."""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line back. ``error`` is empty, ``transient`` or ``terminal``."""

    error: str = ""
    text: str = ""
    protocol: int = PROTOCOL
    pid: int = 0
    view: InstanceReport | None = None
