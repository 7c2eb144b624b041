"""Trees of files are laid out as they were applied, whatever happens to the disk meanwhile (§10.6)."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.faults import faults
from tests.support.users import OTHER, USER, needs_users, open_place

from setpoint.engine import applied
from setpoint.engine.applied import AppliedTrees
from setpoint.model.checks import CheckDefinition
from setpoint.model.trees import Stored, Tree
from setpoint.plugins.errors import TerminalError, TransientError
from setpoint.programs.users import account_of, closed_to
from setpoint.store.port import Content


class Stock:
    """Contents by their hashes."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.contents[sha256] = content
        return sha256

    def tree(self, **files: str) -> str:
        stored = {name.replace("__", "/"): Stored(self.put(text.encode()), name == "run") for name, text in files.items()}
        return self.put(Tree(stored, ("work",)).encode())

    async def file(self, sha256: str) -> bytes | None:
        return self.contents.get(sha256)


@pytest.fixture
def stock() -> Stock:
    return Stock()


def made(home: Path, stock: Stock) -> AppliedTrees:
    return AppliedTrees(home, cast("Content", stock))


def check(tree: str, **options: Any) -> CheckDefinition:
    return CheckDefinition(
        "c", "program", "s", {"command": ["./run"], "directory": "work", **options}, tree=tree, paths=("directory",)
    )


async def test_a_tree_has_its_files_its_modes_and_its_working_directory(tmp_path: Path, stock: Stock) -> None:
    path = await made(tmp_path, stock).ready(stock.tree(run="#!/bin/sh\n", lib__rules="r"))
    assert sorted(one.relative_to(path).as_posix() for one in path.rglob("*")) == ["lib", "lib/rules", "run", "work"]
    assert (path / "run").stat().st_mode & 0o777 == 0o500
    assert (path / "lib/rules").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
async def test_at_every_point_where_the_disk_may_fail_nothing_half_made_is_used(tmp_path: Path, stock: Stock, error: int) -> None:
    tree = stock.tree(run="#!/bin/sh\n", lib__rules="rules")
    point, failed, said = 1, True, ""
    while failed:
        found = made(tmp_path / str(point), stock)
        with faults(point, 1, error) as disk:
            try:
                path = await found.ready(tree)
            except TransientError as refused:
                said, path = str(refused), tmp_path
            failed = disk.calls >= point
        if path == tmp_path:
            path = await found.ready(tree)
        assert (path / "lib/rules").read_text() == "rules"
        assert (path / "run").stat().st_mode & 0o111
        point += 1
    assert point > 8, "there are that many calls"
    assert os.strerror(error) in said


@pytest.mark.parametrize("spoil", ["change", "remove", "link", "mode", "all"])
async def test_what_was_changed_is_laid_out_again(tmp_path: Path, stock: Stock, spoil: str) -> None:
    found, tree = made(tmp_path, stock), stock.tree(run="#!/bin/sh\n", rules="rules")
    path = await found.ready(tree)
    rules = path / "rules"
    if spoil == "change":
        rules.chmod(0o644)
        rules.write_text("other")
    elif spoil == "mode":
        (path / "run").chmod(0o444)
    elif spoil == "all":
        path.rename(tmp_path / "gone")
    else:
        rules.unlink()
        if spoil == "link":
            (tmp_path / "elsewhere").write_text("rules")
            rules.symlink_to(tmp_path / "elsewhere")
    for again in (found, made(tmp_path, stock)):
        await again.ready(tree)
        assert rules.read_text() == "rules"
        assert not rules.is_symlink()
        assert (path / "run").stat().st_mode & 0o111


async def test_a_half_written_tree_of_an_engine_that_was_killed_is_laid_out_again(tmp_path: Path, stock: Stock) -> None:
    tree = stock.tree(run="#!/bin/sh\n", rules="rules")
    path = await made(tmp_path, stock).ready(tree)
    (path / "rules").chmod(0o644)
    (path / "rules").write_text("")
    (path / "rules").chmod(0o400)
    await made(tmp_path, stock).ready(tree)
    assert (path / "rules").read_text() == "rules"


