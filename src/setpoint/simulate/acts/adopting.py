"""First contact: what runs before anything is released, and people who adopt it (§5 First contact and removal)."""

from __future__ import annotations

from setpoint.core.facts import AnyFact, ReleaseRequested
from setpoint.core.line import LineState
from setpoint.model.names import instance_entity, line_entity, version_key, within
from setpoint.model.release import Release as Requested
from setpoint.model.release import ServiceVersion
from setpoint.model.spec import Version
from setpoint.simulate.acts.accidents import Accident
from setpoint.simulate.acts.releasing import rosters
from setpoint.simulate.acts.requesting import request_of_line
from setpoint.simulate.world.act import HumanAct, act
from setpoint.simulate.world.environment import Environment
from setpoint.simulate.world.runtimes import Behaviour


@act
class RunsAlready(Accident, frozen=True, kw_only=True, omit_defaults=True):
    """A version that Setpoint did not deploy runs at the place of an instance."""

    version: str
    behaves: Behaviour = Behaviour()
    difference: str = ""
    """What differs from its spec."""

    def perform(self, environment: Environment) -> None:
        """Let it run, where nothing runs yet."""
        place = environment.runtimes.place(self.instance)
        if place.running or place.wanted or environment.state(self.instance).life.target:
            return
        digest = environment.spec(self.version, self.instance)
        environment.runtimes.behaviours.setdefault(digest, self.behaves)
        place.running = place.wanted = digest
        place.started, place.healthy, place.difference = environment.world.now, True, self.difference
        place.ran.add(digest)
        environment.world.hint(instance_entity(self.instance))

    def words(self) -> str:
        """Return a sentence that describes the accident."""
        how = f", with a difference ({self.difference})" if self.difference else ""
        return f"{self.version} runs for {self.instance} already{how}"


@act
class Adopt(HumanAct, frozen=True, kw_only=True, omit_defaults=True):
    """A person states which version an instance runs already."""

    instance: str
    version: str

    def perform(self, environment: Environment) -> None:
        """Request a release of its own for this instance alone, unless the command refuses it."""
        application, service, _ = environment.parts(self.instance)
        line = environment.world.states.get(line_entity(application))
        bad = isinstance(line, LineState) and version_key(service, self.version) in line.bad
        state = environment.state(self.instance)
        if bad or environment.mirrors(self.instance) or state.removed or state.life.target:
            return
        environment.requests += 1
        request = str(environment.requests)
        request_of_line(environment, application, request, lambda: self._request(environment, request))

    def _request(self, environment: Environment, request: str) -> AnyFact:
        application, service, channel = environment.parts(self.instance)
        version = Version(self.version, revision=environment.revisions.get(within(application, service), ""))
        return ReleaseRequested(
            request=request,
            release=Requested(application, {service: ServiceVersion(version)}, channels=(channel,), author=self.by, adopt=True),
            specs={self.instance: environment.spec(self.version, self.instance)},
            after={self.instance: tuple(other.instance for other in environment.policies[self.instance].services)},
            waves=rosters(environment, (self.instance,)),
        )

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"{self.by} adopts {self.version} at {self.instance}"
