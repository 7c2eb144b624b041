"""The client of the API: quick on loopback, careful elsewhere."""

from __future__ import annotations

from typing import Any

import httpcore2
import pytest

from setpoint.server.client import Client


@pytest.mark.parametrize(("url", "read"), [("http://127.0.0.1:1", 0), ("https://setpoint.example", 1)])
def test_certificates_are_read_only_where_they_are_verified(monkeypatch: pytest.MonkeyPatch, url: str, read: int) -> None:
    made: list[str] = []
    context = httpcore2.default_ssl_context

    def counted(**options: Any) -> Any:
        made.append(url)
        return context(**options)

    monkeypatch.setattr(httpcore2, "default_ssl_context", counted)
    with Client(url, "token"):
        assert len(made) == read