@needs_users
async def test_a_tree_of_another_user_is_a_copy_that_no_third_user_reaches(stock: Stock) -> None:
    tree = stock.tree(run="#!/bin/sh\n", rules="rules")
    with open_place() as place:
        home = place / "home"
        home.mkdir(0o700)
        found = made(home, stock)
        before = os.umask(0o077)
        try:
            async with found.used(check(tree, user=USER)) as definition, found.used(check(tree)) as own:
                directory = Path(definition.options["directory"])
        finally:
            os.umask(before)
        assert directory == place / "home.users" / USER / "applied" / tree / "work"
        assert own.options["directory"] == str(home / "applied" / tree / "work")
        assert closed_to(account_of(USER), directory) is None
        assert closed_to(account_of(OTHER), directory) == place / "home.users" / USER
        assert (directory.parent / "run").stat().st_mode & 0o777 == 0o555
        (directory.parent / "rules").unlink()
        async with found.used(check(tree, user=USER)):
            assert (directory.parent / "rules").read_text() == "rules"


@needs_users
async def test_at_every_point_where_the_disk_may_fail_the_user_reaches_what_is_made_in_the_end(stock: Stock) -> None:
    tree, point, failed = stock.tree(run="#!/bin/sh\n", rules="rules"), 1, True
    before = os.umask(0o077)
    try:
        with open_place() as place:
            while failed:
                home = place / str(point) / "home"
                home.mkdir(parents=True)
                home.parent.chmod(0o755)
                with faults(point, 1, errno.ENOSPC) as disk:
                    with suppress(TransientError):
                        async with made(home, stock).used(check(tree, user=USER)):
                            pass
                    failed = disk.calls >= point
                async with made(home, stock).used(check(tree, user=USER)) as definition:
                    assert closed_to(account_of(USER), Path(definition.options["directory"])) is None
                point += 1
    finally:
        os.umask(before)
    assert point > 12, "there are that many calls"


async def test_a_tree_for_a_user_that_is_not_there_is_refused(tmp_path: Path, stock: Stock) -> None:
    with pytest.raises(TerminalError, match='the user "no-such-user" does not exist'):
        async with made(tmp_path, stock).used(check(stock.tree(run=""), user="no-such-user")):
            pass


async def test_only_what_was_not_used_for_long_goes(tmp_path: Path, stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applied, "KEPT", 1)
    found = made(tmp_path, stock)
    trees = {name: stock.tree(run=name) for name in ("in-use", "old", "young", "newest")}
    long_ago = time.time() - 2 * applied.YOUNG
    async with found.used(check(trees["in-use"])) as placed:
        for name in ("old", "young"):
            await found.ready(trees[name])
        for name in ("in-use", "old"):
            os.utime(found.path(trees[name]), (long_ago, long_ago))
        await found.ready(trees["newest"])
        assert placed.options["directory"] == str(found.path(trees["in-use"]) / "work")
    left = {name for name, tree in trees.items() if found.path(tree).exists()}
    assert left == {"in-use", "young", "newest"}
    assert (await found.ready(trees["old"])).is_dir(), "and what is needed once more comes back"


async def test_what_is_not_stored_and_what_leads_out_is_said(tmp_path: Path, stock: Stock) -> None:
    found, tree = made(tmp_path, stock), stock.tree(run="x")
    for definition, words in (
        (check("0" * 64), "apply the configuration again"),
        (check(tree, directory="../.."), "leads out"),
        (check(tree, command=["../../bin/sh"]), "leads out"),
    ):
        with pytest.raises(TerminalError, match=words):
            async with found.used(definition):
                pass
    async with found.used(check(tree)) as placed:
        assert placed.options == {"command": ["./run"], "directory": str(tmp_path / "applied" / tree / "work")}
