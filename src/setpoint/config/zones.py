"""Which time zones there are: those of the ``tzdata`` package, whatever the host has."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def zones() -> frozenset[str]:
    """Every IANA name, ``UTC`` among them."""
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(text.split())
