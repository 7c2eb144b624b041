"""Tasks: started when all else holds, never twice in parallel, never again after a success; and what cannot be undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.calendars import opening
from setpoint.core.facts import Fact, Reconfigured, Removed, RolledBack, TaskFinished, TaskRetried, TaskStatus, TaskWanted
from setpoint.core.instance.state import Attempt, Life, offer_of
from setpoint.core.instructions import Publish, RunTask, Send
from setpoint.core.task import TaskState
from setpoint.model.names import parse_task
from setpoint.model.policy import Phase, Policy, TaskUse
from setpoint.model.release import Offer, Pair
from setpoint.model.tasks import TaskEnd, TaskStage
from setpoint.model.time import Instant
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.requirements import run_of, set_of, task_fingerprint
from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.rules.checks.evidence import passed, uses
from setpoint.simulate.rules.registry import Complaint, actor_rule, rule


class Undone(FamilyLedger):
    """The newest version release, and the newest configuration, of which something was started that cannot be undone."""

    def __init__(self) -> None:
        self.version = 0
        self.configured = 0
        self._configurations: dict[int, int] = {}
        self._by_hand = False
        self._rollback_ids: set[str] = set()

    def take(self, fact: Fact) -> None:
        """Informed of one that another instance started, or ordered to go back: by the same fact only once."""
        if isinstance(fact, Reconfigured):
            self._configurations[fact.configuration.release] = fact.configuration.configured
        if isinstance(fact, TaskStatus) and fact.irreversible:
            self._raise(parse_task(fact.task).release)
        if isinstance(fact, RolledBack):
            self._by_hand |= fact.id not in self._rollback_ids
            self._rollback_ids.add(fact.id)

    def _raise(self, release: int) -> None:
        if release in self._configurations:
            self.configured = max(self.configured, self._configurations[release])
        else:
            self.version = max(self.version, release)

    def bars(self, pair: Pair) -> bool:
        """Whether going back to this would pass what cannot be undone."""
        return pair.release < self.version or pair.configured < self.configured

    def write_down(self, step: Step) -> None:
        """It began; or a person brought something older here."""
        for entity, wanted in _wanted(step):
            if wanted.definition.irreversible:
                self._raise(parse_task(entity).release)
        rollout = step.after.life.rollout
        if self._by_hand and rollout and rollout.back and self.bars(rollout.to):
            self.version = self.configured = 0
        self._by_hand = False
        if any(self.bars(step.ledger.pair(event)) for event in step.events("finalized")):
            self.version = self.configured = 0


FAMILY_LEDGERS.append(Undone)


class Runs(FamilyLedger):
    """What an instance received about the runs that it requested."""

    def __init__(self) -> None:
        self._last: dict[str, TaskStatus] = {}
        self._requested: set[str] = set()
        """Requested, without a status yet."""

    def take(self, fact: Fact) -> None:
        """The highest number counts."""
        if isinstance(fact, TaskStatus) and (fact.task not in self._last or self._last[fact.task].number < fact.number):
            self._last[fact.task] = fact
            self._requested.discard(fact.task)

    def write_down(self, step: Step) -> None:
        """It requests a run."""
        self._requested.update(entity for entity, _ in _wanted(step))

    def ended_before(self, entity: str, number: int) -> bool:
        """Whether its last status before this one was that nothing ran, and it has requested nothing since."""
        last = self._last.get(entity)
        quiet = last is not None and last.state is not TaskStage.RUNNING and last.number < number
        return quiet and entity not in self._requested


FAMILY_LEDGERS.append(Runs)


@dataclass
class Announced:
    """Of one world: the status by which the newest try of each run was announced."""

    numbers: dict[str, int] = field(default_factory=dict)


def _wanted(step: Step) -> Iterator[tuple[str, TaskWanted]]:
    for given in step.turn.decision.instructions:
        if isinstance(given, Send) and isinstance(given.fact, TaskWanted):
            yield given.to, given.fact


# --- runs ------------------------------------------------------------------------------------------------------------------


@actor_rule("one-at-a-time", "task")
def alone(moment: Moment) -> Iterator[Complaint]:
    """Of one run no two tries are under way."""
    entity = moment.turn.entity
    open_tries = [operation for operation, (of, _) in moment.world.effects.operations.items() if of == entity]
    if open_tries:
        moment.saw("one-at-a-time")
    if len(open_tries) > 1:
        yield f"{len(open_tries)} tries under way: {open_tries}"


@actor_rule("explained", "task")
def announced(moment: Moment) -> Iterator[Complaint]:
    """A try that starts is announced in the same turn."""
    given = moment.turn.decision.instructions
    if any(isinstance(one, RunTask) for one in given):
        moment.saw("explained")
        statuses = [one.fact for one in given if isinstance(one, Publish) and isinstance(one.fact, TaskStatus)]
        if not statuses or statuses[-1].state is not TaskStage.RUNNING:
            yield "a try starts without being announced"
        else:
            moment.memory.shared(Announced).numbers[moment.turn.entity] = statuses[-1].number


@actor_rule("once", "task")
def never_again(moment: Moment) -> Iterator[Complaint]:
    """A success is for good, and only a success that was seen, or a person's word, is one."""
    entity, before, after = moment.turn.entity, moment.turn.before, moment.turn.decision.state
    assert isinstance(after, TaskState)  # noqa: S101 - for the type checker: this is a run
    tasks = moment.world.tasks
    started = any(isinstance(given, RunTask) for given in moment.turn.decision.instructions)
    reported = any(isinstance(fact, TaskRetried) and fact.succeeded for fact in moment.turn.facts)
    ended = any(isinstance(fact, TaskFinished) and fact.result.end is TaskEnd.SUCCEEDED for fact in moment.turn.facts)
    was = isinstance(before, TaskState) and before.stage is TaskStage.SUCCEEDED
    if was or tasks.succeeded(entity):
        moment.saw("once")
        if started:
            yield "it is tried again although it has succeeded"
        if was and after.stage is not TaskStage.SUCCEEDED:
            yield f"it had succeeded, and is {after.stage} now"
    elif after.stage is TaskStage.SUCCEEDED and not (reported or ended):
        yield "it counts as a success without an observed one"
    if after.stage is TaskStage.SUCCEEDED and reported and not was:
        tasks.reported.add(entity)


