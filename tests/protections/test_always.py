"""The protection that always answers the same."""

from __future__ import annotations

import pytest
from tests.protections.contract import ProtectionContract, definition, run

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.always import AlwaysProtection


class TestAlways(ProtectionContract):
    protection = AlwaysProtection()

    @pytest.fixture
    def passing(self) -> CheckDefinition:
        return definition("always", {"result": "passing"})

    @pytest.fixture
    def blocking(self) -> CheckDefinition:
        return definition("always", {"result": "blocking", "reason": "closed for stock-taking"})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("always", {"result": "unavailable"})

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        return definition("always", {"result": "perhaps"})


async def test_the_reason_is_the_one_given() -> None:
    check = definition("always", {"result": "blocking", "reason": "closed for stock-taking"})
    assert await run(AlwaysProtection(), check) == CheckResult(Outcome.BLOCKING, "closed for stock-taking")


async def test_without_options_it_passes() -> None:
    assert (await run(AlwaysProtection(), definition("always", {}))).outcome is Outcome.PASSING
