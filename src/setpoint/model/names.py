"""Every composed identifier: how it is put together and how it is taken apart. No other module does either.

``kind:key`` is the outer form of entities, subjects, principals and units; ``application/name`` is a name within an application.
Nothing here validates: a name comes from a document, which has been validated, or from a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

_Value = TypeVar("_Value")
_REMEMBERED = 65_536
"""Names of instances that stay parsed: more than an engine has."""

# --- kind:key ----------------------------------------------------------------------------------------------------------


def with_kind(kind: str, key: str) -> str:
    """``runtime:k8s`` of ``runtime`` and ``k8s``."""
    return f"{kind}:{key}"


def kind_of(identifier: str) -> str:
    """``instance`` of ``instance:saas/web@acme``; all of an identifier without a kind."""
    return identifier.partition(":")[0]


def key_of(identifier: str) -> str:
    """``saas/web@acme`` of ``instance:saas/web@acme``; empty for an identifier without a kind."""
    return identifier.partition(":")[2]


def is_kind(identifier: str, *kinds: str) -> bool:
    """Whether an identifier is ``kind:…`` of one of these kinds."""
    kind, colon, _ = identifier.partition(":")
    return bool(colon) and kind in kinds


def entity_kind(entity: str) -> str:
    """``instance`` of ``instance:saas/web@acme``.

    Raises:
        ValueError: the text is not an entity.
    """
    kind, _, key = entity.partition(":")
    if not (kind and key):
        raise ValueError(f'"{entity}" is not an entity: expected kind:key')
    return kind


# --- application/name and instances ------------------------------------------------------------------------------------


class InstanceName(NamedTuple):
    """The parts of ``saas/web@acme``."""

    application: str
    service: str
    channel: str


def format_instance(application: str, service: str, channel: str) -> str:
    """``saas/web@acme``."""
    return f"{application}/{service}@{channel}"


@lru_cache(_REMEMBERED)
def parse_instance(instance: str) -> InstanceName:
    """The parts of ``saas/web@acme``; the application is empty in ``web@acme``."""
    head, _, channel = instance.rpartition("@")
    application, _, service = head.rpartition("/")
    return InstanceName(application, service, channel)


def application_of(name: str) -> str:
    """``saas`` of ``saas/web@acme``, of the group ``saas/tenants``, of the set ``saas/api+web@acme``."""
    return name.partition("/")[0]


def service_of(instance: str) -> str:
    """``web`` of ``saas/web@acme``."""
    return parse_instance(instance).service


def channel_of(instance: str) -> str:
    """``acme`` of ``saas/web@acme``."""
    return instance.rpartition("@")[2]


def without_channel(instance: str) -> str:
    """``saas/web`` of ``saas/web@acme``."""
    return instance.rpartition("@")[0]


def in_channel(instance: str, channel: str) -> str:
    """The same service in another channel: ``saas/web@other`` of ``saas/web@acme``."""
    return f"{without_channel(instance)}@{channel}"


def short_name(name: str) -> str:
    """Without the application: ``web@acme`` of ``saas/web@acme``, ``tenants`` of ``saas/tenants``."""
    return name.partition("/")[2] or name


def within(application: str, name: str) -> str:
    """Name of a group, channel or service: ``saas/tenants``."""
    return f"{application}/{name}"


def last_name(name: str) -> str:
    """``tenants`` of ``saas/tenants``, ``k8s`` of ``k8s``."""
    return name.rpartition("/")[2]


def format_members(application: str, services: Iterable[str], place: str) -> str:
    """Name of a set: ``bank/ledger+worker@production``, of what moves as one in a channel or group."""
    return f"{application}/{'+'.join(services)}@{place}"


# --- entities ----------------------------------------------------------------------------------------------------------


def instance_entity(instance: str) -> str:
    """``instance:saas/web@acme``."""
    return f"instance:{instance}"


def line_entity(application: str) -> str:
    """``line:saas``: the releases of an application."""
    return f"line:{application}"


def scope_entity(subject: str) -> str:
    """``scope:channel:saas/acme``: what people order for everything below a subject."""
    return f"scope:{subject}"


def invariant_entity(name: str) -> str:
    """``invariant:same-everywhere``."""
    return f"invariant:{name}"


def attachment_entity(protection: str, digest: str) -> str:
    """``attachment:smoke:9f3c…``: one definition of a check."""
    return f"attachment:{protection}:{digest}"


class TopicKey(NamedTuple):
    """The parts of ``topic:channel:shop/production#go-live#7~2``."""

    subject: str
    topic: str
    release: int
    change: int = 0
    """On a mirror, the mirrored change that is approved; 0: the release."""


def format_topic(subject: str, topic: str, release: int, change: int = 0) -> str:
    """``topic:channel:shop/production#go-live#7``, and ``…#7~2`` of the second mirrored change."""
    return f"topic:{subject}#{topic}#{release}" + (f"~{change}" if change else "")


@lru_cache(4096)
def parse_topic(entity: str) -> TopicKey:
    """The parts of the entity of an approval. Raises ValueError for another text."""
    subject, topic, number = key_of(entity).rsplit("#", 2)
    release, _, change = number.partition("~")
    return TopicKey(subject, topic, int(release), int(change or 0))


def topic_prefix(subject: str) -> str:
    """``topic:channel:shop/production#``: what the entity of each topic of a subject begins with."""
    return f"topic:{subject}#"


class TaskKey(NamedTuple):
    """The parts of ``task:shop/migrate#instance:shop/web@production#7``."""

    application: str
    task: str
    key: str
    """What shares a run."""
    release: int


