"""Tokens: shown once, kept as hashes, worthless when revoked or expired."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.control.house import ADMIN, house

from setpoint.control.errors import Malformed, NotFound, Refused
from setpoint.control.people import ADMIN_FILE, PREFIX
from setpoint.model.time import DAY


async def test_the_first_start_leaves_a_token_for_the_administrator_that_only_its_user_can_read(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        path = tmp_path / ADMIN_FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        token = found.services.people.identify(path.read_text().strip(), found.services.clock())
        assert token is not None
        assert token.person == ADMIN


async def test_the_administrators_file_stays_the_same_and_is_made_anew_when_it_is_lost(tmp_path: Path) -> None:
    path = tmp_path / ADMIN_FILE
    async with house(tmp_path):
        first = path.read_text()
    async with house(tmp_path):
        assert path.read_text() == first
    path.unlink()
    async with house(tmp_path) as found:
        assert path.read_text() != first
        token = found.services.people.identify(path.read_text().strip(), 0)
        assert token is not None
        assert token.person == ADMIN


async def test_a_token_stands_for_its_person_and_its_secret_is_kept_nowhere(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.do("token-create", user="ann", groups=["leads", "on-call"])
        token = found.services.people.identify(made.token, found.services.clock())
        assert token is not None
        assert (token.user, token.groups, token.admin) == ("ann", ("leads", "on-call"), False)
        shown = await found.ask("tokens")
        audit = await found.ask("audit")
        secret = made.token.removeprefix(PREFIX).partition("_")[2]
        assert made.token not in shown.model_dump_json() + audit.model_dump_json()
    assert secret.encode() not in stored(tmp_path)


def stored(home: Path) -> bytes:
    """Everything in the data directory but the administrator's own file."""
    return b"".join(path.read_bytes() for path in home.iterdir() if path.is_file() and path.name != ADMIN_FILE)


async def test_tokens_outlive_the_engine(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.do("token-create", user="ann")
    async with house(tmp_path) as again:
        assert again.services.people.identify(made.token, again.services.clock()) is not None


async def test_a_revoked_token_is_worthless(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.do("token-create", user="ann")
        await found.do("token-revoke", id=made.id)
        assert found.services.people.identify(made.token, found.services.clock()) is None
        with pytest.raises(NotFound):
            await found.do("token-revoke", id=made.id)


async def test_an_expired_token_is_worthless(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        made = await found.do("token-create", user="ann", expires="1d")
        now = found.services.clock()
        assert found.services.people.identify(made.token, now) is not None
        assert found.services.people.identify(made.token, now + DAY) is None


@pytest.mark.parametrize("expires", ["soon", "0", "5"])
async def test_a_strange_duration_is_refused(tmp_path: Path, expires: str) -> None:
    async with house(tmp_path) as found:
        with pytest.raises(Malformed, match="expires"):
            await found.do("token-create", user="ann", expires=expires)


@pytest.mark.parametrize("user", ["", "a b", "-x", "x" * 200, "a\nb"])
async def test_a_strange_name_is_refused(tmp_path: Path, user: str) -> None:
    async with house(tmp_path) as found:
        with pytest.raises(Malformed):
            await found.do("token-create", user=user)


async def test_the_last_administrator_cannot_be_locked_out(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        only = (await found.ask("tokens")).tokens[0]
        with pytest.raises(Refused, match="last token of an administrator"):
            await found.do("token-revoke", id=only.id)
        await found.do("token-create", user="root2", admin=True)
        await found.do("token-revoke", id=only.id)


@pytest.mark.parametrize("presented", ["", "sp_", "sp_00000000_x", "Bearer", "sp__", "sp_é_\udcff"])
async def test_what_is_no_token_identifies_nobody(tmp_path: Path, presented: str) -> None:
    async with house(tmp_path) as found:
        assert found.services.people.identify(presented, 0) is None
