"""A note where approvals meet processes of the engine's own user."""

from __future__ import annotations

import pytest
from tests.config.test_selectors import loaded

TEXT = """
kind: Application
name: shop
channels: [{name: prod%s}]
---
kind: Service
application: shop
name: web
process: {command: [web]%s}
"""
APPROVALS = ", approvals: [{topic: go-live, from: [user:grace]}]"


@pytest.mark.parametrize(
    ("approvals", "user", "noted"), [(APPROVALS, "", True), (APPROVALS, ", user: shop-web", False), ("", "", False)]
)
def test_a_version_that_can_approve_itself_is_noted(approvals: str, user: str, *, noted: bool) -> None:
    found = [notice for notice in loaded(TEXT % (approvals, user)).notices if "approve itself" in notice]
    assert len(found) == noted
    assert all("shop/web@prod" in notice and "process.user" in notice for notice in found)
