"""What was applied is what decides: programs are run as they were at ``apply``, whatever lies on the disk by then (§10.6)."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import RUNTIME, SERVICE, House, documents, house
from tests.protections.test_migrations import Scripts
from tests.support.eventually import eventually

from setpoint.config.compile import load
from setpoint.config.files import collect, executables
from setpoint.control.context import RequestContext
from setpoint.control.reading.states import line_of
from setpoint.model.people import Person
from setpoint.runtimes.custom import CustomRuntime
from setpoint.runtimes.fake import FakeRuntime

APPLICATION = """
kind: Application
name: saas
channels: [{name: staging, runtime: pretend, protections: {use: web-migrated}}]
"""
PROTECTION = """
kind: Protection
name: web-migrated
program: {command: [./check-migrations, rules.txt], env: {SEEN: "SEEN-FILE"}}
interval: 50ms
timeout: 5s
"""
CHECK = '#!/bin/sh\necho run >> "$SEEN"\n. ./"$1"\nexit 1\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with a configuration whose check says no, by rules in a file beside it."""
    root = tmp_path / "checkout"
    root.mkdir()
    protection = PROTECTION.replace("SEEN-FILE", str(tmp_path / "seen"))
    (root / "setpoint.yaml").write_text(documents(RUNTIME, SERVICE, APPLICATION, protection))
    write(root, "check-migrations", CHECK, 0o755)
    write(root, "rules.txt", "echo no by the first rules\n")
    return root


def write(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    (root / name).write_text(text)
    (root / name).chmod(mode)


def payload(root: Path) -> dict[str, Any]:
    """As the command line sends it."""
    files = collect(root)
    encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
    return {"files": encoded, "root": str(root), "executable": executables(root, files)}


async def runs(root: Path, more: int = 2) -> None:
    """Wait until the check ran so many times more."""
    seen = root.parent / "seen"
    before = len(seen.read_text().splitlines()) if seen.exists() else 0

    async def ran() -> bool:
        return seen.exists() and len(seen.read_text().splitlines()) >= before + more

    await eventually(ran, 20, lambda: "the check does not run")


async def blocked_by(found: House, text: str) -> None:
    async def is_blocked() -> bool:
        reason = (await found.row("web@staging")).reason
        return bool(reason and text in reason.text)

    await eventually(is_blocked, 20, lambda: f"it is not blocked by {text}")


async def releases(found: House) -> int:
    return len((await line_of(RequestContext(found.services, Person("test"), 0, ""), "saas")).releases)


async def test_an_edited_check_makes_no_release(tmp_path: Path, checkout: Path) -> None:
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        await found.release("1.0")
        await blocked_by(found, "no by the first rules")
        write(checkout, "check-migrations", "#!/bin/sh\nexit 0\n", 0o755)
        await runs(checkout)
        await blocked_by(found, "no by the first rules")
        preview = await found.ask("preview", **payload(checkout))
        assert preview.releases == []
        assert [line.partition("  ")[2] for line in preview.lines] == [
            "policy  protection web-migrated: check-migrations changed"
        ]
        assert await releases(found) == 1
        applied = await found.do("apply", **payload(checkout))
        assert (applied.releases, applied.changes) == ({}, 1)
        assert await releases(found) == 1
        await found.good("web@staging", "1.0")


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda root: write(root, "rules.txt", "echo no by the second rules\n"), "rules.txt changed"),
        (lambda root: (root / "check-migrations").chmod(0o644), "check-migrations changed"),
    ],
)
async def test_each_edit_shows_in_the_difference(tmp_path: Path, checkout: Path, edit: Callable[[Path], None], line: str) -> None:
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        assert (await found.ask("preview", **payload(checkout))).lines == []
        edit(checkout)
        (shown,) = (await found.ask("preview", **payload(checkout))).lines
        assert shown.endswith(f"protection web-migrated: {line}")


async def test_an_engine_that_starts_again_runs_the_check_without_the_directory_it_came_from(
    tmp_path: Path, checkout: Path
) -> None:
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
    shutil.rmtree(checkout)
    shutil.rmtree(tmp_path / "home" / "applied", ignore_errors=True)
    async with house(tmp_path / "home") as found:
        await found.release("1.0")
        await blocked_by(found, "no by the first rules")


async def test_a_checkout_elsewhere_with_the_same_files_changes_nothing(tmp_path: Path, checkout: Path) -> None:
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        shutil.move(checkout, tmp_path / "moved")
        preview = await found.ask("preview", **payload(tmp_path / "moved"))
        assert (preview.lines, preview.releases) == ([], [])


async def test_what_a_program_changes_of_its_own_copy_is_laid_out_again(tmp_path: Path, checkout: Path) -> None:
    spoil = '#!/bin/sh\necho run >> "$SEEN"\n. ./"$1"\nrm -f "$1"; echo "echo spoilt" > "$1"\nexit 1\n'
    write(checkout, "check-migrations", spoil, 0o755)
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        await found.release("1.0")
        await runs(checkout, 3)
        await blocked_by(found, "no by the first rules")


async def test_a_mutable_check_runs_what_lies_there(tmp_path: Path, checkout: Path) -> None:
    text = (checkout / "setpoint.yaml").read_text()
    (checkout / "setpoint.yaml").write_text(text.replace("program: {", "program: {mutable: true, "))
    async with house(tmp_path / "home") as found:
        applied = await found.do("apply", **payload(checkout))
        assert any("protection web-migrated" in notice for notice in applied.notices)
        await found.release("1.0")
        await blocked_by(found, "no by the first rules")
        write(checkout, "rules.txt", "echo no by the second rules\n")
        await blocked_by(found, "no by the second rules")