# --- instances -------------------------------------------------------------------------------------------------------------


@rule("gated")
def started(step: Step) -> Iterator[Complaint]:
    """A task before deployment starts only when everything else in its phase holds, and nothing is rolled out or back."""
    life, policy = step.after.life, step.after.policy
    for entity, _ in _wanted(step):
        if policy is None:
            continue
        if step.ledger.paused:
            yield f"{entity} starts although everything is paused, or only observed"
        candidate, before = life.candidate, step.before.life.candidate
        in_rollout = life.rollout.attempt if life.rollout else None
        if candidate is None or entity not in candidate.tasks or (in_rollout and entity in in_rollout.tasks):
            continue
        offer = offer_of(life, candidate.pair)
        if step.ledger.held:
            yield f"{entity} starts although a person holds it"
        committed = before is not None and before.number == candidate.number and before.committed
        if step.ledger.stopped and not committed:
            yield f"{entity} starts although the line is stopped"
        if candidate.phase is Phase.PRE_DEPLOYMENT and offer:
            step.saw("gated")
            yield from _all_else(step, policy, offer, candidate, committed=committed)


def _all_else(step: Step, policy: Policy, offer: Offer, candidate: Attempt, *, committed: bool) -> Iterator[Complaint]:
    rollout = step.after.life.rollout
    if rollout and not rollout.stuck:
        yield f"a task starts while release {rollout.attempt.release} is under way"
    since = max(step.ledger.since(candidate), last_success(step, policy, offer, candidate))
    for use in uses(step, policy, offer, Phase.PRE_DEPLOYMENT):
        if not use.after:
            yield from passed(step, use, candidate, since)
    for calendar in policy.calendars:
        if (
            step.concerns(calendar.when, calendar.name, policy, offer)
            and not committed
            and not opening(calendar.calendar, calendar.timezone, step.wall).open
        ):
            yield f"a task starts although the calendar {calendar.name} is closed"


def last_success(step: Step, policy: Policy, offer: Offer, attempt: Attempt) -> Instant:
    """When the last task before deployment succeeded that this attempt came to."""
    runs = (run_of(use, policy, step.after.life, offer, attempt) for use in policy.tasks if use.phase is Phase.PRE_DEPLOYMENT)
    return max((step.world.tasks.success(run) for run in runs if run in attempt.tasks), default=0)


