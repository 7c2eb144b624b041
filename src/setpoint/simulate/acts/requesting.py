"""Requests to a line: what was compiled with a configuration that is not in force any more is compiled again (§10.1)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.core.line import LineState
from setpoint.model.names import line_entity
from setpoint.model.time import SECOND, Duration
from setpoint.simulate.world.act import Act, act
from setpoint.simulate.world.environment import Environment

PATIENCE: Duration = 10 * SECOND
"""Until it is looked whether the line took a request."""
TRIES = 40


def request_of_line(environment: Environment, application: str, request: str, make: Callable[[], AnyFact]) -> None:
    """Post it, and look later whether it was taken; before the first change of a configuration nothing is ever stale."""
    environment.world.post(line_entity(application), make())
    if environment.revisions:
        environment.request_factories[request] = make
        environment.later(PATIENCE, LookWhetherTaken(application=application, request=request))


@act
class LookWhetherTaken(Act, frozen=True, kw_only=True, omit_defaults=True):
    """The requester looks whether the line took the request; what is stale is compiled again."""

    application: str
    request: str
    tries: int = 0

    def perform(self, environment: Environment) -> None:
        """Ask once more, or look again later."""
        line = environment.world.states.get(line_entity(self.application))
        make: Callable[[], AnyFact] | None = environment.request_factories.get(self.request)
        if make is None or self.tries >= TRIES or (isinstance(line, LineState) and self.request in line.requests):
            environment.request_factories.pop(self.request, None)
            return
        if isinstance(line, LineState) and self.request in line.stale:
            environment.world.post(line_entity(self.application), make())
        environment.later(PATIENCE, msgspec.structs.replace(self, tries=self.tries + 1))

    def words(self) -> str:
        """Return a sentence that describes the act."""
        return f"the requester checks whether {self.request} was taken"
