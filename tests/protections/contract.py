"""What every protection promises, whatever it asks: one subclass per adapter, against the real counterpart.

A subclass gives the adapter and, as fixtures, one check definition for each thing that can come of it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from tests.support.processes import assert_none_left, new_mark

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.time import SECOND
from setpoint.plugins.protection import Protection

REASON_LENGTH = 300


def definition(use: str, options: dict[str, Any], **more: Any) -> CheckDefinition:
    more = {"timeout": 20 * SECOND} | more
    return CheckDefinition(protection=use, use=use, subject="channel:saas/acme", options=options, **more)


async def run(protection: Protection, check: CheckDefinition) -> CheckResult:
    """One run, with what must hold of each result."""
    result = await protection.run("operation-1", check)
    assert result.reason.strip(), "every result has a reason"
    assert len(result.reason) <= REASON_LENGTH
    assert result.reason.isprintable(), "one line without control characters"
    assert len(result.output) <= 70_000
    return result


class ProtectionContract:
    """Every adapter."""

    protection: Protection

    @pytest.fixture
    def passing(self) -> CheckDefinition:
        raise NotImplementedError

    @pytest.fixture
    def blocking(self) -> CheckDefinition:
        raise NotImplementedError

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        raise NotImplementedError

    @pytest.fixture
    def misconfigured(self) -> CheckDefinition:
        raise NotImplementedError

    async def test_says_yes_with_a_reason(self, passing: CheckDefinition) -> None:
        result = await run(self.protection, passing)
        assert result.outcome is Outcome.PASSING, result

    async def test_says_no_with_a_reason(self, blocking: CheckDefinition) -> None:
        result = await run(self.protection, blocking)
        assert result.outcome is Outcome.BLOCKING, result

    async def test_what_cannot_be_asked_is_unavailable_and_never_raises(self, unavailable: CheckDefinition) -> None:
        result = await run(self.protection, unavailable)
        assert result.outcome is Outcome.UNAVAILABLE, result

    async def test_what_somebody_must_mend_is_misconfigured_and_never_raises(self, misconfigured: CheckDefinition) -> None:
        result = await run(self.protection, misconfigured)
        assert result.outcome is Outcome.MISCONFIGURED, result

    async def test_the_same_check_may_run_again_and_side_by_side(self, passing: CheckDefinition) -> None:
        results = await asyncio.gather(*(run(self.protection, passing) for _ in range(3)))
        assert [result.outcome for result in results] == [Outcome.PASSING] * 3

    def test_good_options_have_no_mistakes(self, passing: CheckDefinition, blocking: CheckDefinition) -> None:
        assert self.protection.validate(passing.options) == []
        assert self.protection.validate(blocking.options) == []

    def test_an_unknown_option_is_named(self, passing: CheckDefinition) -> None:
        mistakes = self.protection.validate(passing.options | {"colour": "red"})
        assert len(mistakes) == 1
        assert "colour" in mistakes[0]

    async def test_options_of_the_wrong_shape_are_misconfigured_too(self, passing: CheckDefinition) -> None:
        for shape in (7, ["x"], {"x": ["y"]}, None, True, ""):
            options = dict.fromkeys(passing.options, shape)
            result = await run(self.protection, definition(passing.use, options))
            assert result.outcome is Outcome.MISCONFIGURED or passing.use == "always", (shape, result)


class MayTakeLong:
    """Adapters that ask something outside: time-outs and cancellation."""

    protection: Protection

    @pytest.fixture
    def hanging(self) -> CheckDefinition:
        """Takes longer than anybody waits."""
        raise NotImplementedError

    async def test_a_time_out_is_unavailable_says_so_and_leaves_nothing(self, hanging: CheckDefinition) -> None:
        mark = new_mark()
        start = time.monotonic()
        result = await run(self.protection, _replace(hanging, timeout=700, env=hanging.env | mark))
        assert result.outcome is Outcome.UNAVAILABLE
        assert "700ms" in result.reason
        assert time.monotonic() - start < 6
        assert_none_left(mark, within=0)

    async def test_cancelling_it_leaves_nothing(self, hanging: CheckDefinition) -> None:
        mark = new_mark()
        task = asyncio.create_task(self.protection.run("operation-1", _replace(hanging, env=hanging.env | mark)))
        await asyncio.sleep(0.3)  # anywhere on its way: the promise holds at every point
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_none_left(mark, within=0)


def _replace(check: CheckDefinition, **changes: Any) -> CheckDefinition:
    return msgspec.structs.replace(check, **changes)
