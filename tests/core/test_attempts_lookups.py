"""Checks that look their attempt up get its version, release and parameters; one that cannot be resolved says so itself."""

from __future__ import annotations

from tests.core.dsl import NAME, Instance, check

from setpoint.core.facts import Ask
from setpoint.model.release import Source


def asked(use, **offer) -> Ask:
    prod = Instance(checks=(use,)).offer(1, "1.0", **offer)
    return prod.sent(Ask)[0]


def test_lookups_of_the_attempt_are_resolved():
    use = check(
        "load", subject=f"attempt:{NAME}", options={"command": ["load", "${version}", "${params.size}", "${source.commit}"]}
    )
    ask = asked(use, parameters={"size": 3}, source=Source(commit="c0ffee"))
    assert ask.definition.options["command"] == ["load", "1.0", 3, "c0ffee"]
    assert ask.definition.env["SETPOINT_VERSION"] == "1.0"
    assert ask.definition.facts["instance"] == NAME


def test_one_version_makes_one_attachment_two_make_two():
    use = check("load", subject=f"attempt:{NAME}", options={"v": "${version}"})
    prod = Instance(checks=(use,)).offer(1, "1.0")
    first = prod.life.candidate.gates["load"].attachment
    prod.passing("load").comes_up("1.0").offer(2, "1.1")
    assert prod.life.candidate.gates["load"].attachment != first


def test_a_lookup_that_leads_nowhere_is_misconfigured_and_names_itself():
    ask = asked(check("load", subject=f"attempt:{NAME}", options={"size": "${params.size}"}))
    assert ask.definition.use == "always"
    assert ask.definition.options["result"] == "misconfigured"
    assert "${params.size}" in ask.definition.options["reason"]


def test_a_shared_check_is_not_touched():
    use = check("alerts", options={"at": "${version}"})
    assert asked(use).definition is use.check