def format_task(application: str, task: str, key: str, release: int) -> str:
    """``task:shop/migrate#instance:shop/web@production#7``: the run of a task for a release."""
    return f"task:{application}/{task}#{key}#{release}"


@lru_cache(4096)
def parse_task(entity: str) -> TaskKey:
    """The parts of the entity of a task's run. Raises ValueError for another text."""
    head, _, release = key_of(entity).rpartition("#")
    name, _, key = head.partition("#")
    application, _, task = name.partition("/")
    return TaskKey(application, task, key, int(release))


def any_release(task: str) -> str:
    """``task:shop/migrate#once`` of ``task:shop/migrate#once#7``: runs of which only one is under way at a time."""
    return task.rpartition("#")[0] or task


class SetKey(NamedTuple):
    """The parts of ``set:saas/production#7.12``."""

    name: str
    release: int
    configured: int = 0
    """Number of the configuration that the members change to with the release; 0: the release's own."""


def format_set(name: str, release: int) -> str:
    """``set:saas/production#7``."""
    return f"set:{name}#{release}"


def with_configuration(entity: str, configured: int) -> str:
    """``set:saas/production#7.12`` of ``set:saas/production#7``: the set whose members change to configuration 12 as well."""
    return f"{entity}.{configured}"


@lru_cache(4096)
def parse_set(entity: str) -> SetKey:
    """The parts of the entity of a set. Raises ValueError for another text."""
    name, _, number = key_of(entity).rpartition("#")
    release, _, configured = number.partition(".")
    return SetKey(name, int(release), int(configured or 0))


# --- operations --------------------------------------------------------------------------------------------------------


def format_operation(entity: str, what: str, number: int) -> str:
    """``instance:saas/web@acme/apply/3``; what an entity does is ``apply``, ``check`` or ``try``."""
    return f"{entity}/{what}/{number}"


def operation_entity(operation: str) -> str:
    """``instance:saas/web@acme`` of ``instance:saas/web@acme/apply/3``."""
    return operation.rsplit("/", 2)[0]


def operation_number(operation: str) -> int:
    """3 of ``instance:saas/web@acme/apply/3``."""
    return int(operation.rpartition("/")[2])


def with_database(operation: str, identity: int) -> str:
    """``instance:saas/web@acme/apply/3~5f0c``: numbers begin again with another database."""
    return f"{operation}~{identity:x}"


def without_database(operation: str) -> str:
    """``instance:saas/web@acme/apply/3`` of ``instance:saas/web@acme/apply/3~5f0c``."""
    before, mark, _ = operation.rpartition("~")
    return before if mark else operation


# --- limits ------------------------------------------------------------------------------------------------------------

_LEASE, _WAVE, _BUDGET = "lease:", "wave:", "budget:"


def lease_unit(subject: str) -> str:
    """``lease:runtime:k8s``: places that deployments below a subject share."""
    return _LEASE + subject


def wave_unit(group: str) -> str:
    """``wave:saas/tenants``: the waves of a group."""
    return _WAVE + group


def budget_unit(subject: str, calendar: str) -> str:
    """``budget:application:saas/deploys``: deployments that may start in one window of a calendar."""
    return f"{_BUDGET}{subject}/{calendar}"


def is_lease(unit: str) -> bool:
    """Whether a unit is one of ``lease_unit``."""
    return unit.startswith(_LEASE)


def is_wave(unit: str) -> bool:
    """Whether a unit is one of ``wave_unit``."""
    return unit.startswith(_WAVE)


def is_budget(unit: str) -> bool:
    """Whether a unit is one of ``budget_unit``."""
    return unit.startswith(_BUDGET)


def budget_calendar(unit: str) -> str:
    """``deploys`` of ``budget:application:saas/deploys``."""
    return unit.rpartition("/")[2]


def request_key(requester: str, attempt: int) -> str:
    """``instance:saas/web@acme#4``: a request for admission."""
    return f"{requester}#{attempt}"


def wave_progress_key(group: str, release: int) -> str:
    """``saas/tenants#7``: a release on its way through a group."""
    return f"{group}#{release}"


def occurrence_key(unit: str, occurrence: int) -> str:
    """``budget:application:saas/deploys@1764547200000``: one window of a calendar."""
    return f"{unit}@{occurrence}"


# --- versions and requests ---------------------------------------------------------------------------------------------


def version_key(service: str, version: str) -> str:
    """``web/1.4.2``: a version of a service, as marks are kept by the line."""
    return f"{service}/{version}"


def versions_of(service: str, known: Mapping[str, _Value]) -> dict[str, _Value]:
    """Version -> value, of the keys ``service/version`` of one service."""
    mine = f"{service}/"
    return {key.removeprefix(mine): value for key, value in known.items() if key.startswith(mine)}


def violation_key(what: str, instance: str, release: int) -> str:
    """``sameAs/saas/web@acme/7``: what is violated, where and by which release."""
    return f"{what}/{instance}/{release}"


def configure_request(revision: int, application: str = "") -> str:
    """``configure:12:saas``: the request for the configuration release of an apply."""
    return f"configure:{revision}" + (f":{application}" if application else "")


def release_request(application: str, request: str, attempt: int = 0) -> str:
    """``release:saas:9f3c``, and ``…:1`` when it was compiled again: under which the engine takes a release once."""
    return f"release:{application}:{request}" + (f":{attempt}" if attempt else "")


def specs_key(application: str, release: int) -> str:
    """``saas/7``: under which the specs of a release are stored."""
    return f"{application}/{release}"
