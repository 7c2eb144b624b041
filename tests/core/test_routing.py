"""Who receives what an instruction sends, in every host alike."""

from __future__ import annotations

from setpoint.core.facts import Woken
from setpoint.core.instructions import Publish, Send, Subscribe, Unsubscribe
from setpoint.core.routing import Publications, Routed, Subscribers, route
from setpoint.model.time import Stamp

NOW = Stamp(1000, 7)
FACT = Woken()
STAMPED = Woken(at=1000, offset=7)


def test_a_fact_that_is_sent_goes_to_one_entity_with_the_stamp_of_the_turn():
    assert route("line:saas", Send("instance:saas/web@acme", FACT), {}, {}, NOW) == Routed(STAMPED, ("instance:saas/web@acme",))


def test_a_fact_that_has_the_stamp_already_is_not_copied():
    assert route("line:saas", Send("instance:saas/web@acme", STAMPED), {}, {}, NOW).fact is STAMPED


def test_a_publication_goes_to_the_subscribers_in_their_order_and_is_kept():
    subscribers: Subscribers = {"line:saas": {"b": None, "a": None}}
    publications: Publications = {}
    fact, receivers, changed = route("line:saas", Publish(FACT), subscribers, publications, NOW)
    assert (fact, list(receivers), changed) == (STAMPED, ["b", "a"], False)
    assert publications == {"line:saas": STAMPED}


def test_a_subscriber_gets_what_was_published_last_stamped_anew_and_only_once():
    subscribers: Subscribers = {}
    publications: Publications = {"line:saas": Woken(at=5)}
    assert route("a", Subscribe("line:saas"), subscribers, publications, NOW) == Routed(STAMPED, ("a",), changed=True)
    assert route("a", Subscribe("line:saas"), subscribers, publications, NOW) == Routed()
    assert subscribers == {"line:saas": {"a": None}}


def test_a_subscription_before_the_first_publication_delivers_nothing():
    assert route("a", Subscribe("line:saas"), {}, {}, NOW) == Routed(changed=True)


def test_a_subscription_that_ended_receives_nothing():
    subscribers = {"line:saas": {"a": None}}
    assert route("a", Unsubscribe("line:saas"), subscribers, {}, NOW) == Routed(changed=True)
    assert route("a", Unsubscribe("line:saas"), subscribers, {}, NOW) == Routed()
    assert list(route("line:saas", Publish(FACT), subscribers, {}, NOW).to) == []
