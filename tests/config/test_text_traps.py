"""The field decides the type, not the look; and YAML's sharp corners cut nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint.config.compile import CompiledConfiguration, check_files
from setpoint.config.problems import ConfigurationProblem

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]


@pytest.mark.parametrize(
    "written", ["1.10", "on", "0012", "9:30", "yes", "0x1F", "1e3", "2026-11-26", "true", "1_000", ".5", "0o17"]
)
def test_text_stays_what_was_typed(configure: Configure, shop: str, written: str) -> None:
    configuration = configure(
        shop + f"env: {{TAG: {written}}}\ndescription: {written}\nlabels: {{tag: {written.replace(':', '.')}}}"
    )
    assert configuration.compile("shop/web@staging", "1", {}).env == {"TAG": written}
    assert configuration.labels("shop/web@staging")["tag"] == written.replace(":", ".")
    assert configuration.compile("shop/web@staging", written, {}).workload.options["command"] == ["server", written]


def test_a_number_keeps_its_characters_when_it_is_put_into_a_text(configure: Configure, shop: str) -> None:
    text = shop.replace('"${version}"', '"${constants.tag}", "v${constants.tag}", "${constants.pad}", "${constants.yes}"')
    configuration = configure(text + "constants: {tag: 1.10, pad: 0012, yes: true}")
    assert configuration.compile("shop/web@staging", "1", {}).workload.options["command"] == [
        "server",
        "1.10",
        "v1.10",
        "0012",
        "true",
    ]


def test_where_any_value_goes_the_look_decides(configure: Configure, shop: str) -> None:
    service = shop.replace(
        'process: {command: [server, "${version}"]}', "custom: {with: {a: 1.50, b: 12, c: '12', d: on, e: true, f: [1], g: 0x10}}"
    )
    runtime = "\n---\nkind: Runtime\nname: own\ncustom: {apply: [deploy]}\n"
    configuration = configure(
        service.replace("{name: staging}", "{name: staging, runtime: own, services: web}").replace(
            ", {name: production, after: staging}", ""
        )
        + runtime
    )
    options = configuration.compile("shop/web@staging", "1", {}).workload.options
    assert options == {"with": {"a": 1.5, "b": 12, "c": "12", "d": "on", "e": True, "f": [1], "g": 16}}
    assert [type(value) for value in options["with"].values()] == [float, int, str, str, bool, list, int]


@pytest.mark.parametrize("written", ["1e999", "123456789012345678901234567890", "0xFFFFFFFFFFFFFFFFFF"])
def test_a_number_beyond_what_can_be_stored_stays_its_characters(configure: Configure, shop: str, written: str) -> None:
    text = shop.replace('"${version}"', '"${constants.big}"') + f"constants: {{big: {written}}}"
    assert configure(text).compile("shop/web@staging", "1", {}).workload.options["command"] == ["server", written]


@pytest.mark.parametrize("written", ["", "null", "~", "Null"])
def test_null_is_not_text(mistakes: Mistakes, shop: str, written: str) -> None:
    assert [problem.code for problem in mistakes(shop + f"description: {written}\n")] == ["null"]


def test_quoted_null_is_text(configure: Configure, shop: str) -> None:
    assert configure(shop + "env: {A: 'null', B: \"~\", C: ''}").compile("shop/web@staging", "1", {}).env == {
        "A": "null",
        "B": "~",
        "C": "",
    }


def test_a_later_null_removes_what_a_wider_node_set(configure: Configure, shop: str) -> None:
    text = shop.replace("name: shop", "name: shop\nenv: {A: 1, B: 2}", 1) + "env: {A: null, C: 3}"
    assert configure(text).compile("shop/web@staging", "1", {}).env == {"B": "2", "C": "3"}


def test_anchors_and_merge_keys_work_and_explicit_keys_win(configure: Configure) -> None:
    text = """
x-common: &common {replicas: 3, command: [server]}
kind: Service
application: shop
name: web
process:
  <<: *common
  replicas: 5
---
kind: Application
name: shop
channels: {name: staging}
"""
    options = configure(text).compile("shop/web@staging", "1", {}).workload.options
    assert (options["replicas"], options["command"]) == (5, ["server"])


def test_one_element_stands_for_a_list_of_one_but_not_for_a_command(configure: Configure, mistakes: Mistakes) -> None:
    text = "kind: Application\nname: shop\nchannels: {name: staging, approvals: {topic: go, from: group:a}}\n"
    assert [c.name for c in configure(text).channels("shop")] == ["staging"]
    text += "---\nkind: Service\napplication: shop\nname: web\nprocess: {command: server}\n"
    assert [problem.code for problem in mistakes(text)] == ["command-not-a-list"]


def test_top_level_keys_that_start_with_x_are_ignored_but_only_there(mistakes: Mistakes, shop: str) -> None:
    assert mistakes(shop + "x-note: [anything]\n") == []
    assert [problem.code for problem in mistakes(shop.replace("process: {", "process: {x-note: 1, "))] == ["unknown-key"]


def test_a_document_of_anchors_alone_and_an_empty_one_are_no_documents(mistakes: Mistakes, shop: str) -> None:
    assert mistakes("x-a: 1\n---\n---\n" + shop) == []


@pytest.mark.parametrize("depth", [60, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    problems = check_files({"setpoint.yaml": b"a: " + b"[" * depth}, Path("/srv"))
    assert [problem.code for problem in problems] == ["too-deep"]


def test_a_huge_file_is_refused_unread() -> None:
    assert [p.code for p in check_files({"setpoint.yaml": b"# x\n" * 300_000}, Path("/srv"))] == ["file-too-large"]


def test_aliases_that_explode_are_refused_before_they_do() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    problems = check_files({"setpoint.yaml": "\n".join(lines).encode()}, Path("/srv"))
    assert [problem.code for problem in problems] == ["alias-bomb"]


def test_a_broken_file_causes_no_mistakes_elsewhere(shop: str) -> None:
    files = {
        "a.setpoint.yaml": b"kind: Runtime\nname: [\n",
        "b.setpoint.yaml": shop.replace("{name: staging}", "{name: staging, runtime: cluster}").encode(),
    }
    assert [(p.file, p.code) for p in check_files(files, Path("/srv"))] == [("a.setpoint.yaml", "yaml-syntax")]


def test_a_broken_document_keeps_its_name_for_others(mistakes: Mistakes, shop: str) -> None:
    text = shop.replace("{name: staging}", "{name: staging, protections: [probe], runtime: cluster}")
    text += "---\nkind: Protection\nname: probe\nhttp: {url: 12}\n---\nkind: Runtime\nname: cluster\nlocal: {a: 1}\n"
    assert [problem.code for problem in mistakes(text)] == ["bad-url", "unknown-key"]


def test_mistakes_behind_other_mistakes_are_found_in_the_same_go(mistakes: Mistakes) -> None:
    text = """
kind: Application
name: shop
channels:
  - {name: staging, after: {channels: prod, soak: 5}}
  - {name: production, runtime: clustr, labels: {channel: x}}
"""
    assert [problem.code for problem in mistakes(text)] == [
        "unknown-reference",
        "bad-duration",
        "unknown-reference",
        "reserved-label",
    ]
