"""Checks of gates, wherever they are written: what they use is there, and no two have one name."""

from __future__ import annotations

from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import ServiceDocument
from setpoint.config.documents.gates import Gated, ProtectionEntry
from setpoint.config.documents.validate import locate, where
from setpoint.config.policies.builtins import BUILTINS, ORDERINGS, SERVICE_STABLE, argument_errors
from setpoint.config.problems import Problems
from setpoint.config.syntax.merging import NAMED_LISTS
from setpoint.config.syntax.yaml import Scalar, place_of
from setpoint.config.validation.naming import Naming
from setpoint.model.policy import Phase


def check_gates(catalog: Catalog, problems: Problems) -> None:
    """Errors go to ``problems``."""
    gates = Gates(catalog, problems)
    for entry in catalog.entries():
        if isinstance(entry.model, Gated):
            gates.check(entry, entry.model)


class Gates(Naming):
    """Those of one document, or of a service as it is in one channel."""

    def check(self, entry: CatalogEntry[Any], model: Gated) -> None:
        """Its protections, tasks, calendars and limits."""
        self._limits(entry, model)
        for kind, key in NAMED_LISTS.items():
            self._unique(entry, kind, [(str(gate.name or getattr(gate, key) or ""), gate) for gate in getattr(model, kind)], key)
        for protection in model.protections:
            self.builtin(protection.use, {**BUILTINS, **self._catalog.protections}, entry.label, "use")
            self._stable(entry, protection)
        for task in model.tasks:
            self.known(task.use, self._catalog.tasks, "task", entry.label, "tasks")
        if isinstance(model, ServiceDocument):
            for protection in (one for step in model.rollout.steps for one in step.protections):
                self.builtin(protection.use, {**BUILTINS, **self._catalog.protections}, entry.label, "use")
        for calendar in model.calendars:
            in_place = calendar.open is not None or calendar.closed
            if calendar.name and not in_place:
                self.known(calendar.name, self._catalog.calendars, "calendar", entry.label, "calendars")
            elif not in_place and not self._problems.within(entry.tree, "calendars"):
                self.add(
                    "empty-calendar",
                    locate(entry.tree, ("calendars",)),
                    entry.label,
                    "a calendar in place has neither `open` nor `closed`.",
                    "Add one of them, or name a Calendar.",
                )

    def _stable(self, entry: CatalogEntry[Any], protection: ProtectionEntry) -> None:
        if protection.use not in ORDERINGS:
            return
        at = protection.at
        if at is not None and (at.pre_approval is None or any((at.pre_deployment, at.deployment, at.post_deployment))):
            message = "an ordering holds in the phase pre-approval only."
            self.add(
                "ordering-phase", protection.use, entry.label, message, f"Leave `at` out, or write `at: {Phase.PRE_APPROVAL}`."
            )
        for key, message, hint in argument_errors(str(protection.use), protection.with_):
            place = locate(protection.with_, (key,)) if key in protection.with_ else protection.use
            self.add("bad-argument", place, entry.label, message, hint)
        self._stable_names(entry, protection)

    def _stable_names(self, entry: CatalogEntry[Any], protection: ProtectionEntry) -> None:
        application = self._catalog.application_of(entry)
        if application not in self._catalog.applications:
            return
        what, known = "channel", list(self._catalog.places(application))
        if protection.use == SERVICE_STABLE:
            what, known = "service", list(self._catalog.services(application))
        given = protection.with_.get(f"{what}s", protection.with_.get(what))
        for name in given if isinstance(given, list) else [given]:
            if isinstance(name, Scalar):
                self.known(name, known, what, entry.label, "with", of=f'application "{application}"')

    def _limits(self, entry: CatalogEntry[Any], model: Gated) -> None:
        """Waves and failures are those of a group."""
        if model.limits is None or getattr(model, "each", None):
            return
        for key, used in (("waves", bool(model.limits.waves)), ("maxFailures", model.limits.max_failures is not None)):
            if used:
                place = locate(entry.tree, ("limits", key))
                hint = "Write it on the Channel that has `each`, or leave it out."
                self.add("not-a-group", place, entry.label, f"`{key}` is for groups of channels.", hint)

    def _unique(self, entry: CatalogEntry[Any], kind: str, names: list[tuple[str, Any]], key: str) -> None:
        seen: set[str] = set()
        for number, (name, gate) in enumerate(names):
            if name and name in seen:
                place = place_of(gate.name or getattr(gate, key))
                label = where(entry.tree, (kind, number), entry.label)
                self.add(
                    "duplicate-gate",
                    place,
                    label,
                    f'two entries of `{kind}` are named "{name}".',
                    "Give one of them a `name` of its own.",
                )
            seen.add(name)
