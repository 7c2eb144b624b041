"""Waiting for a real process or server: poll a condition with a deadline, never sleep and hope."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
Why = str | Callable[[], str]


@overload
async def eventually(
    condition: Callable[[], Awaitable[T | None]], within: float = 30, why: Why = "", every: float = 0.02
) -> T: ...


@overload
async def eventually(condition: Callable[[], T | None], within: float = 30, why: Why = "", every: float = 0.02) -> T: ...


async def eventually(condition: Callable[[], Any], within: float = 30, why: Why = "", every: float = 0.02) -> Any:
    """The first true value of ``condition`` (sync or async); AssertionError after ``within`` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        value = await value if inspect.isawaitable(value) else value
        if value:
            return value
        _check(deadline, why, condition)
        await asyncio.sleep(every)


def wait_until(condition: Callable[[], T | None], within: float = 30, why: Why = "", every: float = 0.02) -> T:
    """The same where no event loop runs."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        _check(deadline, why, condition)
        time.sleep(every)
    return value


def _check(deadline: float, why: Why, condition: object) -> None:
    if time.monotonic() > deadline:
        raise AssertionError(why() if callable(why) else why or f"never came true: {condition}")
