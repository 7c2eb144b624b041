"""Checks that look their attempt up get its version, release and parameters; one that cannot be resolved says so itself."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.core.dsl import NAME, Instance, check

from setpoint.core.facts import RunRequested
from setpoint.model.policy import CheckUse
from setpoint.model.spec import Source


def asked(use: CheckUse, **offer: Any) -> RunRequested:
    prod = Instance(checks=(use,)).offer(1, "1.0", **offer)
    return prod.sent(RunRequested)[0]


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
    first = prod.candidate.gates["load"].attachment
    prod.passing("load").comes_up("1.0").offer(2, "1.1")
    assert prod.candidate.gates["load"].attachment != first


def test_a_lookup_that_leads_nowhere_is_misconfigured_and_names_itself():
    ask = asked(check("load", subject=f"attempt:{NAME}", options={"size": "${params.size}"}))
    assert ask.definition.use == "always"
    assert ask.definition.options["result"] == "misconfigured"
    assert "${params.size}" in ask.definition.options["reason"]


def test_a_shared_check_is_not_touched():
    use = check("alerts", options={"at": "${version}"})
    assert asked(use).definition is use.check


DIGEST, OTHER = (f"sha256:{two * 32}" for two in ("ab", "cd"))


def image_check(image: str, use: str = "image-signed") -> CheckUse:
    found = check("signed", subject=f"attempt:{NAME}", options={"image": image, "key": "k"})
    return replace(found, check=replace(found.check, use=use))


def test_checks_look_at_the_digest_that_the_version_was_released_with():
    """§10.7: what was verified is what runs."""
    command = ["scan", "registry.example/web:${version}", "--image=registry.example/web:${version}", "web"]
    program = check("scan", subject=f"attempt:{NAME}", options={"command": command})
    program = replace(program, check=replace(program.check, env={"IMAGE": command[1]}))
    images = {"registry.example/web:1.0": DIGEST}
    assert asked(image_check(command[1]), images=images).definition.options["image"] == f"registry.example/web:1.0@{DIGEST}"
    definition = asked(program, images=images).definition
    whole = f"registry.example/web:1.0@{DIGEST}"
    assert definition.options["command"] == ["scan", whole, f"--image={whole}", "web"]
    assert definition.env["IMAGE"] == whole


def test_an_image_that_the_configuration_names_elsewhere_keeps_the_only_digest_of_its_version():
    definition = asked(image_check("near.example/web:${version}"), images={"registry.example/web:1.0": DIGEST}).definition
    assert definition.options["image"] == f"near.example/web:1.0@{DIGEST}"


def test_a_check_about_an_image_that_was_not_resolved_says_so_and_asks_no_registry():
    for images in ({}, {"registry.example/web:1.0": DIGEST, "registry.example/worker:1.0": OTHER}):
        definition = asked(image_check("registry.example/new:${version}", "image-exists"), images=images).definition
        assert (definition.use, definition.options["result"]) == ("always", "misconfigured")
        assert "registry.example/new:1.0" in definition.options["reason"]
        assert "release 1.0 again" in definition.options["reason"]


def test_a_digest_that_the_configuration_names_is_used_as_it_is():
    assert asked(image_check(f"web@{OTHER}"), images={"x/web:1": DIGEST}).definition.options["image"] == f"web@{OTHER}"
