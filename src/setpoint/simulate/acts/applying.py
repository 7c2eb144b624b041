"""Applies that change what runs: a configuration release, compiled for every version that may still run somewhere (§10.1)."""

from __future__ import annotations

import msgspec

from setpoint.core.facts import AnyFact, ConfigurationRequested, Part
from setpoint.core.line import LineState
from setpoint.model.names import configure_request, line_entity, within
from setpoint.model.release import Release
from setpoint.model.spec import Version
from setpoint.model.time import Duration
from setpoint.simulate.acts.releasing import rosters, sets_of
from setpoint.simulate.acts.requesting import request_of_line
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.runtimes import Behaviour


@act
class ChangeConfiguration(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """A person applies a configuration in which what runs is different."""

    application: str
    channels: tuple[str, ...] = ()
    """Where anything changes; empty: everywhere."""
    behaves: dict[str, Behaviour] = msgspec.field(default_factory=dict)
    """Instance -> what every version does there with it; absent: it comes up."""
    rides: bool = False

    def perform(self, environment: Environment) -> None:
        """Put it into force, and request it from the line."""
        environment.revision += 1
        revision = environment.revision
        changed = []
        for instance in environment.instances:
            application, service, channel = environment.parts(instance)
            if application == self.application:
                changed.append(service)
                if not self.channels or channel in self.channels:
                    environment.variants[instance] = f"R{revision}"
        for service in dict.fromkeys(changed):
            environment.revisions[within(self.application, service)] = f"R{revision}"
        request = configure_request(revision)
        request_of_line(environment, self.application, request, lambda: self._request(environment, request, revision))

    def _request(self, environment: Environment, request: str, revision: int) -> AnyFact:
        line = environment.world.states.get(line_entity(self.application))
        line = line if isinstance(line, LineState) else LineState()
        mine = [one for one in environment.instances if environment.parts(one)[0] == self.application]
        parts = {instance: self._parts(environment, line, instance, revision) for instance in mine}
        services = tuple(dict.fromkeys(environment.parts(one)[1] for one in mine))
        revisions = dict.fromkeys(services, f"R{revision}")
        pairs = {}
        for release in line.releases:
            named = {one for one, known in parts.items() if release.number in known}
            if not release.configures and (found := sets_of(environment, self.application, named)):
                pairs[release.number] = found
        return ConfigurationRequested(
            request=request,
            release=Release(self.application, {}, author=self.by, revisions=revisions, automatic=True),
            configured=revision,
            seen=line.number,
            changed=services,
            parts=parts,
            after={one: tuple(other.instance for other in environment.policies[one].services) for one in mine},
            sets=sets_of(environment, self.application, set(mine)),
            pairs=pairs,
            waves=rosters(environment, mine),
            rides=self.rides,
        )

    def _parts(self, environment: Environment, line: LineState, instance: str, revision: int) -> dict[int, Part]:
        _, service, channel = environment.parts(instance)
        found: dict[int, Part] = {}
        for release in line.releases:
            if service in release.services and (
                not release.channels or channel in release.channels or environment.mirrors(instance)
            ):
                name = release.services[service].version.name
                spec = environment.spec(name, instance)
                environment.runtimes.behaviours.setdefault(spec, self.behaves.get(instance, Behaviour()))
                found[release.number] = Part(Version(name, revision=f"R{revision}"), spec)
        return found

    def again(self, by: Duration, time: int) -> ChangeConfiguration:  # noqa: ARG002 - as every act
        """Another configuration."""
        return msgspec.structs.replace(self, at=self.at + by)

    def words(self) -> str:
        """Return a sentence that describes the act."""
        where = f" in {', '.join(self.channels)}" if self.channels else ""
        return f"{self.by} applies a configuration that changes what runs{where}"
