"""Which files are read, and that nothing outside of the directory ever is."""

from __future__ import annotations

from pathlib import Path

import pytest

from setpoint.config.compile import check, load
from setpoint.config.files import collect
from setpoint.config.problems import ConfigurationError
from setpoint.config.syntax import paths

APPLICATION = "kind: Application\nname: shop\nchannels: {name: staging}\n"


def service(block: str) -> str:
    return f"kind: Service\napplication: shop\nname: web\nprocess: {block}\n"


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_documents_are_read_at_any_depth_and_nothing_else_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        setpoint_dot_yaml=APPLICATION,
        a__b__web_dot_setpoint_dot_yml=service("{command: [server]}"),
        other_dot_yaml="kind: [",
        __git="x",
    )
    write(tmp_path, node_modules__x_dot_setpoint_dot_yaml="kind: [")
    assert sorted(collect(tmp_path)) == ["a/b/web.setpoint.yml", "setpoint.yaml"]
    assert load(tmp_path).instances("shop") == ["shop/web@staging"]


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    assert [problem.code for problem in check(tmp_path / "nowhere")] == ["no-directory"]


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "root", setpoint_dot_yaml=APPLICATION)
    outside = write(tmp_path / "outside", secret_dot_yaml=APPLICATION)
    (root / "evil.setpoint.yaml").symlink_to(outside / "secret.yaml")
    assert [(p.code, p.file) for p in check(root)] == [("symlink-outside", "evil.setpoint.yaml")]


def test_a_refused_file_hides_no_mistakes_in_others_and_causes_none(tmp_path: Path) -> None:
    text = APPLICATION.replace("staging", "staging, runtime: cluster, sirvices: web")
    root = write(tmp_path / "root", setpoint_dot_yaml=text)
    (root / "evil.setpoint.yaml").symlink_to("/etc/hostname")
    assert [problem.code for problem in check(root)] == ["symlink-outside", "unknown-key"]
    with pytest.raises(ConfigurationError) as error:
        load(root)
    assert error.value.problems == check(root)


def test_folders_behind_links_are_not_entered(tmp_path: Path) -> None:
    root = write(tmp_path / "root", setpoint_dot_yaml=APPLICATION)
    outside = write(tmp_path / "outside", a_dot_setpoint_dot_yaml="kind: [")
    (root / "sub").symlink_to(outside, target_is_directory=True)
    assert sorted(collect(root)) == ["setpoint.yaml"]


def test_a_link_inside_of_the_directory_and_a_dangling_one(tmp_path: Path) -> None:
    write(tmp_path, apps__shop_dot_yaml=APPLICATION)
    (tmp_path / "shop.setpoint.yaml").symlink_to("apps/shop.yaml")
    assert load(tmp_path).applications == ["shop"]
    (tmp_path / "gone.setpoint.yaml").symlink_to("nowhere")
    assert [problem.code for problem in check(tmp_path)] == ["unreadable-file"]


def test_a_directory_is_stored_by_content_without_documents_and_caches(tmp_path: Path) -> None:
    text = APPLICATION + "---\n" + service("{command: [python, app.py], directory: code}")
    write(tmp_path, setpoint_dot_yaml=text, code__app_dot_py="1", code__lib__x_dot_py="2", code____pycache____app_dot_pyc="3")
    write(tmp_path, code__note_dot_setpoint_dot_yaml="x-note: a", code__b_dot_pyc="4")
    configuration = load(tmp_path)
    spec = configuration.compile("shop/web@staging", "1", {})
    assert sorted(spec.files) == ["code/app.py", "code/lib/x.py"]
    assert spec.workload.options["directory"] == "code"
    assert sorted(configuration.file_bytes(spec).values()) == [b"1", b"2"]


def test_changed_content_is_another_revision_but_only_of_the_service_that_has_it(tmp_path: Path) -> None:
    text = (
        APPLICATION
        + "---\n"
        + service("{command: [python, app.py]}")
        + "---\n"
        + service("{command: [other]}").replace("web", "other")
    )
    write(tmp_path, setpoint_dot_yaml=text, app_dot_py="1")
    before = load(tmp_path)
    write(tmp_path, app_dot_py="2")
    after = load(tmp_path)
    assert before.revision("shop", "web") != after.revision("shop", "web")
    assert before.revision("shop", "other") == after.revision("shop", "other")
    assert before.digest != after.digest


def test_a_mutable_directory_is_used_where_it_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        setpoint_dot_yaml=APPLICATION + "---\n" + service("{command: [a], directory: code, mutable: true}"),
        code__app_dot_py="1",
    )
    spec = load(tmp_path).compile("shop/web@staging", "1", {})
    assert spec.files == {}
    assert spec.workload.options["directory"] == str(tmp_path / "code")


def test_a_directory_that_is_too_large_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MAX_FILES", 3)
    text = APPLICATION + "---\n" + service("{command: [a], directory: code}")
    write(tmp_path, setpoint_dot_yaml=text, **{f"code__f{number}": "x" for number in range(5)})
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path)
    assert [problem.code for problem in error.value.problems] == ["directory-too-large"]
    files = {"setpoint.yaml": text.encode()} | {f"code/f{number}": b"x" for number in range(5)}
    from setpoint.config.compile import check_files

    assert [problem.code for problem in check_files(files, tmp_path)] == ["directory-too-large"]


def test_a_program_beside_its_document_is_found_wherever_that_is(tmp_path: Path) -> None:
    protection = "kind: Protection\nname: check\nprogram: {command: [./bin/check]}\n"
    text = APPLICATION.replace("staging", "staging, protections: check") + "---\n" + service("{command: [a]}")
    write(tmp_path, setpoint_dot_yaml=text, checks__c_dot_setpoint_dot_yaml=protection, checks__bin__check="#!/bin/sh\n")
    (use,) = load(tmp_path).policy("shop/web@staging").checks
    assert use.check.options == {"command": ["./bin/check"], "directory": "checks"}
    assert use.check.paths == ("directory",)


def test_the_same_files_sent_elsewhere_give_the_same_configuration(tmp_path: Path) -> None:
    from setpoint.config.compile import load_files

    write(tmp_path, setpoint_dot_yaml=APPLICATION + "---\n" + service("{command: [python, app.py]}"), app_dot_py="1")
    here, there = load(tmp_path), load_files(collect(tmp_path), Path("/elsewhere"))
    assert here.digest == there.digest
    assert here.compile("shop/web@staging", "1", {}) == there.compile("shop/web@staging", "1", {})
