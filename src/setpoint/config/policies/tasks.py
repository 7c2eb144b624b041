"""From one entry of ``tasks`` to what is run once in an attempt, and the tasks that checks of the same phase wait for."""

from __future__ import annotations

from dataclasses import dataclass

from setpoint.config.documents.gates import ProtectionEntry, TaskEntry
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.programs import Resolver, RunnableUse
from setpoint.model.grammars.selector import Selector
from setpoint.model.policy import Phase, TaskUse
from setpoint.model.tasks import TaskDefinition

BEFORE = frozenset({Phase.PRE_APPROVAL, Phase.PRE_DEPLOYMENT})
"""Phases in which a task that fails waits for a person by default."""
OWN = frozenset({"instance", "attempt"})
"""Levels of which an instance has its own run; of others a run is shared by everything below the subject."""


@dataclass(frozen=True)
class TaskCompiler:
    """Compiles the tasks of one configuration."""

    resolver: Resolver

    def use(self, instance: Instance, entry: TaskEntry, level: str, when: Selector | None) -> TaskUse | None:
        """None where the entry is wrong, or what it names."""
        found = self.resolver.catalog.tasks.get(str(entry.use))
        document = found.model if found else None
        use = RunnableUse(entry, document, str(document.use or "") if document else "")
        resolved = self.resolver.resolve(instance, use, level) if use.runs else None
        if document is None or resolved is None:
            return None
        shared = "" if resolved.level in OWN else instance.subject(resolved.level)
        phase = Phase(str(entry.at))
        return TaskUse(
            name=str(entry.name or entry.use),
            phase=phase,
            task=TaskDefinition(
                task=str(entry.use),
                use=use.adapter,
                subject=instance.subject(resolved.level),
                options=resolved.options,
                env=resolved.env,
                facts=dict(resolved.facts),
                timeout=document.timeout,
                once=document.once,
                irreversible=document.irreversible,
                tree=resolved.tree,
                paths=resolved.paths,
            ),
            key=shared if entry.key is None else self.resolver.text(instance, entry.key, level),
            retries=entry.retries,
            on_fail=str(entry.on_fail or ("wait" if phase in BEFORE else "fail")),
            when=when,
            override=None if entry.override is None else tuple(str(principal) for principal in entry.override),
        )


def waited_for(entry: ProtectionEntry, phase: Phase, node: str, tasks: tuple[TaskUse, ...]) -> str:
    """Name of the task that a check waits for in a phase: of several so named the one of its own node, else the last."""
    named = [task.name for task in tasks if task.phase is phase and task.name.partition(".")[0] == entry.after]
    return next((name for name in named if name.endswith(f".{node}")), named[-1] if named else "")
