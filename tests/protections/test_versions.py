"""version-policy: the versions that may ship."""

from __future__ import annotations

from typing import Any

import pytest
from tests.protections.contract import ProtectionContract, definition, run

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.versions import VersionPolicy


async def ask(**options: Any) -> CheckResult:
    return await run(VersionPolicy(), definition("version-policy", options))


class TestVersionPolicy(ProtectionContract):
    protection = VersionPolicy()

    @pytest.fixture
    def passing(self) -> CheckDefinition:
        return definition("version-policy", {"compare": "1.4.2", "atLeast": "1.4.0"})

    @pytest.fixture
    def blocking(self) -> CheckDefinition:
        return definition("version-policy", {"compare": "1.3.9", "range": "^1.4"})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        pytest.skip("it asks nobody")

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return definition("version-policy", {"compare": "1.4.2"})


@pytest.mark.parametrize(
    ("compare", "least", "outcome"),
    [
        ("1.4.2", "1.4.2", Outcome.PASSING),
        ("v1.4.2+build.7", "1.4.2", Outcome.PASSING),
        ("1.10.0", "1.9.0", Outcome.PASSING),
        ("1.4.2-rc.1", "1.4.2", Outcome.BLOCKING),
        ("1.4.2", "1.4.2-rc.1", Outcome.PASSING),
        ("0.0.0", "1.0.0", Outcome.BLOCKING),
        ("nightly", "1.0.0", Outcome.BLOCKING),
        ("1.4", "1.0.0", Outcome.BLOCKING),
    ],
)
async def test_at_least_compares_as_semver_does(compare: str, least: str, outcome: Outcome) -> None:
    assert (await ask(compare=compare, atLeast=least)).outcome is outcome


@pytest.mark.parametrize(
    ("compare", "within", "outcome"),
    [
        ("1.4.2", "^1.4", Outcome.PASSING),
        ("2.0.0", "^1.4", Outcome.BLOCKING),
        ("2.0.0", "^1.4 || 2.x", Outcome.PASSING),
        ("1.5.0-rc.1", "^1.4", Outcome.BLOCKING),
        ("nightly", "^1.4", Outcome.BLOCKING),
        ("nightly", "*", Outcome.PASSING),
    ],
)
async def test_a_range_is_the_one_of_accepts(compare: str, within: str, outcome: Outcome) -> None:
    assert (await ask(compare=compare, range=within)).outcome is outcome


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"compare": "1.3.9", "atLeast": "1.4.0"}, "1.3.9 is older than 1.4.0"),
        ({"compare": "2.0.0", "range": "^1.4"}, "2.0.0 is not within ^1.4"),
        ({"compare": "nightly", "atLeast": "1.4.0"}, "nightly is not a SemVer version, so it is not known to be 1.4.0 or newer"),
        ({"compare": "nightly", "range": "1.x"}, "nightly is not a SemVer version, so it fits no range but *, and not 1.x"),
        (
            {"compare": "1.5.0-rc.1", "range": "1.x"},
            "1.5.0-rc.1 is a pre-release, which 1.x admits only with prereleases: true",
        ),
    ],
)
async def test_a_no_says_why(options: dict[str, Any], reason: str) -> None:
    assert await ask(**options) == CheckResult(Outcome.BLOCKING, reason)


async def test_prereleases_fit_where_they_are_wanted() -> None:
    assert (await ask(compare="1.5.0-rc.1", range="^1.4", prereleases=True)).outcome is Outcome.PASSING


async def test_a_number_is_the_version_it_looks_like() -> None:
    assert (await ask(compare="2.1.0", range=2)).outcome is Outcome.PASSING


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"compare": "1.0.0"}, "write either atLeast or range"),
        ({"compare": "1.0.0", "atLeast": "1.0.0", "range": "*"}, "write either atLeast or range"),
        ({"compare": "", "range": "*"}, "compare is missing"),
        ({"compare": "not a version", "range": "*"}, "not a version"),
        ({"compare": "1.0.0", "atLeast": "1.4"}, "only SemVer 2.0.0 versions"),
        ({"compare": "1.0.0", "range": "~>1"}, "the operators are"),
        ({"compare": "1.0.0", "range": ""}, 'write "*"'),
        ({"compare": "1.0.0", "atLeast": "1.0.0", "prereleases": True}, "prereleases goes with range"),
    ],
)
async def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    (mistake,) = VersionPolicy().validate(options)
    assert sentence in mistake
    assert (await ask(**options)).outcome is Outcome.MISCONFIGURED


def test_what_is_still_to_be_looked_up_counts_as_right() -> None:
    assert VersionPolicy().validate({"compare": "${good:-0.0.0}", "atLeast": "${params.oldestCompatible}"}) == []
