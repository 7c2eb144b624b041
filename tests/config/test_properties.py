"""Whatever is written, the answer is a list of problems or a configuration: never a traceback, always the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from setpoint.config.compile import CompiledConfiguration, check_files

EXAMPLE = Path(__file__).parent / "example"
TEXT = (EXAMPLE / "saas.setpoint.yaml").read_text(encoding="utf-8")
NAMED = {"check-migrations": b"", "app.py": b""}
KEYS = [*sorted(set(re.findall(r"[A-Za-z-]+(?=:)", TEXT))), "each", "remove", "when", "at", "with", "x-a", "<<"]
VALUES = [
    "null",
    "[]",
    "{}",
    "[null]",
    "{a: b}",
    "-1",
    "true",
    '"${a.b}"',
    "[[]]",
    "*x",
    "!x",
    "1d",
    "{name: x, remove: true}",
    '""',
    "|",
    "50%",
]
ROOT = Path("/srv")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The example with a few words exchanged, lines lost or doubled, and stray characters."""
    text = TEXT
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["key", "value", "line", "character"]))
        if kind == "line":
            lines = text.splitlines()
            number = draw(st.integers(0, len(lines) - 1))
            lines[number : number + 1] = lines[number : number + 1] * draw(st.sampled_from([0, 2]))
            text = "\n".join(lines) or "a"
        elif kind == "character":
            place = draw(st.integers(0, len(text) - 1))
            text = text[:place] + draw(st.sampled_from("{}[]:,'\"!&*|>\n #%@\t")) + text[place + 1 :]
        else:
            pattern, words = (r"[A-Za-z-]+(?=:)", KEYS) if kind == "key" else (r"(?<=: )[^\n,}\]]+", VALUES)
            matches = list(re.finditer(pattern, text))
            if matches:
                match = draw(st.sampled_from(matches))
                text = text[: match.start()] + draw(st.sampled_from(words)) + text[match.end() :]
    return text


@given(damaged())
def test_damaged_configurations_are_told_about_and_never_crash(text: str) -> None:
    files = {"setpoint.yaml": text.encode(), **NAMED}
    problems = check_files(files, ROOT)
    assert problems == check_files(files, ROOT)
    for problem in problems:
        assert len(str(problem).splitlines()) == 2
        assert problem.hint
        assert 1 <= problem.line <= text.count("\n") + 2
    if not problems:
        configuration = CompiledConfiguration.from_files(files, ROOT)
        for name in configuration.all_instances:
            configuration.policy(name)
            configuration.template(name)
            configuration.origins(name)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    check_files({"setpoint.yaml": data}, ROOT)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63) + 1, 2**63 - 1)
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=20,
    )
)
def test_any_constant_comes_back_as_it_was(value: object) -> None:
    document = json.dumps(value).replace("${", "$${")
    text = f"""
kind: Runtime
name: own
custom: {{apply: [a]}}
---
kind: Application
name: shop
channels: {{name: staging, runtime: own}}
---
kind: Service
application: shop
name: web
custom: {{with: {{value: {document}}}}}
"""
    problems = check_files({"setpoint.yaml": text.encode()}, ROOT)
    assert problems == [], problems
    spec = CompiledConfiguration.from_files({"setpoint.yaml": text.encode()}, ROOT).compile("shop/web@staging", "1", {})
    assert spec.workload.options["with"] == {"value": value}