@rule("gated")
def through(step: Step) -> Iterator[Complaint]:
    """Target moves, and a rollout is finalized, only when the tasks of the phase have succeeded, and none is under way."""
    if step.forward:
        attempt, offer, policy = step.forward
        yield from _missing(step, policy, offer, attempt, Phase.PRE_DEPLOYMENT)
        old = step.before.life.candidate
        running = [
            entity for entity in (*step.before.life.abandoned_tasks, *(old.tasks if old else ())) if _running(step, entity)
        ]
        if running:
            yield f"target moves while {running} run"
    rollout = step.before.life.rollout
    if rollout and not rollout.back and step.after.policy and step.after.life.rollout is None:
        offer_of_it = offer_of(step.before.life, rollout.attempt.pair)
        done = any(step.ledger.pair(event) == rollout.attempt.pair for event in step.events("finalized"))
        if done and offer_of_it:
            yield from _missing(step, step.after.policy, offer_of_it, rollout.attempt, Phase.POST_DEPLOYMENT)


def _running(step: Step, entity: str) -> bool:
    """Whether a program of this run runs; an instance that knows only of the end of the try before cannot know."""
    number = step.memory.shared(Announced).numbers.get(entity, 0)
    return step.world.tasks.runs(entity) and not step.ledger.of(Runs).ended_before(entity, number)


def _ran(step: Step, use: TaskUse, offer: Offer, attempt: Attempt, life: Life) -> bool:
    """§10.1: it succeeded for the version that is kept, with the same program and arguments."""
    fingerprint = task_fingerprint(use.task, life, offer, attempt)
    kept = step.only_configures(offer) if life is step.judged else step.ledger.only_configures(offer)
    return kept and life.ran.get(use.name) == fingerprint


def _missing(step: Step, policy: Policy, offer: Offer, attempt: Attempt, phase: Phase) -> Iterator[Complaint]:
    """Of the phase that is left; one left behind stays so, whatever the configuration is since."""
    life = step.judged if phase is Phase.PRE_DEPLOYMENT else step.before.life
    for use in policy.tasks:
        if use.phase is not phase or _ran(step, use, offer, attempt, life):
            continue
        if step.concerns(use.when, use.name, policy, offer, life):
            step.saw("gated")
            entity = run_of(use, policy, life, offer, attempt)
            if not step.world.tasks.succeeded(entity):
                yield f"{use.name} has not succeeded"


@rule("gated")
def committed(step: Step) -> Iterator[Complaint]:
    """Once its task has started, only an urgent release or a person's act ends an attempt; and nothing does while it runs."""
    old, life = step.before.life.candidate, step.after.life
    if old is None or not old.tasks or _lives(old, life) or step.by_hand() or step.after.removed:
        return
    if any(isinstance(fact, Removed) for fact in step.turn.facts):
        return
    offer = offer_of(step.before.life, old.pair)
    if offer is not None and set_of(step.before.life, offer):
        return  # it goes back with the others, and what runs is waited for before anything new starts
    running = [entity for entity in old.tasks if _running(step, entity)]
    if running:
        yield f"the attempt at release {old.release} ends while {running} run"
    acted = (
        old.release in step.ledger.cancelled
        or _bad(step, old)
        or life.pin not in {0, old.release}
        or life.good.release > old.release  # a person adopted something newer
        or any(veto.release == old.release or (offer and veto.version.same(offer.version)) for veto in life.vetoes)
        or (offer is not None and offer.configuration is not None and offer.configuration.release in step.ledger.cancelled)
        or any(offer and offer.configuration and veto.release == offer.configuration.release for veto in life.vetoes)
        or any(offer.urgent and offer.release != old.release for offer in life.offers)
    )
    finalized = any(step.ledger.pair(event) == old.pair for event in step.events("finalized"))
    if old.committed and not acted and not finalized:
        yield f"the attempt at release {old.release}, whose task has started, is given up"


def _lives(attempt: Attempt, life: Life) -> bool:
    present = (life.candidate, life.rollout.attempt if life.rollout else None)
    return any(one is not None and one.number == attempt.number for one in present)


def _bad(step: Step, attempt: Attempt) -> bool:
    offer = offer_of(step.before.life, attempt.pair)
    return offer is not None and offer.version.name in step.ledger.bad


@rule("safe-back")
def no_way_back(step: Step) -> Iterator[Complaint]:
    """Nothing is rolled back automatically past what cannot be undone."""
    undone = step.ledger.of(Undone)
    rollout = step.went_back()
    if (undone.version or undone.configured) and rollout:
        step.saw("safe-back")
        if undone.bars(rollout.to):
            barrier = (undone.version, undone.configured)
            yield f"goes back to {rollout.to} automatically, past {barrier}, of which a task cannot be undone"
