"""The requirements of an attempt, read from an instance's state without calling the core: its releases, and what they need.

Written from section 10 of the law and not from the modules that decide: a rule that called what it judges would agree with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from setpoint.core.calendars import opening
from setpoint.core.facts import SetStage
from setpoint.core.instance.state import Attempt, Kind, Life, offer_of, own_offer
from setpoint.model.grammars import versions
from setpoint.model.grammars.lookup import LookupMissing, resolve
from setpoint.model.grammars.selector import Selector
from setpoint.model.names import application_of, format_task, instance_entity, parse_set
from setpoint.model.policy import CheckUse, Phase, Policy, TaskUse
from setpoint.model.release import Offer, Pair
from setpoint.model.spec import digest
from setpoint.model.tasks import TaskDefinition, TaskStage
from setpoint.model.time import Instant

_SOURCE = "source "
_STUCK = frozenset({TaskStage.FAILED, TaskStage.UNKNOWN})


class AttemptRelease(NamedTuple):
    """One of the two releases that an attempt stands for: the version release, or the configuration release."""

    release: int
    author: str
    configures: bool


# --- §10.1: the releases of an attempt -----------------------------------------------------------------------------------


def keeps_version(life: Life, offer: Offer) -> bool:
    """Whether the version is the one that is *good* here."""
    good = offer_of(life, life.good)
    return bool(good and good.version.same(offer.version))


def only_configures(life: Life, offer: Offer) -> bool:
    """Whether a configuration release is all that the attempt brings."""
    return bool(offer.configuration and offer.configuration.release and keeps_version(life, offer))


def attempt_releases(life: Life, offer: Offer) -> list[AttemptRelease]:
    """The version release unless the version stays, then the configuration release unless there is none."""
    found = [] if only_configures(life, offer) else [AttemptRelease(offer.release, offer.author, configures=False)]
    configuration = offer.configuration
    if configuration and configuration.release:
        found.append(AttemptRelease(configuration.release, configuration.author, configures=True))
    return found


def set_of(life: Life, offer: Offer) -> str:
    """The set that the attempt moves with: that of the configuration release where that is all it brings. Empty: none."""
    return offer.configuration.set if offer.configuration and only_configures(life, offer) else offer.set


def offer_of_set(life: Life, entity: str) -> Offer | None:
    """What a member brings with a set: ``set:saas/production#7`` is release 7, ``#7.12`` that in configuration 12; the set of a
    configuration release brings the version that is under way in it, else the good one.
    """
    _, release, configured = parse_set(entity)
    if configured:
        return offer_of(life, Pair(release, configured))
    brought = [one.configuration.configured for one in life.configurations if one.configuration.release == release]
    if not brought:
        return own_offer(life, release)
    for attempt in (life.candidate, life.rollout.attempt if life.rollout else None):
        offer = offer_of(life, attempt.pair) if attempt and attempt.configured == brought[0] else None
        if offer and set_of(life, offer) == entity:
            return offer
    return offer_of(life, Pair(life.good.release, brought[0]))


# --- §10.15: what ``when`` sees -------------------------------------------------------------------------------------------


def matches(when: Selector | None, policy: Policy, life: Life, offer: Offer, part: AttemptRelease) -> bool:
    """Whether a gate with this ``when`` concerns a release of the attempt."""
    if when is None:
        return True
    labels = dict(policy.labels)
    labels.update(_of_configuration(life, offer) if part.configures else _of_version(life, offer))
    return when.matches(labels)


def applies(when: Selector | None, policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether it concerns one of them."""
    return any(matches(when, policy, life, offer, part) for part in attempt_releases(life, offer))


def _of_configuration(life: Life, offer: Offer) -> dict[str, str]:
    labels = {"change": "config", "step": "none"}
    if keeps_version(life, offer):
        labels["by"] = "configuration"
    return labels


def _of_version(life: Life, offer: Offer) -> dict[str, str]:
    good = offer_of(life, life.good)
    labels = {f"release.{name}": value for name, value in offer.labels.items()}
    labels["by"] = "configuration" if offer.automatic else "source" if offer.author.startswith(_SOURCE) else "person"
    if offer.urgent:
        labels["urgent"] = "true"
    if good is None:
        return labels | {"first": "true", "change": "version", "step": "unknown"}
    labels["change"] = "config" if good.version.name == offer.version.name else "version"
    labels["step"] = versions.step(good.version.name, offer.version.name)
    return labels


def skipped(life: Life, release: int, gate: str) -> bool:
    """Whether a person skipped this gate of a release, or all of them."""
    return any(skip.release == release and skip.gate in {gate, "*"} for skip in life.skips)


