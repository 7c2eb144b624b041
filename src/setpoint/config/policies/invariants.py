"""From Invariant documents to the instances that they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import InvariantDocument
from setpoint.config.instances.conditions import NEVER, decide
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.dependencies import beside
from setpoint.config.policies.instance_policy import calendar_value
from setpoint.config.problems import Problems
from setpoint.config.syntax.yaml import place_of
from setpoint.model.calendars.calendar import Calendar
from setpoint.model.invariants import Invariant, Member, Require
from setpoint.model.names import format_instance
from setpoint.model.similar import suggest


@dataclass(frozen=True)
class InvariantCompiler:
    """Compiles the invariants of one configuration; errors go to ``problems``."""

    catalog: Catalog
    instances: Mapping[str, Instance]
    problems: Problems

    def compile(self) -> dict[str, Invariant]:
        """By name, in the order written."""
        found: dict[str, Invariant] = {}
        for name, entry in self.catalog.invariants.items():
            if entry.model is not None:
                self._check(entry, entry.model)
                found[name] = self._one(name, entry.model)
        return found

    def _one(self, name: str, document: InvariantDocument) -> Invariant:
        selected = [instance for instance in self.instances.values() if document.select.matches(instance.labels)]
        members = tuple(
            self._member(document, instance) for instance in selected if decide(document.when, instance.labels) is not NEVER
        )
        stop = document.on_violation == "stop-the-line"
        return Invariant(name, self._require(document), members, document.when, stop, document.select.text)

    def _require(self, document: InvariantDocument) -> Require:
        required, calendar = document.require, self._calendar(document)
        return Require(
            not_bad=required.not_bad,
            finalized_in=tuple(str(name) for name in required.finalized_in),
            same_as=str(required.same_as or ""),
            runs=str(required.runs),
            topic=str(required.approved.topic) if required.approved else "",
            approvers=required.approved.min if required.approved else 1,
            beside=str(required.skew.service) if required.skew else "",
            max_step=str(required.skew.max_step) if required.skew else "",
            calendar=calendar,
            moving="" if required.moving is None else str(required.moving),
        )

    def _calendar(self, document: InvariantDocument) -> Calendar | None:
        entry = self.catalog.calendars.get(str(document.require.open))
        return calendar_value(entry.name, entry.model) if entry and entry.model else None

    def _member(self, document: InvariantDocument, instance: Instance) -> Member:
        required, application = document.require, str(instance.application.name)
        channels = [name for place in required.finalized_in for name in self._channels(application, place)]
        others = [name for name in channels if name != instance.channel.name]
        like = {
            name: format_instance(application, instance.service.name, name) for name in [*others, str(required.same_as or "")]
        }
        same = str(required.same_as) if required.same_as and required.same_as != instance.channel.name else ""
        calendar = self.catalog.calendars.get(str(required.open))
        zone = calendar.model.timezone if calendar and calendar.model else None
        return Member(
            instance=instance.name,
            labels=instance.labels,
            finalized_in=tuple(dict.fromkeys(like[name] for name in others if like[name] in self.instances)),
            same_as=like[same] if same and like[same] in self.instances else "",
            beside=self._beside(document, instance),
            lacks=tuple(dict.fromkeys(name for name in (*others, same) if name and like[name] not in self.instances)),
            timezone=str(zone or instance.timezone),
        )

    def _channels(self, application: str, place: str) -> tuple[str, ...]:
        """Those that a group stands for, or the one itself, there or not."""
        group = self.catalog.groups(application).get(str(place))
        return group.members if group else (str(place),)

    def _beside(self, document: InvariantDocument, instance: Instance) -> str:
        skew = document.require.skew
        other = beside(instance, skew.service) if skew else ""
        return other if other in self.instances and other != instance.name else ""

    # --- names that lead nowhere

    def _check(self, entry: CatalogEntry[InvariantDocument], document: InvariantDocument) -> None:
        required = document.require
        applications = self.catalog.below
        places = {name for application in applications for name in self.catalog.places(application)}
        services = {name for application in applications for name in self.catalog.services(application)}
        for name in required.finalized_in:
            self._known(entry, name, places, "channel or group", "finalizedIn")
        channels = {name for application in applications for name in self.catalog.channels(application)}
        self._known(entry, required.same_as, channels, "channel", "sameAs")
        self._known(entry, required.skew.service if required.skew else None, services, "service", "skew")
        self._known(entry, required.open, set(self.catalog.calendars), "calendar", "open")

    def _known(self, entry: CatalogEntry[InvariantDocument], name: str | None, known: set[str], what: str, field: str) -> None:
        if name is None or name in known or not self.catalog.complete:
            return
        message = f'`{field}` names "{name}", which is not a known {what}.'
        self.problems.add("unknown-reference", place_of(name), entry.label, message, suggest(name, known))


def watched(invariants: Mapping[str, Invariant]) -> set[str]:
    """Instances that publish their moves."""
    members = [member for invariant in invariants.values() for member in invariant.members]
    return {one for member in members for one in (member.instance, member.same_as, member.beside) if one}
