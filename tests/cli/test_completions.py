"""Shell completion asks only an engine of this user."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from setpoint.cli import completions
from setpoint.cli.main import app
from setpoint.server.client import Client


def test_no_token_goes_to_a_data_directory_that_is_not_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(Client, "at", asked.append)
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    context = click.Context(app)
    context.params["home"] = home
    assert completions.targets(context, app.params[0], "") == []
    assert asked == []
