"""What gates are evaluated against, and what they may know of an attempt: its labels for ``when``, its values for lookups."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec.structs import replace

from setpoint.core.instance.state import Attempt, Kind, Life
from setpoint.model.checks import CheckDefinition
from setpoint.model.grammars import versions
from setpoint.model.grammars.images import ABOUT_IMAGES, Unresolved, pin, pinned
from setpoint.model.grammars.lookup import LookupMissing, resolve
from setpoint.model.grammars.selector import Selector
from setpoint.model.names import is_kind
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.spec import digest
from setpoint.model.tasks import TaskDefinition
from setpoint.model.time import Instant


class Context(NamedTuple):
    """One attempt at one offer, at one moment. Every gate is a function of this."""

    policy: Policy
    life: Life
    offer: Offer
    attempt: Attempt
    now: Instant


def before(policy: Policy, life: Life, offer: Offer, now: Instant) -> Context:
    """The context of an offer that has no attempt yet: as if one began now."""
    return Context(policy, life, offer, Attempt(0, offer.release, Kind.FORWARD, Phase.PRE_APPROVAL, now, now), now)


SOURCE = "source "
"""Before the name of a source, where it acts: it is the author of the releases that it makes."""


class Half(NamedTuple):
    """One of the two releases whose gates an attempt needs (§10.1 Gated)."""

    release: int
    author: str
    configures: bool
    """Whether it is the configuration release; else it is the version release."""


def keeps_version(life: Life, offer: Offer) -> bool:
    """Whether the attempt leaves the version as it is: §10.1 judges against *good*."""
    good = life.good_offer
    return good is not None and good.version.same(offer.version)


def only_configures(life: Life, offer: Offer) -> bool:
    """Whether a configuration release changes the configuration and nothing else."""
    configuration = offer.configuration
    return configuration is not None and configuration.release > 0 and keeps_version(life, offer)


def halves(life: Life, offer: Offer) -> tuple[Half, ...]:
    """The releases that the attempt needs the gates of: the one that brings a version, if that changes here, and the one that
    brings a configuration, if it is not the version release's own.
    """
    configuration = offer.configuration
    version = Half(offer.release, offer.author, configures=False)
    if configuration is None or not configuration.release:
        return (version,)
    half = Half(configuration.release, configuration.author, configures=True)
    return (half,) if only_configures(life, offer) else (version, half)


def set_of(life: Life, offer: Offer) -> str:
    """Entity of the set that an attempt at this offer moves with; empty: none.

    §10.1 Sets: members come with one version release, or each with its *good*.
    """
    configuration = offer.configuration
    return configuration.set if configuration is not None and only_configures(life, offer) else offer.set


def applies(when: Selector | None, policy: Policy, life: Life, offer: Offer) -> bool:
    """Whether a gate with this ``when`` concerns an attempt at this offer: one of its releases is enough."""
    return when is None or any(matches(when, policy, life, offer, half) for half in halves(life, offer))


def matches(when: Selector | None, policy: Policy, life: Life, offer: Offer, half: Half) -> bool:
    """Whether a gate with this ``when`` concerns one of the two releases of an attempt."""
    return when is None or when.matches({**policy.labels, **labels_of(life, offer, half)})


EVERY_GATE = "*"


def skipped(life: Life, release: int, gate: str) -> bool:
    """Whether a person skipped this gate of this release here."""
    return bool(life.skips) and any(skip.release == release and skip.gate in {gate, EVERY_GATE} for skip in life.skips)


def needed_by(when: Selector | None, gate: str, policy: Policy, life: Life, offer: Offer) -> tuple[Half, ...]:
    """The releases of an attempt that need this gate: its ``when`` matches them, and a person has not skipped it for them."""
    return tuple(
        half for half in halves(life, offer) if matches(when, policy, life, offer, half) and not skipped(life, half.release, gate)
    )


def labels(life: Life, offer: Offer) -> dict[str, str]:
    """The facts of the attempt: those of the release that brings a version, else of the one that brings a configuration."""
    return labels_of(life, offer, halves(life, offer)[0])


def labels_of(life: Life, offer: Offer, half: Half) -> dict[str, str]:
    """The facts of one release as ``when`` sees them (§10.15): ``urgent``, ``first`` (nothing is good here yet), ``change``,
    ``step`` (both against *good*), ``by``, ``release.<label>``. ``by=configuration`` holds only where the version stays.
    """
    if half.configures:
        return {"change": "config", "step": "none"} | ({"by": "configuration"} if keeps_version(life, offer) else {})
    good = life.good_offer
    found = {f"release.{key}": value for key, value in offer.labels.items()}
    if offer.urgent:
        found["urgent"] = "true"
    if good is None:
        found["first"] = "true"
    found["by"] = by(offer)
    found["change"] = "config" if good and good.version.name == offer.version.name else "version"
    found["step"] = versions.step(good.version.name, offer.version.name) if good else "unknown"
    return found


def by(offer: Offer) -> str:
    """Who brought a release about: ``person``, ``source`` or ``configuration``."""
    if offer.automatic:
        return "configuration"
    return "source" if offer.author.startswith(SOURCE) else "person"


def values(life: Life, offer: Offer, attempt: Attempt) -> dict[str, Any]:
    """What lookups of an attempt find."""
    good = life.good_offer
    current = life.current.versions if life.current else ()
    source = offer.source
    return {
        "version": offer.version.name,
        "params": offer.parameters,
        "source": {"commit": source.commit, "repository": source.repository, "author": source.author},
        "release": {"id": str(offer.release), "author": offer.author, "reason": offer.reason, "labels": offer.labels},
        "attempt": {"id": str(attempt.number)},
        "good": good.version.name if good else "",
        "current": current[0] if len(current) == 1 else "",
    }


def task_fingerprint(task: TaskDefinition, life: Life, offer: Offer, attempt: Attempt) -> str:
    """Digest of a task's program and arguments as this attempt would run it; empty: they cannot be resolved."""
    try:
        return digest([task.use, resolve(task.options, values(life, offer, attempt))])
    except LookupMissing:
        return ""


