"""Worlds around a configuration of the user: its instances, policies, waves and invariants; what happens is generated."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from setpoint.config.compile import CompiledConfiguration, load
from setpoint.core.facts import AnyFact, InvariantConfigured
from setpoint.model.names import invariant_entity, key_of, kind_of
from setpoint.model.people import Person
from setpoint.model.policy import Policy
from setpoint.simulate.generators.plan_builder import PEOPLE, PlanBuilder
from setpoint.simulate.generators.plans import SEASONS, complete
from setpoint.simulate.plan import Plan


def draw_for(directory: str, seed: int) -> Plan:
    """The plan of a seed for the configuration in a directory. Raises ConfigurationError for one that is not in order."""
    return plan_for(_loaded(directory), seed)


def plan_for(configuration: CompiledConfiguration, seed: int) -> Plan:
    """The plan of a seed. Its world does not turn fair: windows and soaks may be longer than a run can wait for."""
    policies = {instance: configuration.policy(instance) for instance in configuration.all_instances}
    builder = PlanBuilder(seed, policies, people=_people(policies.values()), seasons=SEASONS.get(len(policies), 1))
    builder.facts += _invariants(configuration)
    plan = complete(builder)
    return Plan(**{name: getattr(plan, name) for name in plan.__struct_fields__ if name not in {"fair", "least"}}, fair=0)


def _invariants(configuration: CompiledConfiguration) -> list[tuple[str, AnyFact]]:
    """Facts to other entities than instances: the invariants of the configuration."""
    return [
        (invariant_entity(name), InvariantConfigured(number=1, invariant=invariant))
        for name, invariant in configuration.invariants.items()
    ]


def _people(policies: Iterable[Policy]) -> tuple[Person, ...]:
    """Two members of each group that approves, every approver given by name, and some who may not."""
    principals = sorted({who for policy in policies for use in policy.approvals for who in use.approvers or ()})
    found = [PEOPLE[2]]
    for principal in principals:
        kind, value = kind_of(principal), key_of(principal)
        if kind == "group":
            found += [Person(f"{value}-{number}", (value,)) for number in (1, 2)]
        else:
            found.append(Person(value))
    return tuple(found) if len(found) > 1 else PEOPLE


@lru_cache(maxsize=1)
def _loaded(directory: str) -> CompiledConfiguration:
    return load(Path(directory))
