"""The client of the API: quick on loopback, careful elsewhere."""

from __future__ import annotations

import certifi
import pytest

from setpoint.server.client import Client


@pytest.mark.parametrize(("url", "read"), [("http://127.0.0.1:1", 0), ("https://setpoint.example", 1)])
def test_certificates_are_read_only_where_they_are_verified(monkeypatch: pytest.MonkeyPatch, url: str, read: int) -> None:
    asked: list[str] = []
    where = certifi.where

    def counted() -> str:
        asked.append(url)
        return where()

    monkeypatch.setattr(certifi, "where", counted)
    with Client(url, "token"):
        assert len(asked) == read
