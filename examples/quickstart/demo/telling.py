"""What the demo says: lines with the time, and, where it fails, what was expected and what was seen."""

import sys
import time
from collections.abc import Callable

PAUSE = 0.1
"""Seconds between two looks at something that is expected."""
_started = time.monotonic()


class UnexpectedError(Exception):
    """Something that the demo promised was not seen."""


def tell(text: str) -> None:
    """One line of the story."""
    print(f"{time.monotonic() - _started:5.1f} s  {text}", flush=True)


def aside(text: str = "") -> None:
    """A line that is no part of the story."""
    print(f"         {text}".rstrip(), flush=True)


def complain(text: str) -> None:
    """To standard error."""
    print(text, file=sys.stderr, flush=True)


def expect(what: str, look: Callable[[], object], holds: Callable[[object], bool], within: float) -> object:
    """What ``look`` sees as soon as it ``holds``.

    Raises:
        UnexpectedError: it does not within that many seconds.
    """
    deadline = time.monotonic() + within
    while not holds(seen := look()):
        if time.monotonic() > deadline:
            raise UnexpectedError(f"expected within {within:g} s: {what}\nseen at the end: {seen}")
        time.sleep(PAUSE)
    return seen


def expect_still(what: str, look: Callable[[], object], holds: Callable[[object], bool], during: float) -> None:
    """That it ``holds`` all the time.

    Raises:
        UnexpectedError: it did not, once.
    """
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        if not holds(seen := look()):
            raise UnexpectedError(f"expected for {during:g} s: {what}\nseen: {seen}")
        time.sleep(PAUSE)
