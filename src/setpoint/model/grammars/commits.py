"""Commits as people write them: hexadecimal digits, whole or the first of them."""

from __future__ import annotations

import re

_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)


def parse_commit(text: str) -> str:
    """A commit in lower case.

    Raises:
        ValueError: saying what to write instead.
    """
    commit = text.strip().lower()
    if not _COMMIT.fullmatch(commit):
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise ValueError(f'"{shown}" is not a valid commit: write its hash, at least the first 7 hexadecimal digits')
    return commit


def may_be_same(one: str, other: str) -> bool:
    """Whether two parsed commits can be the same one: a shortened one is every commit that begins with it."""
    return one.startswith(other) or other.startswith(one)
