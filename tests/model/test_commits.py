"""Commits, whole and shortened."""

from __future__ import annotations

import pytest

from setpoint.model.grammars.commits import may_be_same, parse_commit

WHOLE = "4f2e91c0aa" + "0" * 30


@pytest.mark.parametrize("text", [WHOLE, "4F2E91C", " 4f2e91c ", "a" * 64])
def test_a_hash_or_its_beginning_is_a_commit(text: str) -> None:
    assert parse_commit(text) == text.strip().lower()


@pytest.mark.parametrize("text", ["", "main", "4f2e91", "v1.4.2", "-4f2e91c", "4f2e91c^", "a" * 65, "4f2e91c\n--help"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid commit: write its hash"):
        parse_commit(text)


def test_a_shortened_commit_may_be_every_one_that_begins_with_it() -> None:
    assert may_be_same(WHOLE, "4f2e91c")
    assert may_be_same("4f2e91c", WHOLE)
    assert not may_be_same("4f2e91d", WHOLE)
