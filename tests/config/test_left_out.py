"""Files that usually hold secrets are not stored with the directory they lie in, unless a document names the file itself."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.control.house import house

from setpoint.config.compile import load
from setpoint.config.files import collect
from setpoint.config.syntax.left_out import EXAMPLES, FOLDERS, NAMES, STORES

APPLICATION = "kind: Application\nname: shop\nchannels: {name: staging}\n"
CANARY = "canary-4711"
PUBLIC = f"-----BEGIN CERTIFICATE-----\n{CANARY}\n-----END CERTIFICATE-----\n"
PRIVATE = f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n"
SECRET = sorted(
    {pattern.replace("*", filling) for pattern in (*NAMES, *STORES) for filling in ("prod", "a.b")}
    | {f"{folder}/config" for folder in FOLDERS}
    | {".ENV", "deep/er/.env", ".env.production.local", "Server.KEY"}
)
"""Names of every pattern: a new one is among them."""
USUAL = [
    *(pattern.replace("*", ".env") for pattern in EXAMPLES),
    "env.py",
    "environment",
    "app.py",
    "keys.json",
    "key",
    "token.py",
    ".envelope",
    "cosign.pub",
    "id_rsa.pub",
    "ssh/config",
]


def configuration(root: Path, block: str, files: dict[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    (root / "setpoint.yaml").write_text(f"{APPLICATION}---\nkind: Service\napplication: shop\nname: web\n{block}\n")
    for name, content in {"app.py": "", **files}.items():
        path = root / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


PROCESS = "process: {command: [python, app.py], directory: app}"


def files_of(root: Path) -> set[str]:
    """The files of a version."""
    found = load(root)
    return set(found.template("shop/web@staging")["files"])


@pytest.mark.parametrize("name", SECRET)
def test_what_usually_holds_secrets_is_left_out_and_named(tmp_path: Path, name: str) -> None:
    root = configuration(tmp_path, PROCESS, {name: CANARY})
    assert CANARY.encode() not in b"".join(collect(root).values())
    assert files_of(root) == {"app/app.py"}
    [notice] = [one for one in load(root).notices if "secrets" in one]
    assert f"app/{name}" in notice
    assert "name the file itself" in notice


@pytest.mark.parametrize("name", USUAL)
def test_other_files_are_stored(tmp_path: Path, name: str) -> None:
    root = configuration(tmp_path, PROCESS, {name: CANARY})
    assert f"app/{name}" in files_of(root)
    assert not [one for one in load(root).notices if "secrets" in one]


@pytest.mark.parametrize(("content", "there"), [(PUBLIC, True), (PRIVATE, False), (PUBLIC + PRIVATE, False)])
def test_a_certificate_is_stored_and_a_private_key_is_not(tmp_path: Path, content: str, there: bool) -> None:
    root = configuration(tmp_path, PROCESS, {"tls.pem": content})
    assert ("app/tls.pem" in files_of(root)) is there


@pytest.mark.parametrize("word", [".env", "--env-file=.env", "./.env"])
def test_a_file_that_the_command_names_is_stored(tmp_path: Path, word: str) -> None:
    root = configuration(tmp_path, f'process: {{command: [python, app.py, "{word}"], directory: app}}', {".env": CANARY})
    assert collect(root)["app/.env"] == CANARY.encode()
    assert files_of(root) == {"app/app.py", "app/.env"}
    assert not [one for one in load(root).notices if "secrets" in one]


@pytest.mark.parametrize("name", [".git", ".git/config", ".hg/hgrc", ".svn/entries"])
def test_version_control_is_never_stored(tmp_path: Path, name: str) -> None:
    root = configuration(tmp_path, PROCESS, {name: CANARY})
    assert sorted(collect(root)) == ["app/app.py", "setpoint.yaml"]


def test_the_directory_of_a_check_is_copied_without_secrets_too(tmp_path: Path) -> None:
    root = configuration(tmp_path, "process: {command: [server]}", {".env": CANARY})
    (root / "check.setpoint.yaml").write_text(
        "kind: Protection\nname: smoke\nprogram: {command: [sh, -c, 'true'], directory: app}\n"
    )
    assert CANARY.encode() not in b"".join(collect(root).values())
    assert load(root).trees.of_program([["sh"]], "app", whole=True) == {"app/app.py"}


async def test_no_store_of_the_engine_has_it(tmp_path: Path) -> None:
    root = configuration(tmp_path / "config", PROCESS, {".env": CANARY})
    sent = {path: base64.b64encode(content).decode() for path, content in collect(root).items()}
    async with house(tmp_path / "home") as found:
        answer = await found.do("apply", files=sent, root=str(root))
    assert "app/.env" in " ".join(answer.notices)
    assert CANARY.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "name",
    [".env~", ".env-production", "server.key.bak", "id_rsa.old", "id_ed25519_sk", ".AWS/credentials", "deploy_key", "a.env.bak~"],
)
def test_copies_and_other_spellings_are_left_out(tmp_path: Path, name: str) -> None:
    root = configuration(tmp_path, PROCESS, {name: CANARY})
    assert f"app/{name}" not in files_of(root)


@pytest.mark.parametrize("kind", ["", "RSA ", "OPENSSH ", "ENCRYPTED "])
@pytest.mark.parametrize("end", ["KEY-----", "KEY BLOCK-----"])
def test_a_private_key_of_any_kind_is_left_out(tmp_path: Path, kind: str, end: str) -> None:
    root = configuration(tmp_path, PROCESS, {"signing.pem": f"-----BEGIN {kind}PRIVATE {end}\nabc\n"})
    assert "app/signing.pem" not in files_of(root)
