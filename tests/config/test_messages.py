"""What is told as the cause is the cause, and what is suggested is near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.config.compile import CompiledConfiguration, check, check_files
from setpoint.config.problems import ConfigurationProblem
from setpoint.config.syntax.yaml import MAX_BYTES
from setpoint.model.similar import closest, edits

ROOT = Path("/srv")
CHANNEL = "kind: Application\nname: shop\nchannels: [{name: staging, %s}]\n"
SERVICE = CHANNEL % "timezone: UTC" + "---\nkind: Service\napplication: shop\nname: web\nprocess: {command: [x]}\n"


def told(text: str | bytes) -> list[ConfigurationProblem]:
    return check_files({"setpoint.yaml": text if isinstance(text, bytes) else text.encode()}, ROOT)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("process: {command: [x], replicas: -1}", '`replicas`: "-1" is below 0.'),
        ("rollout: {maxSurge: -1}", '`maxSurge`: "-1" is below 0.'),
        ("rollout: {maxSurge: -10%}", '`maxSurge`: "-10%" is below 0.'),
        ("progressDeadline: -5m", '`progressDeadline`: "-5m" is below 0.'),
        ("rollout: {maxSurge: 110%}", '`maxSurge`: "110%" is above 100%.'),
        ("drift: {breaker: 12345678901}", '`breaker`: "12345678901" is above 999,999,999.'),
    ],
)
def test_a_number_out_of_bounds_is_a_number(field: str, said: str) -> None:
    text = SERVICE.replace("process: {command: [x]}", field if "process" in field else f"process: {{command: [x]}}\n{field}")
    (problem,) = told(text)
    assert problem.message == said


def test_a_large_file_is_told_with_its_size(tmp_path: Path) -> None:
    with (tmp_path / "setpoint.yaml").open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)
    (problem,) = check(tmp_path)
    assert problem.message == f"the file has 209,715,200 bytes; at most {MAX_BYTES:,} are read."


def test_a_file_in_place_of_the_directory_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "setpoint.yaml").write_text(SERVICE, "utf-8")
    (problem,) = check(tmp_path / "setpoint.yaml")
    assert (problem.message, problem.hint) == (
        "this is a file: a configuration is a directory.",
        f"Name the directory that it stands in: {tmp_path}.",
    )
    (missing,) = check(tmp_path / "nowhere")
    assert missing.message == "this directory does not exist."


def test_a_byte_order_mark_is_passed_over() -> None:
    text = b"\xef\xbb\xbf" + SERVICE.encode()
    assert told(text) == []
    assert CompiledConfiguration.from_files({"setpoint.yaml": text}, ROOT).all_instances == ["shop/web@staging"]
    (problem,) = told(text.replace(b"timezone: UTC", b"timzone: UTC"))
    assert (problem.line, problem.hint) == (3, 'Did you mean "timezone"?')


@pytest.mark.parametrize(
    "calendar",
    [
        "{open: 3}",
        "{opn: [{hours: 09:00-10:00}]}",
        "{closed: [{for: 2d, every: weak}]}",
        "{closed: {days: xx}}",
        "{open: [{hours: 25:00-26:00}]}",
        "{timezone: Mars/Base, open: x}",
    ],
)
def test_a_broken_calendar_in_place_is_not_told_to_be_empty_too(calendar: str) -> None:
    found = told(CHANNEL % f"calendars: [{calendar}]")
    assert found
    assert "empty-calendar" not in {problem.code for problem in found}
    (empty,) = told(CHANNEL % "calendars: [{when: urgent}]")
    assert empty.code == "empty-calendar"


def test_a_service_of_another_application_is_told_as_that() -> None:
    other = "---\nkind: Application\nname: bank\n---\nkind: Service\napplication: bank\nname: ledger\nprocess: {command: [x]}\n"
    (problem,) = told(SERVICE + "after: ledger\n" + other)
    assert problem.message == '`after` names "ledger", which is not a known service of application "shop".'
    assert problem.hint == 'It is a service of application "bank": `after` names those of one application only.'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SERVICE + "rollout: {surge: 1}\n", "`rollout`: unknown key `surge`."),
        (CHANNEL % "accepts: {rnage: '1'}", "`accepts`: unknown key `rnage`."),
        (CHANNEL % "cadence: {cron: x}", "`cadence`: unknown key `cron`."),
        (SERVICE + "rollout: {surge: 1, maxSurge: x}\n", "`rollout`: unknown key `surge`."),
    ],
)
def test_an_unknown_key_is_told_with_the_key_that_it_stands_under(text: str, said: str) -> None:
    assert [problem.message for problem in told(text) if problem.code == "unknown-key"] == [said]


# --- suggestions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("stagging", ["staging", "production"], "staging"),
        ("productoin", ["staging", "production"], "production"),
        ("prod", ["staging", "production"], "production"),
        ("Staging", ["staging"], "staging"),
        ("approval", ["pre-approval", "deployment"], "pre-approval"),
        ("tiem", ["time", "name"], "time"),
        ("cron", ["reason", "from"], ""),
        ("eu", ["us", "es"], ""),
        ("ledger", ["web", "worker"], ""),
        ("size", ["plan", "disk"], ""),
        ("surge", ["steps", "maxSurge"], ""),
    ],
)
def test_what_is_suggested_is_near(word: str, known: list[str], near: str) -> None:
    assert closest(word, known) == near


def test_no_key_of_another_tool_gets_a_suggestion_that_is_far_off() -> None:
    (cron,) = told(CHANNEL % "cadence: {cron: x}")
    assert cron.hint == 'Did you mean "rrule"?'
    for key in ("interval", "crontab", "schedule", "strategy"):
        found: list[Any] = [problem for problem in told(CHANNEL % f"cadence: {{{key}: x}}") if problem.code == "unknown-key"]
        assert found[0].hint.startswith("There is: ")


words = st.text("abcd-", min_size=0, max_size=7)


@given(words, words)
def test_edits_are_those_that_lead_from_one_word_to_the_other(one: str, other: str) -> None:
    """Against the plain definition, by recursion."""

    def plain(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        found = min(plain(a[1:], b) + 1, plain(a, b[1:]) + 1, plain(a[1:], b[1:]) + (a[0] != b[0]))
        if len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0]:
            found = min(found, plain(a[2:], b[2:]) + 1)
        return found

    if len(one) + len(other) <= 9:
        number = plain(one, other)
        assert edits(one, other, 3) == (number if number <= 3 else None)
