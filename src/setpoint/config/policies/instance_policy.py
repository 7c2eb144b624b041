"""The policy of one instance: the gates of Policies, runtime, application, channel and service, which add up; how it selects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from setpoint.config.catalog import Catalog
from setpoint.config.documents.gates import ApprovalEntry, CalendarEntry, CalendarFields, Gated, Phases, ProtectionEntry
from setpoint.config.documents.service import ServiceAfter
from setpoint.config.instances.conditions import NEVER, both, decide
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.builtins import CHANNEL_STABLE, ORDERINGS, SERVICE_STABLE
from setpoint.config.policies.checks import CheckCompiler
from setpoint.config.policies.dependencies import ServiceOrderings
from setpoint.config.policies.lacking import Lacking
from setpoint.config.policies.limits import LimitCompiler, Waves
from setpoint.config.policies.orderings import Neighbours, entry_orderings, orderings, unique
from setpoint.config.policies.stable import Stable
from setpoint.config.policies.tasks import TaskCompiler, waited_for
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.lookups import LookupReport, resolve_tree
from setpoint.config.syntax.values import as_text
from setpoint.config.syntax.yaml import place_of
from setpoint.model.calendars.calendar import Calendar
from setpoint.model.grammars.selector import Selector
from setpoint.model.policy import (
    Accepts,
    ApprovalUse,
    Cadence,
    CalendarUse,
    CheckUse,
    DriftPolicy,
    Ordering,
    Policy,
    StepUse,
    Strategy,
    TaskUse,
)
from setpoint.model.similar import suggest

NODES = (("runtime", "runtime"), ("application", "application"), ("channel", "channel"), ("service", "instance"))
"""Node, and the default subject of its gates: in the order of evaluation."""


@dataclass(frozen=True)
class PolicyCompiler:
    """Compiles policies of one configuration; errors go to ``problems``."""

    catalog: Catalog
    checks: CheckCompiler
    tasks: TaskCompiler
    beside: ServiceOrderings
    stable: Stable
    limits: LimitCompiler
    lacking: Lacking
    problems: Problems

    def compile(self, instance: Instance, neighbours: Neighbours, waves: AnyMapping[str, Waves]) -> Policy:
        """Everything about *when*."""
        channel, service, runtime = instance.channel, instance.service, instance.runtime
        for entry in channel.after:
            self.lacking.note(instance, entry, neighbours)
        tasks = tuple(self._tasks(instance))
        mirror = neighbours.instance(instance, str(channel.mirror)) if channel.mirror else ""
        return Policy(
            instance=instance.name,
            labels=instance.labels,
            strategy=Strategy.MIRROR if mirror else Strategy(str(channel.strategy or Strategy.NEWEST_READY)),
            mirror=mirror,
            accepts=_accepts(instance),
            orderings=unique([*orderings(instance, neighbours), *self._stable_channels(instance, neighbours)]),
            checks=tuple(self._checks(instance, tasks)),
            approvals=tuple(self._approvals(instance)),
            calendars=tuple(self._calendars(instance)),
            cadence=_cadence(instance),
            services=self.beside.of(instance, neighbours.instances, self._stable_services(instance)),
            tasks=tasks,
            steps=self._steps(instance),
            limits=self.limits.of(instance),
            wave=waves[instance.group_name].of(instance) if instance.group_name in waves else None,
            timezone=instance.timezone,
            progress_deadline=service.progress_deadline,
            auto_rollback=service.rollback.auto,
            drift=DriftPolicy(str(service.drift.mode), service.drift.breaker),
            poll_moving=runtime.poll.moving,
            poll_settled=runtime.poll.settled,
            grace=runtime.grace,
        )

    def _gates(self, instance: Instance, kind: str) -> Iterator[tuple[Any, str, str, Selector | None]]:
        """Every entry that can apply here, with its subject's level, the node it stands on, and what is left of its ``when``."""
        for bearer, node, level in self._bearers(instance):
            for entry in getattr(bearer, kind):
                when = decide(entry.when, instance.labels)
                if when is not NEVER:
                    yield entry, str(entry.per or level), node, when

    def _bearers(self, instance: Instance) -> Iterator[tuple[Gated, str, str]]:
        """Every document with gates of this instance, its relation to it, and the default subject of its gates."""
        for policy in self.catalog.policies_of(instance.labels):
            yield policy, "policy", "instance"
        for node, level in NODES:
            yield getattr(instance, node), node, level

    def _checks(self, instance: Instance, tasks: tuple[TaskUse, ...]) -> list[CheckUse]:
        found: list[CheckUse] = []
        for entry, level, node, when in self._gates(instance, "protections"):
            if self.checks.builtin(entry) in ORDERINGS:
                continue
            name = str(entry.name or entry.use)
            self._check_after(instance, entry)
            for use in self.checks.uses(instance, entry, name, level, when):
                after = waited_for(entry, use.phase, node, tasks)
                _append(found, replace(use, after=after) if after else use, node)
        return found

    def _check_after(self, instance: Instance, entry: ProtectionEntry) -> None:
        """``after`` names a task that gates the same instances, in a phase of the check."""
        if entry.after is None:
            return
        entries = [task for bearer, _, _ in self._bearers(instance) for task in bearer.tasks]
        named = [task for task in entries if entry.after in {task.name, task.use if task.name is None else None}]
        known = [str(task.name or task.use) for task in entries]
        place = place_of(entry.after)
        if not named and instance.sound:
            message = f'`after` names "{entry.after}", which is not a known task here.'
            self._add("unknown-reference", place, message, suggest(entry.after, known, otherwise="Add it to `tasks`."))
        elif named and not {str(task.at) for task in named} & {str(phase) for phase in self.checks.phases(entry)}:
            message = f'the task "{entry.after}" runs in the phase {named[0].at}, in which "{entry.use}" does not run.'
            self._add("after-other-phase", place, message, f"Ask it there: `at: {named[0].at}`; or leave `after` out.")

    def _tasks(self, instance: Instance) -> list[TaskUse]:
        found: list[TaskUse] = []
        for entry, level, node, when in self._gates(instance, "tasks"):
            use = self.tasks.use(instance, entry, level, when)
            if use is not None:
                _append(found, use, node)
        return found

    def _stable_channels(self, instance: Instance, neighbours: Neighbours) -> list[Ordering]:
        known = [*neighbours.channels, *neighbours.groups]
        found: list[Ordering] = []
        for entry, _, _, when in self._gates(instance, "protections"):
            if self.checks.builtin(entry) == CHANNEL_STABLE and (after := self.stable.after_channels(entry, known)):
                self.lacking.note(instance, after, neighbours, place_of(entry.use))
                found += entry_orderings(instance, after, neighbours, when)
        return found

    def _stable_services(self, instance: Instance) -> Iterator[tuple[ServiceAfter, Selector | None]]:
        """Those of different nodes add up: another of the same name gets a number."""
        known = self.catalog.services(str(instance.application.name))
        named: Counter[str] = Counter()
        for entry, _, _, when in self._gates(instance, "protections"):
            if self.checks.builtin(entry) == SERVICE_STABLE and (after := self.stable.after_services(entry, known)):
                name = str(after.name)
                named[name] += 1
                yield after if named[name] == 1 else after.model_copy(update={"name": f"{name}-{named[name]}"}), when

    def _add(self, code: str, place: Position, message: str, hint: str) -> None:
        self.problems.add(code, place, self.catalog.where_at(place), message, hint)

    def _steps(self, instance: Instance) -> tuple[StepUse, ...]:
        """What a rollout that moves traffic step by step waits for; its gates are those of the deployment phase."""
        return tuple(
            StepUse(
                traffic=step.traffic,
                window=step.for_,
                checks=tuple(use for entry in step.protections for use in self._of_step(instance, entry)),
                approvals=tuple(
                    self._approval(instance, entry, str(entry.per or "instance"), when)
                    for entry in step.approvals
                    if (when := decide(entry.when, instance.labels)) is not NEVER
                ),
            )
            for step in instance.service.rollout.steps
        )

    def _of_step(self, instance: Instance, entry: ProtectionEntry) -> list[CheckUse]:
        if entry.at is not None:
            hint = "Leave `at` out, or use it among the service's `protections`."
            self._add("at-in-step", place_of(entry.use), "a check of a step runs during the deployment.", hint)
        when = decide(entry.when, instance.labels)
        during = entry.model_copy(update={"at": Phases.model_validate({"deployment": {}})})
        name, level = str(entry.name or entry.use), str(entry.per or "instance")
        return [] if when is NEVER else self.checks.uses(instance, during, name, level, when)

    def _approvals(self, instance: Instance) -> list[ApprovalUse]:
        found: list[ApprovalUse] = []
        for entry, level, node, when in self._gates(instance, "approvals"):
            _append(found, self._approval(instance, entry, level, when), node)
        return found

    def _approval(self, instance: Instance, entry: ApprovalEntry, level: str, when: Selector | None) -> ApprovalUse:
        return ApprovalUse(
            name=str(entry.name or entry.topic),
            topic=str(entry.topic),
            subject=instance.subject(level),
            approvers=self._approvers(instance, entry, level),
            min=entry.min,
            allow_author=entry.allow_author,
            expires=entry.expires,
            when=when,
            override=_principals(entry.override),
        )

    def _approvers(self, instance: Instance, entry: ApprovalEntry, level: str) -> tuple[str, ...] | None:
        if entry.from_ is None:
            return None
        known: dict[str, Any] = {}
        report = LookupReport(
            self.problems, self.catalog.where_at, level, sound=instance.sound, known=known, place=place_of(entry.topic)
        )
        known |= instance.values(level, report)
        found = resolve_tree(list(entry.from_), known, report)
        return tuple(as_text(principal) for principal in found if principal is not None)

    def _calendars(self, instance: Instance) -> list[CalendarUse]:
        found: list[CalendarUse] = []
        for number, (entry, level, node, when) in enumerate(self._gates(instance, "calendars")):
            use = self._calendar(instance, entry, level, when, number)
            if use is not None:
                _append(found, use, node)
        return found

    def _calendar(
        self, instance: Instance, entry: CalendarEntry, level: str, when: Selector | None, number: int
    ) -> CalendarUse | None:
        entries = self.catalog.calendars
        in_place = entry.open is not None or bool(entry.closed)
        document = entries[str(entry.name)].model if entry.name in entries and not in_place else None
        if document is None and not in_place:
            return None
        when = both(when, decide(document.when, instance.labels) if document else None)
        if when is NEVER:
            return None
        name = str(entry.name or f"calendar-{number + 1}")
        windows = document or entry
        override = entry.override if entry.override is not None else document.override if document else None
        calendar = calendar_value(name, windows, str(entry.in_flight or ""))
        zone = entry.timezone or windows.timezone or instance.zone(level)
        return CalendarUse(name, calendar, str(zone), instance.subject(level), when, _principals(override))


