"""Other services of the same channel that must have finalized the version that the release requires."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.facts import InstanceStatus
from setpoint.core.instance.gates.context import Context, Half, needed_by
from setpoint.model.grammars import versions
from setpoint.model.names import service_of
from setpoint.model.policy import Phase, ServiceOrdering
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer, RequiredVersion
from setpoint.model.spec import Version


def evaluate(context: Context) -> Iterator[Reason]:
    """Services of ``after`` that are not ready here, and are not skipped."""
    policy, life, offer, attempt, _ = context
    for ordering in policy.services:
        if ordering.name in attempt.added:
            continue  # §10.14
        for half in needed_by(ordering.when, ordering.name, policy, life, offer):
            other = life.upstream.get(ordering.instance)
            if half.configures:
                text = _unconfigured(ordering, other, offer, half)
            else:
                text = _missing(ordering, other, offer.beside.get(ordering.instance))
            if text:
                yield _wait(ordering, text)


def _unconfigured(ordering: ServiceOrdering, other: InstanceStatus | None, offer: Offer, half: Half) -> str:
    """§10.1 Sets: a configuration waits only for services of its own release."""
    revision = offer.configuration.after.get(ordering.instance) if offer.configuration else None
    required = offer.beside.get(ordering.instance)
    fellow = required is not None and required.together
    if revision is None or fellow or (other is not None and half.release in other.abstains):
        return ""
    name = service_of(ordering.instance)
    if other is not None and any(done.version.revision == revision for done in other.finalized):
        return ""
    if other is not None and half.release in other.declined:
        return f"{name} does not take its configuration here: {other.declined[half.release]}"
    return f"{name} has not finalized the configuration of release {half.release} here yet"


def _missing(ordering: ServiceOrdering, other: InstanceStatus | None, required: RequiredVersion | None) -> str:
    """Why the other service is not there yet; empty: it is."""
    name = service_of(ordering.instance)
    if required and required.together:
        return _outside(ordering, name, required.version)
    if required and not _has_passed(other, required):
        return _story(name, other, required)
    if other is None or not other.version:
        return f"nothing of {name} is finalized here yet"
    return _outside(ordering, name, other.version)


def _outside(ordering: ServiceOrdering, name: str, version: Version) -> str:
    if versions.parse_range(ordering.range).contains(version.name):
        return ""
    return f"{name} must run {ordering.range} here, and {version.name} is not in it"


def _has_passed(other: InstanceStatus | None, required: RequiredVersion) -> bool:
    """Whether it has finalized the required version and was not rolled back from it by hand, or went on to something newer."""
    if other is None:
        return False
    done = any(finalization.version.same(required.version) for finalization in other.finalized)
    return done or other.good.release > required.release


def _story(name: str, other: InstanceStatus | None, required: RequiredVersion) -> str:
    version = required.version.name
    if other is not None:
        failed = any(one.concerns(required.release) for one in other.rolled_back)
        if failed or any(one.covers(required.version) for one in other.revoked):
            return f"{name} rolled {version} back here"
        if required.release in other.declined:
            return f"{name} does not take {version} here: {other.declined[required.release]}"
    return f"{name} has not finalized {version} here yet"


def _wait(ordering: ServiceOrdering, text: str) -> Reason:
    return Reason(
        Code.DEPENDENCY_NOT_READY,
        text,
        phase=Phase.PRE_APPROVAL,
        gate=ordering.name,
        subject=ordering.instance,
        awaits=f"a finalized version of {service_of(ordering.instance)}",
        unblock=f"skip {ordering.name}",
    )
