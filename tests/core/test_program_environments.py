"""What programs of checks and tasks are told of the attempt: on standard input, in their environment, by lookups."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.core.dsl import NAME, Instance, a_task, check

from setpoint.core.facts import RunRequested, TaskWanted
from setpoint.model.checks import CheckDefinition
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Phase
from setpoint.model.spec import Source
from setpoint.model.tasks import TaskDefinition

SOURCE = Source(commit="f00", repository="git@example.org:app", author="zoe")
LOOKS_UP = {"command": ["check", "${version}", "${params.size}", "${good:-none}", "${current:-none}"]}
RELEASE = {"id": "2", "author": "ann", "reason": "a fix", "labels": {"team": "web"}}
KNOWN = {
    "version": "1.1",
    "params": {"size": 3},
    "source": {"commit": "f00", "repository": "git@example.org:app", "author": "zoe"},
    "release": RELEASE,
    "attempt": {"id": "2"},
    "good": "1.0",
    "current": "1.0",
}
ENVIRONMENT = {"SETPOINT_VERSION": "1.1", "SETPOINT_PHASE": "pre-deployment", "SETPOINT_RELEASE": "2"}
OWN = {"A": "${version}", "SETPOINT_RELEASE": "of the user"}


def offered(prod: Instance) -> Instance:
    """Release 2, with everything that a release can carry."""
    prod.offer(2, "1.1", parameters={"size": 3}, source=SOURCE, author="ann", reason="a fix", labels={"team": "web"})
    return prod


def asked(prod: Instance) -> CheckDefinition:
    return prod.sent(RunRequested)[0].definition


def wanted(prod: Instance) -> TaskDefinition:
    return prod.sent(TaskWanted)[0].definition


def test_a_check_on_the_attempt_is_told_all_about_it():
    use = check("alerts", subject=f"attempt:{NAME}", options=LOOKS_UP)
    use = replace(use, check=replace(use.check, env=OWN, facts={"on-call": "bob"}))
    found = asked(offered(Instance().with_good(1, "1.0").configure(checks=(use,))))
    assert found.options == {"command": ["check", "1.1", 3, "1.0", "1.0"]}
    assert found.env == {"A": "1.1", **ENVIRONMENT}, "what Setpoint says cannot be overridden"
    assert found.facts == {"on-call": "bob", "instance": NAME, "phase": "pre-deployment", **KNOWN}


def test_a_check_on_anything_else_is_shared_and_told_nothing_of_it():
    use = check("alerts", options={"query": "up"})
    assert asked(offered(Instance(checks=(use,)))) == use.check


def test_a_check_that_looks_up_in_vain_is_told_of_all_the_same():
    use = check("alerts", subject=f"attempt:{NAME}", options={"command": ["${params.flavour}"]})
    found = asked(offered(Instance().with_good(1, "1.0").configure(checks=(use,))))
    reason = "the check looks up ${params.flavour}, which release 2 does not have"
    assert (found.use, found.options) == ("always", {"result": "misconfigured", "reason": reason})
    assert found.facts == {"instance": NAME, "phase": "pre-deployment", **KNOWN}


def test_where_nothing_is_good_and_nothing_or_too_much_runs_there_is_nothing_to_look_up():
    use = check("alerts", Phase.DEPLOYMENT, subject=f"attempt:{NAME}", options=LOOKS_UP)
    fresh = asked(offered(Instance(checks=(use,))))
    assert fresh.options["command"][3:] == ["none", "none"]
    several = Instance().with_good(1, "1.0").observed("1.0+0.9").configure(checks=(use,))
    found = asked(offered(several))
    assert (found.facts["good"], found.facts["current"], found.env["SETPOINT_PHASE"]) == ("1.0", "", "deployment")


def test_a_task_of_an_instance_is_told_all_about_the_attempt():
    for subject in (f"attempt:{NAME}", f"instance:{NAME}"):
        use = a_task(options=LOOKS_UP)
        use = replace(use, task=replace(use.task, subject=subject, env=OWN, facts={"on-call": "bob"}))
        found = wanted(offered(Instance().with_good(1, "1.0").configure(tasks=(use,))))
        assert found.options == {"command": ["check", "1.1", 3, "1.0", "1.0"]}
        assert found.env == {"A": "1.1", **ENVIRONMENT}
        assert found.facts == {"on-call": "bob", "instance": NAME, "phase": "pre-deployment", **KNOWN}


def test_a_task_that_several_share_is_told_only_what_is_the_same_for_all():
    use = a_task(options={"command": ["migrate", "${release.id}"]})
    use = replace(use, task=replace(use.task, subject="application:app", facts={"on-call": "bob"}))
    found = wanted(offered(Instance().with_good(1, "1.0").configure(tasks=(use,))))
    assert found.options == {"command": ["migrate", "2"]}
    assert found.env == {"SETPOINT_PHASE": "pre-deployment", "SETPOINT_RELEASE": "2"}
    assert found.facts == {"on-call": "bob", "release": RELEASE, "phase": "pre-deployment"}


def test_a_task_that_looks_up_in_vain_becomes_one_that_says_so():
    found = wanted(offered(Instance(tasks=(a_task(options={"command": ["${params.flavour}"]}),))))
    reason = "the task looks up ${params.flavour}, which release 2 does not have"
    assert (found.use, found.options) == ("always", {"result": "misconfigured", "reason": reason})
    assert found.facts["instance"] == NAME


def test_a_gate_may_ask_for_labels_of_the_instance_and_for_facts_of_the_attempt():
    def concerned(when: str, name: str = "1.1.0", **offer: Any) -> bool:
        prod = Instance().with_good(1, "1.0.0").configure(checks=(check("alerts", when=parse_selector(when)),))
        return bool(prod.offer(2, name, **offer).sent(RunRequested))

    assert concerned("channel=production")
    assert not concerned("channel=staging")
    assert (concerned("change=version"), concerned("change=config")) == (True, False)
    assert concerned("change=config", "1.0.0", spec="other")
    assert concerned("release.team=web", labels={"team": "web"})
    assert (concerned("urgent=true", urgent=True), concerned("urgent=true")) == (True, False)
    assert (concerned("step=minor"), concerned("step=major", "2.0.0")) == (True, True)
    new = Instance(checks=(check("alerts", when=parse_selector("change=version,step=unknown")),))
    assert new.offer(1, "1.0").sent(RunRequested), "against nothing, everything is another version"
