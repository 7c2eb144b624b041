"""From one entry of ``protections`` to the check that is run, and the phases it is used in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from setpoint.config.documents import ProtectionDocument
from setpoint.config.documents.gates import Deploys, Holds, Phases, ProtectionEntry, Verifies
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.builtins import BUILTINS
from setpoint.config.policies.programs import Resolver, RunnableUse
from setpoint.config.syntax.yaml import place_of
from setpoint.model.checks import CheckDefinition
from setpoint.model.exits import ExitCodes
from setpoint.model.grammars.selector import Selector
from setpoint.model.policy import CheckUse, Phase
from setpoint.model.time import SECOND, format_duration


@dataclass(frozen=True)
class CheckCompiler:
    """Compiles the checks of one configuration."""

    resolver: Resolver

    def uses(self, instance: Instance, entry: ProtectionEntry, name: str, level: str, when: Selector | None) -> list[CheckUse]:
        """One use for each phase of ``at``; none where the entry is wrong."""
        check = self._definition(instance, entry, level)
        return (
            [] if check is None else [_use(name, check, entry, phase, opts, when) for phase, opts in self.phases(entry).items()]
        )

    def phases(self, entry: ProtectionEntry) -> dict[Phase, Holds | Deploys]:
        """Where it is used: the ``at`` of the entry, else its Protection, else the built-in."""
        document = self._document(entry)
        return phase_options(entry.at or (document.at if document else None)) or default_phases(self.builtin(entry))

    def builtin(self, entry: ProtectionEntry) -> str:
        """Name of the built-in that the entry comes to, if it is one."""
        document = self._document(entry)
        return str(document.use or "") if document else str(entry.use) if entry.use in BUILTINS else ""

    def arguments(self, entry: ProtectionEntry) -> dict[str, Any]:
        """``with`` of the entry, with what stands behind it."""
        return self.resolver.arguments(self._use(entry))

    def _document(self, entry: ProtectionEntry) -> ProtectionDocument | None:
        found = self.resolver.catalog.protections.get(str(entry.use))
        return found.model if found else None

    def _use(self, entry: ProtectionEntry) -> RunnableUse:
        return RunnableUse(entry, self._document(entry), self.builtin(entry))

    def _definition(self, instance: Instance, entry: ProtectionEntry, level: str) -> CheckDefinition | None:
        use = self._use(entry)
        resolved = self.resolver.resolve(instance, use, level) if use.runs else None
        if resolved is None:
            return None
        interval, timeout, max_age = self._times(entry)
        return CheckDefinition(
            protection=str(entry.use),
            use=use.adapter,
            subject=instance.subject(resolved.level),
            options=resolved.options | self._exit_codes(entry),
            env=resolved.env,
            facts=resolved.facts,
            interval=interval,
            timeout=timeout,
            max_age=max_age,
            tree=resolved.tree,
            paths=resolved.paths,
        )

    def _exit_codes(self, entry: ProtectionEntry) -> dict[str, Any]:
        document = self._document(entry)
        codes = document.exit_codes.codes if document and document.exit_codes else ExitCodes()
        written = {} if codes.fail is None else {"fail": list(codes.fail)}
        written |= {"unavailable": list(codes.unavailable)} if codes.unavailable else {}
        return {"exitCodes": written} if written else {}

    def _times(self, entry: ProtectionEntry) -> tuple[int, int, int]:
        document, add = self._document(entry), self.resolver.add
        interval = entry.interval if entry.interval is not None else document.interval if document else 60 * SECOND
        timeout = entry.timeout if entry.timeout is not None else document.timeout if document else 30 * SECOND
        least = 2 * interval + timeout
        given = entry.max_age if entry.max_age is not None else document.max_age if document else None
        if interval == 0 or timeout == 0:
            message = f'"{entry.use}" has an interval or timeout of 0.'
            add("no-time-to-check", place_of(entry.use), message, "Write durations above 0, such as 60s and 30s.")
        elif given is not None and given < least:
            shown = format_duration(least)
            message = (
                f'"{entry.use}": `maxAge` of {format_duration(given)} is below twice the interval plus the timeout ({shown}).'
            )
            hint = f"Write {shown} or more, or leave it out: two slow checks would never be fresh together."
            add("max-age-too-small", place_of(entry.use), message, hint)
        return interval, timeout, given if given is not None else least


def phase_options(at: Phases | None) -> dict[Phase, Holds | Deploys]:
    """``at`` as phases in their order."""
    if at is None:
        return {}
    written = {
        Phase.PRE_APPROVAL: at.pre_approval,
        Phase.PRE_DEPLOYMENT: at.pre_deployment,
        Phase.DEPLOYMENT: at.deployment,
        Phase.POST_DEPLOYMENT: at.post_deployment,
    }
    return {phase: options for phase, options in written.items() if options is not None}


def default_phases(builtin: str) -> dict[Phase, Holds | Deploys]:
    """Where a check without ``at`` is used."""
    lengths = BUILTINS[builtin].phases if builtin else {Phase.PRE_DEPLOYMENT: 0}
    options: dict[Phase, Holds | Deploys] = {}
    for phase, length in lengths.items():
        kind = Verifies if phase is Phase.POST_DEPLOYMENT else Holds
        options[phase] = kind.model_validate({}).model_copy(update={"for_": length})
    return options


def _use(
    name: str, check: CheckDefinition, entry: ProtectionEntry, phase: Phase, options: Holds | Deploys, when: Selector | None
) -> CheckUse:
    verifies = options if isinstance(options, Verifies) else Verifies.model_validate({})
    return CheckUse(
        name=name,
        phase=phase,
        check=check,
        when=when,
        informational=entry.informational,
        window=options.for_ if isinstance(options, Holds) else 0,
        delay=verifies.delay,
        tolerate=verifies.tolerate,
        on_fail=str(options.on_fail) if isinstance(options, Deploys) else "fail",
        fail_after=options.fail_after or 0,
        override=None if entry.override is None else tuple(str(principal) for principal in entry.override),
    )
