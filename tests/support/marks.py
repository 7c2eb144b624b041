"""Which cases of a parametrized test only `make nightly` runs."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")


def some_nightly(cases: Iterable[T], often: Container[T]) -> list[object]:
    """All cases, of which only ``often`` run for every change."""
    return [case if case in often else pytest.param(case, marks=pytest.mark.nightly) for case in cases]
