"""First contact and goodbye, to the last field: what is said, when something is tried again, and what is left of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.core.dsl import START, Instance, WithTasks, a_task, check
from tests.core.dsl.situations import ANN, adopting, back, gone

from setpoint.core.backoff import backoff
from setpoint.core.facts import Observing, Offered, Removed, TakenDown
from setpoint.core.instance.state import Applying, Life
from setpoint.core.instructions import Apply, Event, Unwatch, Watch
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Pair
from setpoint.model.time import MINUTE, SECOND

OFTEN: dict[str, Any] = {"poll_moving": 2 * SECOND}


# --- goodbye -----------------------------------------------------------------------------------------------------------------


def test_taking_down_is_an_apply_like_any_other_but_down():
    prod = Instance(**OFTEN).with_good(1, "1.0").receive(Removed(number=1)).receive(TakenDown(by=ANN))
    number = prod.applying.watch
    operation = "instance:app/web@production/apply/2"
    assert prod.gave(Apply) == [Apply(operation, "spec-1.0", Watch(number, 2 * SECOND, "spec-1.0"), down=True)]
    assert prod.applying == Applying(
        count=2, operation=operation, spec="down", watch=number, judges=2, every=2 * SECOND, look_requested=True
    )  # fmt: skip
    before = prod.applying
    assert prod.receive(TakenDown(by=ANN)).applying == before, "one at a time"
    again = prod.applied().observed("1.0").wait(MINUTE)
    assert again.applying.watch == number + 1


def test_it_is_tried_again_at_the_end_of_its_back_off_or_of_its_grace_and_not_before():
    failed = gone(down=True).applied("no route to it")
    due = START + backoff(1, failed.entity)
    assert (failed.wake_at, failed.applying.retry_at) == (due, due)
    failed.now = due - 1
    assert failed.observed("1.0").gave(Apply) == []
    failed.now = due
    assert len(failed.observed("1.0").gave(Apply)) == 1
    slow = gone(down=True).applied().observed("1.0")
    assert slow.wake_at == START + slow.policy.grace
    slow.now = slow.wake_at - 1
    assert slow.observed("1.0").gave(Apply) == []
    slow.now += 1
    assert len(slow.observed("1.0").gave(Apply)) == 1


def test_only_a_look_that_shows_nothing_after_it_was_taken_down_ends_it():
    never = gone().observed("").receive(TakenDown(by=ANN))
    assert never.target == "1.0", "what was not there before was not taken down by us"
    prod = gone(down=True)
    early = prod.look("")
    prod.applied().receive(replace(early, watch=early.watch - 1))
    assert prod.target == "1.0"
    assert prod.unobserved().target == "1.0"
    assert prod.observed("1.0", healthy=False).target == "1.0"
    assert prod.receive(prod.look("")).target == ""


def test_of_what_was_taken_down_only_what_was_good_stays_known():
    prod = (
        Instance().with_good(1, "1.0").observed("1.0", difference="a").applied().receive(Removed(number=1, down=True)).applied()
    )
    count, watch = prod.applying.count, prod.applying.watch
    prod.receive(prod.look(""))
    life = prod.life
    assert (life.target, life.current, life.down, life.breaker, life.goods) == (Pair(), None, None, None, (Pair(1),))
    assert life.applying == Applying(count=count, watch=watch)
    assert prod.events[-1] == Event("taken-down", "1.0 was taken down", release=1, version="1.0")
    assert prod.gave(Unwatch) == [Unwatch()]
    assert prod.receive(TakenDown(by=ANN)).gave(Unwatch) == [], "it is not looked at any more"
    failed = (
        Instance().offer(1, "1.0").applied("broken", terminal=True).receive(Removed(number=1, down=True)).wait(MINUTE).applied()
    )
    assert failed.receive(failed.look("")).maybe_failure is None


def test_a_look_at_what_was_taken_down_is_late_once_it_is_configured_again():
    prod = gone(down=True).applied()
    late = prod.look("")
    again = back(prod.receive(late))
    assert again.receive(replace(late, look=late.look - 1, gap=5_000)).life.current is None


def test_where_a_goodbye_stands_is_told_whole():
    rolling = Instance().with_good(1, "1.0").offer(2, "1.1").receive(Removed(number=1))
    ending = Reason(
        Code.REMOVED, "it left the configuration once its rollout has ended", since=START, awaits="the end of the rollout"
    )
    assert rolling.explained[0] == ending
    text = "it left the configuration; 1.0, which runs, is left alone"
    alone = Reason(Code.REMOVED, text, since=START, awaits="apply, or remove", unblock="add it again, or remove")
    assert gone().explained == [alone]
    prod = gone().wait(MINUTE).receive(TakenDown(by=ANN))
    going = Reason(Code.REMOVED, "1.0 is being taken down by ann", since=prod.now, awaits="a look that shows nothing")
    assert prod.explained == [going]
    prod.wait(SECOND).applied("no route")
    text = f"{going.text}; the last try failed: no route"
    assert prod.explained == [replace(going, text=text, until=prod.applying.retry_at, awaits="")]
    prod.wait(MINUTE).applied()
    prod.receive(prod.look(""))
    text = "it left the configuration, and nothing of it is left"
    assert prod.explained == [Reason(Code.REMOVED, text, since=prod.now, awaits="apply", unblock="add it again")]


def test_what_never_ran_is_not_taken_down_and_not_looked_at_any_more():
    prod = Instance().receive(Removed(number=1, down=True))
    assert (prod.applies, len(prod.gave(Unwatch))) == ([], 1)
    assert prod.receive(Removed(number=2, down=True)).gave(Unwatch) == []


# --- first contact -----------------------------------------------------------------------------------------------------------


def offered(prod: Instance) -> Instance:
    return prod.receive(Offered(offer=replace(prod.make(1, "1.0"), adopt=True)))


def test_what_is_said_to_run_is_looked_at_often_and_compared_with():
    prod = adopting(**OFTEN)
    number = prod.applying.watch
    assert prod.gave(Watch) == [Watch(number, 2 * SECOND, "spec-1.0")]
    assert prod.applying == Applying(watch=number, every=2 * SECOND, look_requested=True)
    told = Reason(
        Code.ADOPTION_PENDING,
        "1.0 is to be adopted: waits for an observation of the runtime",
        since=START,
        awaits="a look at the runtime",
    )
    assert prod.wait(MINUTE).explained == [told]


def test_what_is_adopted_is_as_if_it_had_been_deployed_here():
    prod = adopting().wait(MINUTE).observed("1.0")
    assert [(event.kind, event.text, event.attempt, event.release) for event in prod.events] == [
        ("adopted", "1.0 runs here already and is adopted", 1, 1),
        ("finalized", "1.0 is finalized", 1, 1),
    ]
    applying = prod.applying
    assert (applying.spec, applying.taken, applying.judges, prod.maybe_adopting) == ("spec-1.0", prod.now, 2, None)
    assert prod.offer(2, "1.1").rollout.attempt.number == 2


def test_what_runs_instead_is_told_whole():
    prod = adopting().wait(MINUTE).observed("0.9+0.8")
    text = "what runs is not 1.0: 0.8, 0.9 runs"
    told = Reason(Code.ADOPTION_FAILED, text, since=START, awaits="a release", unblock="adopt or release another version")
    assert prod.explained == [told]
    assert prod.events == [Event("adopt-failed", "1.0 is not adopted: 0.8, 0.9 runs", release=1, version="1.0")]
    assert adopting().observed("").reasons == ["what runs is not 1.0: nothing runs"]
    assert adopting().observed("1.0", complete=False, message="1 of 2 pods").reasons == ["what runs is not 1.0: 1 of 2 pods"]
    assert adopting().observed("", complete=True).reasons == ["what runs is not 1.0: nothing runs"], "nothing is nothing to adopt"


def test_what_cannot_be_asked_shows_nothing_yet():
    prod = adopting().unobserved()
    assert (prod.adopting.failed, prod.observed("1.0").good) == ("", "1.0")
    assert adopting().applied().good == ""


def test_an_adoption_that_was_overtaken_is_forgotten():
    urgent = adopting().offer(2, "2.0").applied()
    assert (urgent.maybe_adopting, urgent.target) == (None, "2.0")
    left = adopting().receive(Removed(number=1))
    assert left.maybe_adopting is None
    assert back(left).observed("1.0").good == ""
    assert not urgent.waits_for("is to be adopted")


def test_what_a_task_has_started_for_is_given_up_for_a_newer_release_that_is_adopted():
    """Invariant 16: no older version release follows a newer one, whatever the older one was committed to."""
    prod = WithTasks().configure(tasks=(a_task(),), checks=(check("alerts"),)).offer(2, "2.0").passing("alerts")
    prod.receive(Offered(offer=replace(prod.make(3, "1.0"), adopt=True))).observed("1.0")
    assert (prod.tried, prod.candidate.release, prod.good) == (["migrate"], 2, "1.0"), "nothing ends it while its task runs"
    prod.succeeds().passing("alerts")
    assert (prod.maybe_candidate, prod.target) == (None, "1.0")
    assert "2.0 is replaced: nothing newer may start" in prod.history


def test_where_something_was_deployed_nothing_is_said_to_run():
    assert offered(Instance().with_good(2, "2.0")).maybe_adopting is None
    assert offered(Instance().receive(Observing(by=ANN))).observed("1.0").good == "1.0", "to adopt is no apply"
    assert Life().adopting is None
