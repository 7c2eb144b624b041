"""Orderings that could never be met, and ages that two checks could never keep, are refused before anything is configured."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.problems import ConfigurationProblem

Mistakes = Callable[[str], list[ConfigurationProblem]]


def application(channels: str) -> str:
    return f"kind: Application\nname: shop\nchannels: {channels}\n"


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ("[{name: staging}, {name: production, after: stagging}]", '"stagging", which is not a known channel'),
        ("[{name: staging, after: staging}]", "names the channel itself"),
        ("[{name: a, after: c}, {name: b, after: a}, {name: c, after: b}]", "wait for each other"),
        ("[{name: a, mirror: b}, {name: b, mirror: a}]", "wait for each other"),
        ("[{name: a, mirror: b}, {name: b, after: a}]", "wait for each other"),
    ],
)
def test_an_ordering_names_a_channel_that_does_not_exist_or_itself_or_a_circle(mistakes: Mistakes, channels: str, said: str):
    assert any(said in problem.message for problem in mistakes(application(channels)))


def test_a_greatest_age_below_twice_the_interval_plus_the_timeout_is_refused(mistakes: Mistakes, shop: str):
    entry = "{use: always, interval: 1m, timeout: 30s, maxAge: %s}"
    text = shop.replace("process:", "protections: [" + entry + "]\nprocess:")
    assert any("two slow checks would never be fresh together" in str(problem) for problem in mistakes(text % "2m29s"))
    assert not any("fresh together" in str(problem) for problem in mistakes(text % "2m30s"))