def _append(found: list[Any], use: Any, node: str) -> None:
    """Gates of different nodes add up: the same one is kept once, another of the same name gets its node's."""
    if use in found:
        return
    taken = {(other.name, getattr(other, "phase", None)) for other in found}
    name, number = use.name, 1
    while (use.name, getattr(use, "phase", None)) in taken:
        suffix = node + (f"-{number}" if number > 1 else "")
        use, number = (
            type(use)(**{field: getattr(use, field) for field in use.__struct_fields__} | {"name": f"{name}.{suffix}"}),
            number + 1,
        )
    found.append(use)


def _principals(override: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if override is None else tuple(str(principal) for principal in override)


def calendar_value(name: str, windows: CalendarFields, in_flight: str = "") -> Calendar:
    """The fields of a document, or of an entry in place."""
    return Calendar(
        name,
        None if windows.open is None else tuple(window.value() for window in windows.open),
        tuple(window.value() for window in windows.closed),
        in_flight or str(windows.in_flight or "finish"),
    )


def _accepts(instance: Instance) -> Accepts | None:
    accepts = instance.channel.accepts
    if accepts is None:
        return None
    when = decide(accepts.when, instance.labels)
    if when is NEVER:
        return None
    return Accepts(str(accepts.range), str(accepts.min_step), str(accepts.max_step), accepts.prereleases, when)


def _cadence(instance: Instance) -> Cadence | None:
    window = instance.channel.cadence
    if window is None:
        return None
    return Cadence(Calendar("cadence", (window.value(),)), instance.timezone, window.max or 1)
