"""Offers of the past: what an instance was once offered, also when it has forgotten it, with the very spec compiled then."""

from __future__ import annotations

from setpoint.control.context import RequestContext
from setpoint.control.reading.states import line_of
from setpoint.core.instance.state import InstanceState, offer_of, version_offer
from setpoint.model.names import parse_instance, specs_key
from setpoint.model.release import Offer, Release
from setpoint.model.spec import Version


async def offers_of(context: RequestContext, instance: str, state: InstanceState, name: str, release: int = 0) -> list[Offer]:
    """Every offer of a version by this name (or of this release), newest first."""
    owner, service, _ = parse_instance(instance)
    found: list[Offer] = []
    for known in reversed((await line_of(context, owner)).releases):
        wanted = known.services.get(service)
        if wanted is None or (name and wanted.version.name != name) or (release and known.number != release):
            continue
        offer = _kept(state, known.number) or await _stored(context, instance, known)
        if offer is not None:
            found.append(offer)
    return found or [offer for offer in reversed(state.life.offers) if offer.version.name == name or offer.release == release]


def _kept(state: InstanceState, release: int) -> Offer | None:
    """In the configuration that it was good in last, else in the newest one."""
    good = next((pair for pair in reversed(state.life.goods) if pair.release == release), None)
    return (offer_of(state.life, good) if good else None) or version_offer(state.life, release)


async def _stored(context: RequestContext, instance: str, release: Release) -> Offer | None:
    owner, service, _ = parse_instance(instance)
    specs = await context.stores.records.get("release", specs_key(owner, release.number), dict[str, str]) or {}
    digest = specs.get(instance)
    spec = await context.stores.content.spec(digest) if digest else None
    if digest is None or spec is None:
        return None
    wanted = release.services[service]
    return Offer(
        release=release.number,
        version=wanted.version,
        spec=digest,
        parameters=spec.parameters,
        source=wanted.source,
        images=wanted.images,
        author=release.author,
        reason=release.reason,
        labels=release.labels,
        urgent=release.urgent,
        automatic=release.automatic,
        at=release.at,
    )


def finalized(state: InstanceState) -> set[Version]:
    """Versions that were finalized here, and not gone back from by hand since."""
    done = {one.version for one in (*state.archive, *state.life.finalized)}
    goods = {offer.version for release in state.life.goods if (offer := offer_of(state.life, release))}
    return done | goods
