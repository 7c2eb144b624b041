"""Tokens come from a file or the environment, never from arguments, which every user of the machine can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.parser import leaves

from setpoint.cli.main import app
from setpoint.server.client import Client, ClientError

SECRET = "sp_12345678_canary"


def test_no_command_takes_a_secret_as_an_argument() -> None:
    secret = {"token", "password", "secret", "key", "credential"}
    parameters = [(words, one) for words, command in leaves() for one in command.params]
    options = [(words, option) for words, one in parameters if one.param_type_name == "option" for option in one.opts]
    assert (("whoami",), "--token-file") in options
    assert [one for one in options if secret & set(one[1].strip("-").split("-")) and not one[1].endswith("-file")] == []


def test_a_token_among_the_arguments_is_refused_and_not_repeated() -> None:
    for words in (["--token", SECRET], [f"--token={SECRET}"]):
        done = CliRunner().invoke(app, ["whoami", *words])
        assert done.exit_code != 0
        assert "No such option" in done.output
        assert SECRET not in done.output


def test_the_token_of_a_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def at(home: Path, token: str = "") -> Client:
        used.append(token)
        raise ClientError("unreachable", "No engine runs here.")

    monkeypatch.setattr(Client, "at", at)
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    for words in ([], ["--token-file", str(file)]):
        CliRunner().invoke(app, ["whoami", *words])
    assert used == ["", SECRET]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_without_a_token_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    done = CliRunner().invoke(app, ["whoami", "--token-file", str(file)])
    assert done.exit_code == 1
    assert str(done.exception).startswith(f"The token in {file} cannot be read: ")
