"""Releases that people and pipelines request."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from setpoint.core.facts import AnyFact, ReleaseRequested
from setpoint.model.names import within
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Version
from setpoint.model.time import Duration
from setpoint.simulate.acts.requesting import request_of_line
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.runtimes import Behaviour

TOGETHER = "together"
"""Instances with the same value of this label move as one."""


@act
class RequestRelease(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """Versions of some services, to every channel or to those named."""

    application: str
    services: dict[str, str]
    """Service -> version."""
    channels: tuple[str, ...] = ()
    urgent: bool = False
    floors: dict[str, str] = msgspec.field(default_factory=dict)
    """Service -> version below which this one must not be rolled back."""
    behaves: dict[str, Behaviour] = msgspec.field(default_factory=dict)
    """Instance -> what the version does there; absent: it comes up. The first release of a version decides."""

    def perform(self, environment: Environment) -> None:
        """Request it from the line."""
        environment.requests += 1
        request = str(environment.requests)
        request_of_line(environment, self.application, request, lambda: self._request(environment, request))

    def _request(self, environment: Environment, request: str) -> AnyFact:
        specs = {}
        for instance in environment.instances:
            application, service, _ = environment.parts(instance)
            if application == self.application and service in self.services:
                specs[instance] = digest = environment.spec(self.services[service], instance)
                environment.runtimes.behaviours.setdefault(digest, self.behaves.get(instance, Behaviour()))
        wanted = {
            service: ServiceVersion(Version(name, revision=environment.revisions.get(within(self.application, service), "")))
            for service, name in self.services.items()
        }
        release = Release(self.application, wanted, channels=self.channels, author=self.by, urgent=self.urgent)
        named = {one for one in environment.instances if environment.parts(one)[1] in self.services}
        return ReleaseRequested(
            request=request,
            release=release,
            specs=specs,
            after={one: tuple(other.instance for other in environment.policies[one].services) for one in specs},
            sets=sets_of(environment, self.application, named),
            floors={one: floor for one in specs if (floor := self.floors.get(environment.parts(one)[1], ""))},
            waves=rosters(environment, specs),
        )

    def again(self, by: Duration, time: int) -> RequestRelease:
        """Of newer versions: 1.4.0 becomes 2.4.0, then 3.4.0."""
        services = {service: f"{time + 1}.{name.partition('.')[2]}" for service, name in self.services.items()}
        return msgspec.structs.replace(self, at=self.at + by, services=services)

    def words(self) -> str:
        """Return a sentence that describes the act."""
        what = ", ".join(f"{service} {version}" for service, version in self.services.items())
        where = f" to {', '.join(self.channels)}" if self.channels else ""
        return f"{self.by} releases {what}{where}{', urgently' if self.urgent else ''}"


def sets_of(environment: Environment, application: str, named: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Those that move as one; of a set that is named only in part, each moves independently."""
    found: dict[str, list[str]] = {}
    for instance in environment.instances:
        name = environment.policies[instance].labels.get(TOGETHER, "")
        if name and environment.parts(instance)[0] == application:
            found.setdefault(within(application, name), []).append(instance)
    whole = {name: tuple(members) for name, members in found.items() if len(members) > 1}
    return {name: members for name, members in whole.items() if all(member in named for member in members)}


def rosters(environment: Environment, instances: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Group -> those that begin with its waves."""
    found: dict[str, list[str]] = {}
    for instance in instances:
        wave = environment.policies[instance].wave
        if wave is not None:
            found.setdefault(wave.group, []).append(instance)
    return {group: tuple(members) for group, members in found.items()}
