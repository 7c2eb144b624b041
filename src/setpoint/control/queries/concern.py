"""Which lines of history concern an instance: its own, and what people decided above it that counts for it (§10.10)."""

from __future__ import annotations

from collections.abc import Iterable

from setpoint.control.context import RequestContext
from setpoint.control.reading.states import line_of
from setpoint.control.releasing.compiling import followers, named
from setpoint.core.scope import above
from setpoint.model.names import (
    application_of,
    instance_entity,
    is_kind,
    key_of,
    kind_of,
    line_entity,
    parse_topic,
    service_of,
    topic_prefix,
    with_kind,
)
from setpoint.store.port import Line


class Concern:
    """Lines of some instances; none: every line."""

    def __init__(self, context: RequestContext, instances: Iterable[str], reached: dict[tuple[str, int], set[str]]) -> None:
        self._configuration = context.configuration if context.applied else None
        self._reached = reached
        self.instances = frozenset(instances)
        self.scopes = {scope for one in self.instances for scope in above(self._labels(one))}
        self.topics = {topic_prefix(subject) for one in self.instances for subject in self._subjects(one)}
        self.lines = {line_entity(application_of(one)) for one in self.instances}
        self._services = {service_of(one) for one in self.instances}

    @property
    def entities(self) -> list[str]:
        """Those with lines that may fit, but for topics."""
        return sorted({*map(instance_entity, self.instances), *self.scopes, *self.lines})

    def fits(self, line: Line) -> bool:
        """Whether a line concerns one of the instances."""
        kind = kind_of(line.entity)
        if not self.instances or line.entity in self.scopes:
            return True
        if kind == "instance":
            return key_of(line.entity) in self.instances
        if kind == "topic":
            return not self.instances.isdisjoint(self.counts_for(line))
        return line.entity in self.lines and line.event.kind == "signal" and self._of_application(line)

    def _of_application(self, line: Line) -> bool:
        """A mark on a version of one of the services, or the cancellation of a release that names one of the instances."""
        if line.event.release:
            reached = self._reached.get((line.entity, line.event.release))
            return reached is None or not self.instances.isdisjoint(reached)
        return line.event.service in self._services

    def counts_for(self, line: Line) -> list[str]:
        """Return every instance that a vote counts for; empty for what is not a vote."""
        if self._configuration is None or not is_kind(line.entity, "topic"):
            return []
        subject, name, *_ = parse_topic(line.entity)
        below = [one for one in self._configuration.all_instances if subject in self._subjects(one)]
        voting = [one for one in below if self._needs(one, subject, name)] or below
        reached = self._reached.get((line_entity(application_of(below[0])), line.event.release)) if below else None
        return [one for one in voting if reached is None or one in reached]

    def _needs(self, instance: str, subject: str, name: str) -> bool:
        assert self._configuration is not None  # noqa: S101 - the callers looked
        approvals = self._configuration.policy(instance).approvals
        return any((use.subject, use.topic) == (subject, name) for use in approvals)

    def _labels(self, instance: str) -> dict[str, str]:
        return self._configuration.labels(instance) if self._configuration else {}

    def _subjects(self, instance: str) -> set[str]:
        scopes = {key_of(scope) for scope in above(self._labels(instance))}
        return {*scopes, instance_entity(instance), with_kind("service", instance)}


async def concern(context: RequestContext, instances: Iterable[str]) -> Concern:
    """With the instances that each release that is remembered names."""
    reached: dict[tuple[str, int], set[str]] = {}
    configuration = context.applied
    for owner in configuration.applications if configuration else ():
        assert configuration is not None  # noqa: S101 - else no application exists
        for release in (await line_of(context, owner)).releases:
            these = named(configuration, owner, {*release.services, *release.revisions}, release.channels)
            reached[line_entity(owner), release.number] = {*these, *followers(configuration, owner, these)}
    return Concern(context, instances, reached)


__all__ = ["Concern", "concern"]
