"""Local people: who is known by which token. Tokens are kept as hashes, and compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

import msgspec

from setpoint.durable import files
from setpoint.model.people import ENGINE, Person
from setpoint.model.time import Instant
from setpoint.store.port import Records

KIND = "token"
PREFIX = "sp_"
ADMIN = "admin"
ADMIN_FILE = "admin.token"


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a token."""

    id: str
    user: str
    sha256: str
    created: Instant
    created_by: str
    groups: tuple[str, ...] = ()
    admin: bool = False
    expires: Instant = 0
    """0: never."""

    @property
    def person(self) -> Person:
        """Whom it stands for."""
        return Person(self.user, self.groups, self.admin)


class People:
    """Tokens in memory and in the data directory."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._tokens: dict[str, Token] = {}

    async def load(self) -> None:
        """Read what is durable."""
        self._tokens = await self._records.all(KIND, Token)

    def known(self) -> list[Token]:
        """Every token, oldest first."""
        return sorted(self._tokens.values(), key=lambda token: (token.created, token.id))

    def identify(self, secret: str, now: Instant) -> Token | None:
        """The token that is presented; None: it is not known, or no longer valid."""
        token = self._tokens.get(_id_of(secret))
        expected = token.sha256 if token else _hash("")
        same = hmac.compare_digest(expected, _hash(secret))
        if token is None or not same or (token.expires and token.expires <= now):
            return None
        return token

    def has(self, name: str) -> bool:
        """Whether there is a token with this id."""
        return name in self._tokens

    async def create(self, person: Person, *, by: str, now: Instant, expires: Instant = 0, name: str = "") -> tuple[Token, str]:
        """A new token; its text is given out once and kept nowhere. ``name``: its id, else a random one."""
        name = name or secrets.token_hex(4)
        secret = f"{PREFIX}{name}_{secrets.token_urlsafe(32)}"
        token = Token(name, person.name, _hash(secret), now, by, person.groups, person.admin, expires)
        await self._records.put(KIND, name, token)
        self._tokens[name] = token
        return token, secret

    async def revoke(self, name: str) -> None:
        """Forget a token; KeyError for one that is not known."""
        if name not in self._tokens:
            raise KeyError(name)
        await self._records.delete(KIND, name)
        self._tokens.pop(name, None)

    async def ensure_admin(self, home: Path, now: Instant) -> Token | None:
        """Make the file with the token of ``admin`` if it is missing or no longer valid; only its user can read it.

        Return the token that was made; None: the one in the file is valid.
        """
        path = home / ADMIN_FILE
        token = self.identify(path.read_text().strip(), now) if path.exists() else None
        made = None
        if token is None or not token.admin:
            made, secret = await self.create(Person(ADMIN, (), admin=True), by=ENGINE.person, now=now)
            files.replace(path, f"{secret}\n".encode())
        files.restrict(path, 0o600)
        return made


def id_of_request(request: str) -> str:
    """Id of the token that a request makes, such as ``1f3a99c0``."""
    return _hash(request)[:8]


def _id_of(secret: str) -> str:
    return secret.removeprefix(PREFIX).partition("_")[0] if secret.startswith(PREFIX) else ""


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