def task_definition(task: TaskDefinition, policy: Policy, life: Life, offer: Offer, attempt: Attempt) -> TaskDefinition:
    """A task ready to run: every run belongs to a release, so its lookups are resolved whatever the subject."""
    known = values(life, offer, attempt)
    own = is_kind(task.subject, "attempt", "instance")
    about = {"release": known["release"], "phase": str(attempt.phase)}
    about |= {"instance": policy.instance, **known} if own else {}
    env = {"SETPOINT_PHASE": str(attempt.phase), "SETPOINT_RELEASE": str(offer.release)}
    env |= {"SETPOINT_VERSION": offer.version.name} if own else {}
    try:
        return replace(
            task,
            options=_pinned(task.use, resolve(task.options, known), offer),
            env={**pin(resolve(task.env, known), offer.images), **env},
            facts={**task.facts, **about},
        )
    except Unresolved as error:
        return replace(task, use="always", options={"result": "misconfigured", "reason": str(error)}, facts=about)
    except LookupMissing as missing:
        reason = f"the task looks up ${{{missing.path}}}, which release {offer.release} does not have"
        return replace(task, use="always", options={"result": "misconfigured", "reason": reason}, facts=about)


def still_ahead(reason: Reason, life: Life, now: Instant) -> Reason:
    """A reason of admission, as of now: a time that is over is not waited for, but the reply that follows it.

    A budget's window ends by the wall clock.
    """
    until = life.wall.until(reason.until) if reason.code is Code.BUDGET_USED else reason.until
    until = until if until is not None and until > now else None
    return replace(reason, until=until, awaits=reason.awaits or ("" if until else "admission's reply"))


def definition(check: CheckDefinition, policy: Policy, life: Life, offer: Offer, attempt: Attempt) -> CheckDefinition:
    """A check ready to run: the attempt's own lookups resolved. One that cannot be resolved becomes a check that reports it."""
    if not is_kind(check.subject, "attempt"):
        return check
    known = values(life, offer, attempt)
    about = {"instance": policy.instance, "phase": str(attempt.phase), **known}
    try:
        return replace(
            check,
            options=_pinned(check.use, resolve(check.options, known), offer),
            env={
                **pin(resolve(check.env, known), offer.images),
                "SETPOINT_VERSION": offer.version.name,
                "SETPOINT_PHASE": str(attempt.phase),
                "SETPOINT_RELEASE": str(offer.release),
            },
            facts={**check.facts, **about},
        )
    except Unresolved as error:
        return replace(check, use="always", options={"result": "misconfigured", "reason": str(error)}, facts=about)
    except LookupMissing as missing:
        reason = f"the check looks up ${{{missing.path}}}, which release {offer.release} does not have"
        return replace(check, use="always", options={"result": "misconfigured", "reason": reason}, facts=about)


def _pinned(use: str, options: dict[str, Any], offer: Offer) -> dict[str, Any]:
    """Options in which images stand by their digests (§10.7): what is verified is what runs.

    Raises:
        Unresolved: a check about an image whose tag was not resolved when the version was released.
    """
    found: dict[str, Any] = pin(options, offer.images)
    if use in ABOUT_IMAGES and isinstance(found.get("image"), str):
        found["image"] = pinned(found["image"], offer.images, offer.version.name)
    return found
