"""Roles as principals: ``role:approver`` stands for the members of that role, wherever a gate names people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace
from pydantic import BaseModel

from setpoint.config.catalog import Catalog
from setpoint.config.documents.declared import Role
from setpoint.config.problems import Problems
from setpoint.config.syntax.yaml import Scalar
from setpoint.model.names import is_kind, key_of, with_kind
from setpoint.model.policy import Policy
from setpoint.model.similar import suggest

GATES = ("orderings", "services", "checks", "tasks", "approvals", "calendars", "limits")


def roles_of(catalog: Catalog) -> tuple[Role, ...]:
    """Of the organization."""
    organization = catalog.organization.model if catalog.organization else None
    return organization.roles if organization else ()


def check_roles(catalog: Catalog, problems: Problems) -> None:
    """Undeclared roles go to ``problems``."""
    known = {str(role.name) for role in roles_of(catalog)}
    for entry in catalog.entries():
        for principal in _principals(entry.model):
            name = key_of(principal)
            if is_kind(principal, "role") and name not in known and "${" not in name and catalog.complete:
                message = f'"{principal}" is not a role of the organization.'
                hint = suggest(name, known, otherwise="Declare it in `roles` of the Organization.")
                problems.add("unknown-reference", principal.position, catalog.where_at(principal.position), message, hint)


def _principals(model: Any) -> Iterator[Scalar]:
    for name, value in model if isinstance(model, BaseModel) else ():
        if name in {"from_", "override", "members"}:
            yield from (one for one in value or () if isinstance(one, Scalar))
        for inner in value if isinstance(value, tuple) else (value,):
            yield from _principals(inner)


def with_members(policy: Policy, roles: tuple[Role, ...]) -> Policy:
    """The policy with people in place of roles: those of the role, as far as its ``select`` reaches."""
    members = {
        with_kind("role", role.name): tuple(str(one) for one in role.members)
        for role in roles
        if role.select.matches(policy.labels)
    }
    if not any(is_kind(one, "role") for one in _named(policy)):
        return policy
    changed = {kind: tuple(_meant(use, members) for use in getattr(policy, kind)) for kind in GATES}
    wave = _meant(policy.wave, members) if policy.wave else None
    return replace(policy, wave=wave, **{kind: uses for kind, uses in changed.items() if uses != getattr(policy, kind)})


def _named(policy: Policy) -> Iterator[str]:
    for use in (*(use for kind in GATES for use in getattr(policy, kind)), *([policy.wave] if policy.wave else [])):
        yield from getattr(use, "approvers", None) or ()
        yield from getattr(use, "override", None) or ()


def _meant(use: Any, members: Mapping[str, tuple[str, ...]]) -> Any:
    changes = {
        field: people
        for field in ("approvers", "override")
        if (people := _people(getattr(use, field, None), members)) != getattr(use, field, None)
    }
    return replace(use, **changes) if changes else use


def _people(principals: tuple[str, ...] | None, members: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    if principals is None or not any(is_kind(one, "role") for one in principals):
        return principals
    found = (person for one in principals for person in (members.get(one, ()) if is_kind(one, "role") else (one,)))
    return tuple(dict.fromkeys(found))
