"""A dry run: the decisions that a command would lead to. Nothing is stored, performed or audited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from setpoint.control.context import RequestContext, Services
from setpoint.control.registry import Answer
from setpoint.core.instance.explain import explain
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.core.instructions import Apply, RunCheck, RunTask
from setpoint.engine.port import DryRun, DryRunOutcome, Effect
from setpoint.model.spec import Spec
from setpoint.model.time import Instant
from setpoint.store.port import Content, Records


class Consequence(Answer):
    """One thing that would come of it, by decisions alone: what the outside makes of it is not guessed."""

    entity: str
    """``instance:saas/web@acme``, ``line:saas`` …"""
    kind: str
    """``decides``: a line of history; ``starts``: an apply, a check or a task; ``waits``: a reason that holds it up then."""
    text: str


class Rehearsed(Answer):
    """What a command would return, and its immediate consequences."""

    command: str
    answer: dict[str, Any]
    consequences: list[Consequence]
    complete: bool
    """False: the list of consequences was cut off."""


class _NoContent:
    """Reads content, and stores no specs and files."""

    def __init__(self, content: Content) -> None:
        self.identity, self.spec, self.file = content.identity, content.spec, content.file

    async def put(self, specs: Iterable[Spec] = (), files: Iterable[bytes] = ()) -> None:
        """Forget them."""


class _NoRecords:
    """Reads records, and writes nothing."""

    def __init__(self, records: Records) -> None:
        self.get, self.all, self.tail = records.get, records.all, records.tail

    async def put(self, kind: str, key: str, value: Any) -> None:
        """Forget it."""

    async def append(self, kind: str, at: Instant, value: Any) -> int:  # noqa: ARG002 - nothing is kept
        """Forget it."""
        return 0

    async def delete(self, kind: str, key: str) -> bool:  # noqa: ARG002 - nothing is kept
        """Leave it."""
        return False


def stage(services: Services) -> tuple[Services, DryRun]:
    """Services that work on a dry run instead of the engine, and store nothing."""
    staged_engine, stores = services.engine.rehearse(), services.stores
    staged_stores = replace(stores, content=_NoContent(stores.content), records=_NoRecords(stores.records))
    staged = replace(services, engine=staged_engine, stores=staged_stores)  # type: ignore[arg-type]  # commands only post and read
    return staged, staged_engine


def describe(command: str, answer: Answer, context: RequestContext, outcome: DryRunOutcome) -> Rehearsed:
    """Return the consequences in the order of their decisions; what the instances then wait for comes last."""
    found = [Consequence(entity=entity, kind="decides", text=event.text) for entity, event in outcome.events]
    found += [
        Consequence(entity=entity, kind="starts", text=_does(effect, outcome, entity)) for entity, effect in outcome.effects
    ]
    found += _waits(outcome, context.steady)
    return Rehearsed(
        command=command, answer=answer.model_dump(mode="json"), consequences=_once(found), complete=not outcome.cut_off
    )


def _once(found: list[Consequence]) -> list[Consequence]:
    """Return each consequence once."""
    return list({(one.entity, one.kind, one.text): one for one in found}.values())


def _does(effect: Effect, outcome: DryRunOutcome, entity: str) -> str:
    match effect:
        case Apply(down=True):
            return "what runs is taken down"
        case Apply():
            return f"{_name_of(outcome.after.get(entity), effect.spec)} is applied"
        case RunCheck(definition=definition):
            return f"{definition.protection} is checked"
        case RunTask(definition=task):
            return f"the task {task.task} runs"
        case _:
            return f"what has not started of {effect.operation} is called off"


def _name_of(state: Any, spec: str) -> str:
    offers = state.life.offers if isinstance(state, InstanceState) else ()
    return next((offer.version.name for offer in reversed(offers) if offer.spec == spec), spec)


def _waits(outcome: DryRunOutcome, now: Instant) -> Iterator[Consequence]:
    """Reasons that are new."""
    for entity, after in outcome.after.items():
        if not isinstance(after, InstanceState) or after.policy is None:
            continue
        before = outcome.before.get(entity)
        known = {reason.text for reason in explain(before, now)} if isinstance(before, InstanceState) else set()
        for reason in explain(after, now):
            if reason.text not in known:
                yield Consequence(entity=entity, kind="waits", text=_about(after, reason.text))


def _about(state: InstanceState, text: str) -> str:
    candidate = state.life.candidate
    offer = offer_of(state.life, candidate.pair) if candidate else None
    return f"{offer.version.name}: {text}" if offer and offer.version.name not in text else text
