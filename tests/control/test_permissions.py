"""Who may do what: every command, query and stream, called by a person without the right, by one with every token's, by an
administrator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.control.fields import OPERATIONS, payload_of
from tests.control.house import ADMIN, EVE, PLAIN, RUNTIME, SERVICE, STANDARD, House, documents, house

from setpoint.control import permissions
from setpoint.control.errors import ControlError, Forbidden
from setpoint.control.permissions import OF_EVERY_PERSON, Permission, may
from setpoint.control.registry import COMMANDS, QUERIES
from setpoint.model.people import Person

RIGHTS = {
    Permission.VIEW: {
        "changes",
        "doctor",
        "events",
        "explain",
        "history",
        "invariants",
        "logs",
        "orphans",
        "releases",
        "replicas",
        "rollup",
        "schema",
        "status",
        "story",
        "timeline",
        "whoami",
    },
    Permission.RELEASE: {"release", "promote", "cancel"},
    Permission.APPROVE: {"approve", "reject"},
    Permission.SKIP: {"skip"},
    Permission.ADOPT: {"adopt"},
    Permission.PIN: {"pin", "unpin"},
    Permission.HOLD: {"hold", "resume", "observe", "heal"},
    Permission.ROLLBACK: {"rollback"},
    Permission.RETRY: {"retry"},
    Permission.MARK: {"mark-bad", "mark-good"},
    Permission.PAUSE: {"pause", "unpause"},
    Permission.STOP: {"stop-the-line", "start-the-line"},
    Permission.CONFIGURE: {"apply", "preview", "remove", "validate"},
    Permission.ADMINISTER: {"audit", "check", "token-create", "token-revoke", "tokens"},
}
"""Every operation with the right that it needs. A new one needs a place here."""


def test_the_table_of_rights_is_whole() -> None:
    assert {right: {name for name, one in OPERATIONS.items() if one.permission is right} for right in Permission} == RIGHTS


@pytest.mark.parametrize("right", Permission)
def test_a_token_that_is_not_an_administrators_views_releases_approves_and_skips(right: Permission) -> None:
    assert may(ADMIN, right)
    assert may(EVE, right) is (right in {"view", "release", "approve", "skip"})


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_a_person_without_rights_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as found:
        monkeypatch.setattr(permissions, "OF_EVERY_PERSON", frozenset())
        assert await _forbidden(found, name, EVE)
        if name in COMMANDS and COMMANDS[name].rehearsable:
            with pytest.raises(Forbidden):
                await found.control.rehearse(name, payload_of(OPERATIONS[name].request), EVE)
        assert not await _forbidden(found, name, ADMIN)


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_a_command_is_forbidden_just_to_those_without_the_right(tmp_path: Path, name: str) -> None:
    async with house(tmp_path) as found:
        refused = {person.name: await _forbidden(found, name, person) for person in (ADMIN, EVE)}
        entries = [one for one in (await found.ask("audit")).entries if one.act == "command"]
    only = COMMANDS[name].permission not in OF_EVERY_PERSON
    assert refused == {"admin": False, "eve": only}
    assert [(one.person, one.command) for one in entries] == [("eve", name), ("admin", name)]
    assert (entries[0].outcome == "forbidden") is only


async def test_queries_and_streams_are_forbidden_just_to_those_without_the_right(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for name in OPERATIONS.keys() - COMMANDS.keys():
            assert await _forbidden(found, name, EVE) is (OPERATIONS[name].permission not in OF_EVERY_PERSON), name
            assert not await _forbidden(found, name, ADMIN), name


async def _forbidden(found: House, name: str, person: Person) -> bool:
    payload = payload_of(OPERATIONS[name].request)
    try:
        if name in COMMANDS:
            await found.control.command(name, payload, person)
        elif name in QUERIES:
            await found.control.query(name, payload, person)
        else:
            await _leave(await found.control.stream(name, payload, person))
    except Forbidden as error:
        return "administrator" in error.hint
    except ControlError:
        return False
    return False


async def _leave(bits: AsyncIterator[object]) -> None:
    await bits.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_where_no_one_is_named_only_an_administrator_approves(tmp_path: Path) -> None:
    approved = PLAIN.replace("after: staging", "after: staging, approvals: [{topic: go-live}]")
    async with house(tmp_path, documents(RUNTIME, SERVICE, approved)) as found:
        await found.release("1.0", EVE)
        await found.waits_for("web@production", "approval-missing")
        for command in ("approve", "reject"):
            with pytest.raises(Forbidden, match="go-live is for an administrator"):
                await found.do(command, Person("ann"), target="web@production")
        await found.do("approve", ADMIN, target="web@production")
        await found.good("web@production", "1.0")


async def test_where_no_one_is_named_only_an_administrator_skips(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0", EVE)
        with pytest.raises(Forbidden, match="only an administrator may"):
            await found.do("skip", EVE, target="web@production", gate="after-staging", why="hurry")
        with pytest.raises(Forbidden, match="only an administrator may"):
            await found.release("1.1", EVE, skip=["after-staging"], why="hurry")