async def test_what_a_check_is_run_with_is_stored_before_the_revision_that_asks_for_it(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path / "home") as found:
        save, stored = found.services.stores.documents.save, []

        async def noting(*arguments: Any, **more: Any) -> Any:
            assert found.services.applied is None, "nothing is in force yet"
            stored.extend([await found.services.stores.content.file(tree) for tree in load(checkout).trees.contents])
            return await save(*arguments, **more)

        monkeypatch.setattr(found.services.stores.documents, "save", noting)
        await found.do("apply", **payload(checkout))
        assert stored
        assert None not in stored


async def test_a_task_is_run_as_it_was_applied(tmp_path: Path, checkout: Path) -> None:
    text = (checkout / "setpoint.yaml").read_text()
    text = text.replace("protections: {use: web-migrated}", "tasks: {use: web-migrated, at: pre-deployment}")
    text = text.replace("kind: Protection", "kind: Task").replace("interval: 50ms\n", "")
    (checkout / "setpoint.yaml").write_text(text)
    write(checkout, "check-migrations", '#!/bin/sh\n. ./"$1" >> "$SEEN"\n', 0o755)
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        shutil.rmtree(checkout)
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        assert (tmp_path / "seen").read_text() == "no by the first rules\n"


async def test_a_custom_runtime_deploys_as_it_was_applied(tmp_path: Path, checkout: Path) -> None:
    runtime = "kind: Runtime\nname: pretend\ncustom: {apply: [./deploy, '${version}']}\npoll: {moving: 20ms, settled: 200ms}\n"
    service = "kind: Service\napplication: saas\nname: web\ncustom: {}\nenv: {VERSION: '${version}', SEEN: '%s'}\n"
    plain = APPLICATION.replace(", protections: {use: web-migrated}", "")
    (checkout / "setpoint.yaml").write_text(documents(runtime, service % (tmp_path / "seen"), plain))
    write(checkout, "deploy", '#!/bin/sh\necho "first $1" >> "$SEEN"\n', 0o755)
    adapters = {"fake": FakeRuntime, "custom": CustomRuntime}
    async with house(tmp_path / "home", runtimes=adapters) as found:
        await found.do("apply", **payload(checkout))
        write(checkout, "deploy", '#!/bin/sh\necho "second $1" >> "$SEEN"\n', 0o755)
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        preview = await found.ask("preview", **payload(checkout))
        assert [line.partition("  ")[2] for line in preview.lines] == ["policy  runtime pretend: deploy changed"]
        assert preview.releases == []
        await found.do("apply", **payload(checkout))
        shutil.rmtree(checkout)
        await found.release("2.0")
        await found.good("web@staging", "2.0")
        assert (tmp_path / "seen").read_text() == "first 1.0\nsecond 2.0\n"


async def test_a_path_that_a_release_says_never_leads_out_of_what_was_applied(tmp_path: Path, checkout: Path) -> None:
    text = (checkout / "setpoint.yaml").read_text()
    text = text.replace("./check-migrations", "'checks/${params.which}'").replace(
        "name: web\n", "name: web\nparameters: {which: {default: inside}}\n"
    )
    (checkout / "setpoint.yaml").write_text(text)
    (checkout / "checks").mkdir()
    write(checkout, "checks/inside", CHECK, 0o755)
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        await found.release("1.0", web={"parameters": {"which": "inside"}})
        await blocked_by(found, "no by the first rules")
        await found.release("1.1", web={"parameters": {"which": f"../../../../../..{checkout}/checks/inside"}})
        await blocked_by(found, "leads out of the files that were applied")


@pytest.mark.parametrize("named", ["directory: migrations", "config: alembic.ini"])
async def test_a_database_is_compared_with_the_scripts_that_were_applied(tmp_path: Path, checkout: Path, named: str) -> None:
    database = f"sqlite:///{tmp_path / 'x.db'}"
    scripts = Scripts(checkout)
    scripts.add("1a2b")
    scripts.upgrade(database)
    (checkout / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    check = f"{{use: db-migrated, interval: 100ms, timeout: 20s, with: {{{named}, url: '{database}'}}}}"
    text = documents(RUNTIME, SERVICE, APPLICATION.replace("{use: web-migrated}", check))
    (checkout / "setpoint.yaml").write_text(text)
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        scripts.add("3c4d", "1a2b")
        (line,) = (await found.ask("preview", **payload(checkout))).lines
        assert line.endswith("protection db-migrated: migrations/versions/3c4d.py added")
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        await found.do("apply", **payload(checkout))
        await found.release("1.1")
        await blocked_by(found, "scripts at 3c4d")


@pytest.mark.parametrize(("directory", "shown"), [("", "the configuration"), ("checks", "checks")])
async def test_a_program_that_is_not_there_is_named_as_the_configuration_names_it(
    tmp_path: Path, checkout: Path, directory: str, shown: str
) -> None:
    text = (checkout / "setpoint.yaml").read_text()
    place = f", directory: {directory}" if directory else ""
    (checkout / "setpoint.yaml").write_text(text.replace("[./check-migrations, rules.txt]", f"[no-such-check]{place}"))
    (checkout / "checks").mkdir()
    write(checkout, "checks/any", "")
    async with house(tmp_path / "home") as found:
        await found.do("apply", **payload(checkout))
        await found.release("1.0")
        await blocked_by(found, f"no-such-check in {shown} not found")
