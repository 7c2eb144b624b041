"""Leases that are taken crosswise, groups with waves, deploy budgets; limits that are lowered while they are held."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from setpoint.core.admission import ENTITY
from setpoint.core.facts import LimitsConfigured
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.names import kind_of, with_kind
from setpoint.model.policy import CalendarUse, GroupWaves, LimitUse, Policy, Strategy, Wave, WaveUse
from setpoint.model.time import MINUTE
from setpoint.simulate.acts.configuring import Reconfigure
from setpoint.simulate.acts.limiting import LetGoOn, Regroup
from setpoint.simulate.acts.overrides import SkipGate
from setpoint.simulate.generators.plan_builder import APPLICATION, PlanBuilder

GROUP = f"{APPLICATION}/all"
UNITS = ("application:app", "group:app/all", "runtime:local")
HOURLY = tuple(Window(hours=(hour * 60, (hour + 1) * 60)) for hour in range(24))


def leases(builder: PlanBuilder, draw: Random) -> None:
    """In a third of the worlds; every instance needs some of three units, and some need several."""
    if not builder.places or draw.random() > 0.35:
        return
    limits = {unit: draw.randint(1, 2) for unit in UNITS}
    for instance, policy in builder.policies.items():
        chosen = draw.sample(UNITS, draw.randint(1, 3))
        when = parse_selector("!urgent") if draw.random() < 0.1 else None
        uses = tuple(LimitUse(f"limit-{kind_of(unit)}", unit, limits[unit], when=when) for unit in chosen)
        builder.policies[instance] = replace(policy, limits=uses)
    if draw.random() < 0.5:
        _change(builder, draw)
    for _ in range(draw.randint(0, 2)):
        gate = draw.choice([*(f"limit-{kind_of(unit)}" for unit in UNITS), "wave", "deploys"])
        instance = draw.choice(builder.instances)
        builder.acts.append(SkipGate(at=builder.sometime(draw), by=builder.person(draw), instance=instance, gate=gate))


def _change(builder: PlanBuilder, draw: Random) -> None:
    """Set all limits to one, or remove them."""
    at, lower = builder.sometime(draw), draw.random() < 0.7
    for policy in builder.policies.values():
        uses = tuple(replace(use, limit=1) for use in policy.limits) if lower else ()
        builder.acts.append(Reconfigure(at=at, policy=replace(policy, limits=uses)))


def waves(builder: PlanBuilder, draw: Random) -> None:
    """In a third of the worlds all channels that mirror nothing are a group, and come after each other in waves instead."""
    members = [place for place in builder.places if builder.policies[place.instance].strategy is not Strategy.MIRROR]
    if not members or draw.random() > 0.35:
        return
    channels = tuple(dict.fromkeys(place.channel for place in members))
    groups = _group(draw, channels)
    numbers = {channel: number for number, wave in enumerate(groups.waves, 1) for channel in wave.channels}
    ordered = draw.random() < 0.3
    when = parse_selector("!urgent") if draw.random() < 0.2 else None
    for place in members:
        policy = builder.policies[place.instance]
        wave = WaveUse(GROUP, numbers.get(place.channel, 1), when=when)
        builder.policies[place.instance] = replace(policy, wave=wave, orderings=policy.orderings if ordered else ())
    builder.facts.append((ENTITY, LimitsConfigured(number=1, groups={GROUP: groups})))
    for _ in range(draw.randint(0, 3)):
        builder.acts.append(LetGoOn(at=builder.sometime(draw), by=builder.person(draw)))
    if draw.random() < 0.3:
        change = {GROUP: replace(groups, max_failures="3")} if draw.random() < 0.7 else {}
        builder.acts.append(Regroup(at=builder.sometime(draw), groups=change))


def _group(draw: Random, channels: tuple[str, ...]) -> GroupWaves:
    """A wave for each channel, one for all of them, or none but a limit of failures."""
    soak = draw.choice((0, 0, 5 * MINUTE, 40 * MINUTE))
    need = draw.choice(("100%", "100%", "50%"))
    shape = draw.random()
    waves = tuple(Wave((channel,), soak, need) for channel in channels) if shape < 0.7 else (Wave(channels, soak, need),)
    return GroupWaves(GROUP, waves if shape < 0.9 else (), draw.choice(("1", "1", "2", "50%")))


def budgets(builder: PlanBuilder, draw: Random) -> None:
    """In a fifth of the worlds only so many deployments may start in each hour."""
    if not builder.places or draw.random() > 0.2:
        return
    most = draw.randint(1, 2)
    calendar = Calendar("deploys", open=tuple(replace(window, max=most) for window in HOURLY))
    for instance, policy in builder.policies.items():
        if draw.random() < 0.8:
            use = CalendarUse("deploys", calendar, "UTC", with_kind("application", APPLICATION))
            builder.policies[instance] = _with(policy, use)


def _with(policy: Policy, use: CalendarUse) -> Policy:
    return replace(policy, calendars=(*policy.calendars, use))