def needed(when: Selector | None, gate: str, policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether a release of the attempt needs this gate, and it is not skipped for that."""
    return any(
        matches(when, policy, life, offer, part) and not skipped(life, part.release, gate)
        for part in attempt_releases(life, offer)
    )


# --- tasks --------------------------------------------------------------------------------------------------------------


def run_of(use: TaskUse, policy: Policy, life: Life, offer: Offer, attempt: Attempt) -> str:
    """The run of a task that counts for the attempt, such as ``task:saas/migrate#instance:saas/web@production#7``."""
    try:
        key = str(resolve(use.key, _values(life, offer, attempt)))
    except LookupMissing:
        key = ""
    of = attempt_releases(life, offer)
    release = next((part.release for part in of if matches(use.when, policy, life, offer, part)), of[0].release)
    application = application_of(policy.instance)
    return format_task(application, use.name, key or instance_entity(policy.instance), release)


def task_fingerprint(task: TaskDefinition, life: Life, offer: Offer, attempt: Attempt) -> str:
    """Digest of the program and the arguments that would run; empty: they cannot be resolved."""
    try:
        return digest([task.use, resolve(task.options, _values(life, offer, attempt))])
    except LookupMissing:
        return ""


def _values(life: Life, offer: Offer, attempt: Attempt) -> dict[str, Any]:
    good, current, source = offer_of(life, life.good), life.current.versions if life.current else (), offer.source
    return {
        "version": offer.version.name,
        "params": offer.parameters,
        "source": {"commit": source.commit, "repository": source.repository, "author": source.author},
        "release": {"id": str(offer.release), "author": offer.author, "reason": offer.reason, "labels": offer.labels},
        "attempt": {"id": str(attempt.number)},
        "good": good.version.name if good else "",
        "current": current[0] if len(current) == 1 else "",
    }


def stuck(life: Life, run: str) -> bool:
    """Whether a run waits for a person."""
    return run in life.tasks and life.tasks[run].state in _STUCK


def under_way(life: Life, attempt: Attempt) -> list[str]:
    """The runs that the attempt started or joined and that have not ended as far as the instance knows."""
    return [
        run
        for run, claim in attempt.tasks.items()
        if (status := life.tasks.get(run)) is None or status.number <= claim.seen or status.state is TaskStage.RUNNING
    ]


def unfinished(policy: Policy, life: Life, offer: Offer, attempt: Attempt) -> Iterator[str]:
    """Names of the tasks of the attempt's phase that have not succeeded; one skipped while it runs is waited for."""
    running = under_way(life, attempt)
    for use in policy.tasks:
        if use.phase is not attempt.phase or not applies(use.when, policy, life, offer):
            continue
        run, ran = run_of(use, policy, life, offer, attempt), life.ran.get(use.name)
        repeated = only_configures(life, offer) and ran == task_fingerprint(use.task, life, offer, attempt)
        status = life.tasks.get(run)
        open_still = status is None or status.state is not TaskStage.SUCCEEDED
        if open_still and not repeated and (run in running or needed(use.when, use.name, policy, life, offer)):
            yield use.name


# --- what ends and what stops an attempt ----------------------------------------------------------------------------------


def failed_checks(policy: Policy, life: Life, offer: Offer, attempt: Attempt) -> Iterator[CheckUse]:
    """Checks that end the attempt: with more failures than are tolerated (§10.2), or undecided for too long (§10.4)."""
    waited_for = set(unfinished(policy, life, offer, attempt))
    for use in policy.checks:
        gate = attempt.gates.get(use.name) if use.phase is attempt.phase and not use.informational else None
        if gate is None or use.after in waited_for or not needed(use.when, use.name, policy, life, offer):
            continue
        ends = use.phase is Phase.POST_DEPLOYMENT or (use.phase is Phase.DEPLOYMENT and use.on_fail == "fail")
        if (ends and gate.failures > use.tolerate) or (use.fail_after and not gate.decisive and gate.undecided >= use.fail_after):
            yield use


def stands_still(policy: Policy, life: Life, now: Instant) -> bool:
    """Whether what is rolled out forward pauses: by a stopped line or a closed calendar with ``inFlight: pause``."""
    rollout = life.rollout
    offer = offer_of(life, rollout.attempt.pair) if rollout and not rollout.back else None
    if offer is None:
        return False
    return any(status.stop and status.stop.in_flight == "pause" for status in life.scopes.values()) or any(
        not opening(use.calendar, use.timezone, life.wall.at(now)).open
        for use in policy.calendars
        if use.calendar.in_flight == "pause" and needed(use.when, use.name, policy, life, offer)
    )


def waits_to_start(policy: Policy, life: Life, offer: Offer, candidate: Attempt) -> bool:
    """Whether a candidate waits for its set, for admission or for a task: what comes after every other gate."""
    status = life.sets.get(entity := set_of(life, offer))
    moves_with_set = entity and candidate.kind is Kind.FORWARD and not (status and status.stage is SetStage.ENDED)
    if moves_with_set or any(unfinished(policy, life, offer, candidate)):
        return True
    if candidate.admission and candidate.admission.granted:
        return False
    budgets = (use for use in policy.calendars if any(window.max for window in use.calendar.open or ()))
    gates = [(use.when, use.name) for use in policy.limits] + [(use.when, use.name) for use in budgets]
    waves = policy.wave is not None and candidate.kind is Kind.FORWARD
    return waves or any(needed(when, name, policy, life, offer) for when, name in gates)
