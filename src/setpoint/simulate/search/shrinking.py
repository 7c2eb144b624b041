"""Shrinking of a failing plan: acts, faults, instances and gates are left out as long as the same invariant still breaks.

A failing run is first written down whole – which acts came when, which faults struck – so that it no longer depends on chance;
then parts of it are dropped, halves first and single ones last, until none can be spared or the time is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.structs import replace

from setpoint.model.policy import Policy
from setpoint.simulate.acts import Act
from setpoint.simulate.invariants import Broken
from setpoint.simulate.plan import Plan
from setpoint.simulate.scenario import Scenario, failure
from setpoint.simulate.world.host import START

Item = TypeVar("Item")
_GATES: tuple[tuple[str, Any], ...] = (
    ("checks", ()),
    ("approvals", ()),
    ("calendars", ()),
    ("orderings", ()),
    ("limits", ()),
    ("tasks", ()),
    ("services", ()),
    ("cadence", None),
    ("accepts", None),
    ("wave", None),
)
"""Parts of a policy that shrinking may remove -> the value without them."""


@dataclass
class Shrunk:
    """A failure, made short."""

    plan: Plan
    broken: Broken
    before: tuple[int, int]
    """Acts and faults of the whole run until it broke."""
    tries: int = 0

    @property
    def after(self) -> tuple[int, int]:
        """Acts and faults that are left."""
        return len(self.plan.acts), len(self.plan.script or ())


def written_down(scenario: Scenario) -> Plan:
    """The plan that a run turned out to be: no act waits for a moment any more, and no fault is left to chance."""
    plan, now = scenario.plan, scenario.world.now
    over = (scenario.fair_since or now + 1) - START
    return replace(
        plan,
        policies=plan.policies,
        acts=tuple(sorted((act for act in scenario.arranged if act.at <= over), key=lambda act: act.at)),
        timetable={
            name: tuple((when - START, outcome) for when, outcome in entries)
            for name, entries in scenario.checks.timetable.items()
        },
        script=tuple(sorted(fault for _, fault in scenario.world.fault_injector.struck)),
        unfair=over,
        fair=plan.fair if scenario.fair_since else 0,
        least=0,
    )


class Shrinker:
    """Makes one failure shorter, for so long."""

    def __init__(self, broken: Broken, seconds: float) -> None:
        self._name = broken.name
        self._until = time.monotonic() + seconds
        self.broken = broken
        self.tries = 0

    @property
    def over(self) -> bool:
        """Whether the time is."""
        return time.monotonic() >= self._until

    def fails(self, plan: Plan) -> bool:
        """Whether the same invariant breaks; False when the time is over."""
        if self.over:
            return False
        self.tries += 1
        _, broken = failure(plan)
        if broken is None or broken.name != self._name:
            return False
        self.broken = broken
        return True

    def shrink(self, plan: Plan) -> Plan:
        """The shortest plan that could be found in time."""
        for _ in range(4):
            before = plan
            for shorter in (self._cut, self._without_instances, self._fewer_acts, self._fewer_faults, self._fewer_gates):
                plan = shorter(plan)
            if plan == before or self.over:
                break
        return plan

    def _cut(self, plan: Plan) -> Plan:
        """Nothing after the break is part of the plan."""
        if plan.fair:
            return self._or(plan, replace(plan, unfair=max((act.at for act in plan.acts), default=0) + 1))
        until = self.broken.turn.now - START + 1
        acts = tuple(act for act in plan.acts if act.at < until)
        return self._or(plan, replace(plan, unfair=until, acts=acts)) if until < plan.unfair else plan

    def _or(self, plan: Plan, shorter: Plan) -> Plan:
        return shorter if shorter != plan and self.fails(shorter) else plan

    def _without_instances(self, plan: Plan) -> Plan:
        """Whole services, whole channels, then single instances."""
        groups = [*_sharing(plan, "service"), *_sharing(plan, "channel"), *([name] for name in plan.policies)]
        for group in groups:
            left = {name: policy for name, policy in plan.policies.items() if name not in group}
            if left and len(left) < len(plan.policies):
                acts = tuple(act for act in plan.acts if getattr(act, "instance", "") not in group)
                plan = self._or(plan, replace(plan, policies=left, acts=acts))
        return plan

    def _fewer_acts(self, plan: Plan) -> Plan:
        def fails(acts: Sequence[Act]) -> bool:
            return self.fails(replace(plan, acts=tuple(acts)))

        return replace(plan, acts=fewer(plan.acts, fails))

    def _fewer_faults(self, plan: Plan) -> Plan:
        def fails(script: Sequence[Any]) -> bool:
            return self.fails(replace(plan, script=tuple(script)))

        return replace(plan, script=fewer(plan.script or (), fails))

    def _fewer_gates(self, plan: Plan) -> Plan:
        for name in plan.policies:
            for part, none in _GATES:
                policy = plan.policies[name]
                if getattr(policy, part, none) != none:
                    plan = self._or(plan, _with(plan, replace(policy, **{part: none})))
        for check in plan.timetable:
            plan = self._or(plan, replace(plan, timetable={**plan.timetable, check: ()}))
        return self._or(plan, replace(plan, faults=replace(plan.faults, split=0.0)))


def _with(plan: Plan, policy: Policy) -> Plan:
    return replace(plan, policies={**plan.policies, policy.instance: policy})


def _sharing(plan: Plan, label: str) -> Iterator[list[str]]:
    values = dict.fromkeys(policy.labels.get(label, "") for policy in plan.policies.values())
    for value in values:
        yield [name for name, policy in plan.policies.items() if policy.labels.get(label, "") == value]


def fewer(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> tuple[Item, ...]:
    """As few of the items as still fail: none at all, else parts are left out, halves first and single ones last."""
    kept = tuple(items)
    if kept and fails(()):
        return ()
    size = len(kept) // 2
    while size:
        start, left_out = 0, False
        while start < len(kept):
            shorter = kept[:start] + kept[start + size :]
            if fails(shorter):
                kept, left_out = shorter, True
            else:
                start += size
        if not left_out or size > len(kept) // 2:
            size = min(size // 2, max(len(kept) // 2, 0))
    return kept


def shrink(plan: Plan, seconds: float = 30.0) -> Shrunk | None:
    """Run a plan, and make its failure as short as the time allows. None: it does not fail."""
    scenario, broken = failure(plan)
    if broken is None:
        return None
    shrinker = Shrinker(broken, seconds)
    whole = written_down(scenario)
    acts, faults = len(whole.acts), len(whole.script or ())
    if not shrinker.fails(whole):
        return Shrunk(plan, broken, (acts, faults), shrinker.tries)
    short = shrinker.shrink(whole)
    return Shrunk(short, shrinker.broken, (acts, faults), shrinker.tries)
