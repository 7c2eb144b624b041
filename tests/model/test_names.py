"""Identifiers: what is put together comes apart into the same parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.model import names

NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
NUMBER = st.integers(0, 10**9)
SOME = st.integers(1, 10**9)
INSTANCE = st.builds(names.format_instance, NAME, NAME, NAME)
SUBJECT = st.one_of(
    st.just("organization"),
    st.builds(names.with_kind, st.sampled_from(["application", "runtime"]), NAME),
    st.builds(names.with_kind, st.sampled_from(["channel", "group"]), st.builds(names.within, NAME, NAME)),
    st.builds(names.with_kind, st.sampled_from(["instance", "service", "attempt"]), INSTANCE),
)
ENTITY = st.one_of(
    INSTANCE.map(names.instance_entity),
    NAME.map(names.line_entity),
    SUBJECT.map(names.scope_entity),
    NAME.map(names.invariant_entity),
    st.builds(names.attachment_entity, NAME, NAME),
    st.builds(names.format_topic, SUBJECT, NAME, NUMBER, NUMBER),
    st.builds(names.format_set, INSTANCE, NUMBER),
)


@given(NAME, NAME, NAME)
def test_the_parts_of_an_instance(application, service, channel):
    instance = names.format_instance(application, service, channel)
    assert names.parse_instance(instance) == (application, service, channel)
    assert (names.application_of(instance), names.service_of(instance), names.channel_of(instance)) == (
        application,
        service,
        channel,
    )
    assert names.within(application, names.short_name(instance)) == instance
    assert names.parse_instance(names.short_name(instance)) == ("", service, channel)
    assert names.in_channel(instance, channel) == instance
    assert names.within(application, service) == names.without_channel(instance)


@given(NAME, NAME)
def test_a_name_within_an_application(application, name):
    group = names.within(application, name)
    assert (names.application_of(group), names.short_name(group), names.last_name(group)) == (application, name, name)
    assert (names.short_name(name), names.last_name(name)) == (name, name)


@given(NAME, st.lists(NAME, min_size=1, max_size=3), NAME)
def test_the_application_of_a_set_is_that_of_its_members(application, services, place):
    assert names.application_of(names.format_members(application, services, place)) == application


@given(NAME, SUBJECT)
def test_a_kind_and_a_key(kind, key):
    identifier = names.with_kind(kind, key)
    assert (names.kind_of(identifier), names.key_of(identifier)) == (kind, key)
    assert names.is_kind(identifier, "other", kind)
    assert not names.is_kind(identifier, f"{kind}x")
    assert not names.is_kind(kind, kind)


@given(ENTITY)
def test_every_entity_has_a_kind(entity):
    assert names.entity_kind(entity) == names.kind_of(entity)
    assert names.with_kind(names.kind_of(entity), names.key_of(entity)) == entity


@pytest.mark.parametrize("text", ["", "instance", "instance:", ":saas"])
def test_what_has_no_kind_or_no_key_is_not_an_entity(text):
    with pytest.raises(ValueError, match="expected kind:key"):
        names.entity_kind(text)


@given(SUBJECT, NAME, NUMBER, NUMBER)
def test_the_parts_of_a_topic(subject, topic, release, change):
    entity = names.format_topic(subject, topic, release, change)
    assert names.parse_topic(entity) == (subject, topic, release, change)
    assert entity.startswith(names.topic_prefix(subject))


@given(NAME, NAME, st.one_of(SUBJECT, st.text("ab#~/:@.", min_size=1)), NUMBER)
def test_the_parts_of_a_task_whatever_its_key(application, task, key, release):
    entity = names.format_task(application, task, key, release)
    assert names.parse_task(entity) == (application, task, key, release)
    assert names.any_release(entity) == names.any_release(names.format_task(application, task, key, release + 1))


@given(st.one_of(INSTANCE, st.builds(names.within, NAME, NAME)), NUMBER, NUMBER)
def test_the_parts_of_a_set(name, release, configured):
    entity = names.format_set(name, release)
    assert names.parse_set(entity) == (name, release, 0)
    assert names.parse_set(names.with_configuration(entity, configured)) == (name, release, configured)


@given(ENTITY, st.sampled_from(["apply", "check", "try"]), NUMBER, NUMBER)
def test_the_parts_of_an_operation(entity, what, number, database):
    operation = names.format_operation(entity, what, number)
    assert (names.operation_entity(operation), names.operation_number(operation)) == (entity, number)
    assert names.without_database(names.with_database(operation, database)) == operation


def test_an_operation_of_an_older_version_names_no_database():
    assert names.without_database("instance:saas/web@acme/apply/3") == "instance:saas/web@acme/apply/3"


@given(SUBJECT, NAME)
def test_units_are_of_one_kind(subject, name):
    units = [names.lease_unit(subject), names.wave_unit(subject), names.budget_unit(subject, name)]
    assert [[test(unit) for unit in units] for test in (names.is_lease, names.is_wave, names.is_budget)] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert [names.key_of(unit) for unit in units[:2]] == [subject, subject]
    assert names.budget_calendar(units[2]) == name


@given(st.dictionaries(st.tuples(NAME, st.text("0123456789.-/", min_size=1)), NUMBER, max_size=5), NAME)
def test_the_versions_of_one_service(marks, service):
    known = {names.version_key(*key): mark for key, mark in marks.items()}
    assert names.versions_of(service, known) == {version: mark for (owner, version), mark in marks.items() if owner == service}


@pytest.mark.parametrize(
    ("made", "stored"),
    [
        (names.format_topic("channel:shop/production", "go-live", 7), "topic:channel:shop/production#go-live#7"),
        (names.format_topic("channel:shop/production", "go-live", 7, 2), "topic:channel:shop/production#go-live#7~2"),
        (names.format_task("shop", "migrate", "instance:shop/web@acme", 7), "task:shop/migrate#instance:shop/web@acme#7"),
        (names.with_configuration(names.format_set("saas/production", 7), 12), "set:saas/production#7.12"),
        (names.format_members("bank", ["ledger", "worker"], "production"), "bank/ledger+worker@production"),
        (names.attachment_entity("smoke", "9f3c"), "attachment:smoke:9f3c"),
        (names.with_database("instance:saas/web@acme/apply/3", 0x5F0C), "instance:saas/web@acme/apply/3~5f0c"),
        (names.request_key("instance:saas/web@acme", 4), "instance:saas/web@acme#4"),
        (names.wave_progress_key("saas/tenants", 7), "saas/tenants#7"),
        (names.occurrence_key("budget:application:saas/deploys", 17), "budget:application:saas/deploys@17"),
        (names.violation_key("sameAs", "saas/web@acme", 7), "sameAs/saas/web@acme/7"),
        (names.configure_request(12), "configure:12"),
        (names.configure_request(12, "saas"), "configure:12:saas"),
        (names.release_request("saas", "9f3c"), "release:saas:9f3c"),
        (names.release_request("saas", "9f3c", 1), "release:saas:9f3c:1"),
        (names.specs_key("saas", 7), "saas/7"),
    ],
)
def test_identifiers_are_stored_as_they_were(made, stored):
    assert made == stored
