"""prometheus-query and slo-burn, against a real Prometheus that scrapes what the tests decide, and servers that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.components.prometheus import Monitoring, monitoring
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.eventually import wait_until
from tests.support.ports import free_port
from tests.support.webserver import WebServer, text, webserver

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.burn import SloBurn, question
from setpoint.protections.prometheus import PrometheusQuery

WINDOWS = [{"long": "12s", "short": "6s", "burn": 10}]
GAUGES = {"latency": 0.25, 'queue{name="a"}': 3, 'queue{name="b"}': 12, "nothing": 0, "endless": float("inf"), "below": -7}


def service(name: str, total: float, errors: float | None) -> dict[str, float]:
    found = {f'requests_total{{service="{name}"}}': total}
    return found if errors is None else found | {f'errors_total{{service="{name}"}}': errors}


LATENCY, QUEUE, NOTHING, ENDLESS = (f"max without(instance, job)({name})" for name in ("latency", "queue", "nothing", "endless"))

COUNTERS = {
    **service("healthy", 100, 0.05),
    **service("burning", 100, 5),
    **service("faultless", 100, None),
    **service("idle", 0, 0),
}
"""Errors and requests a second; a budget of 0.1% burns at 0.5× and 50×."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    with monitoring(tmp_path_factory.mktemp("monitoring")) as world:
        world.gauges |= GAUGES
        world.counters |= COUNTERS
        wait_until(lambda: (world.value("count_over_time(latency[30s])") or 0) >= 4, 30, "nothing was scraped", every=0.2)
        yield world


@pytest.fixture
def site() -> Iterator[WebServer]:
    with webserver() as site:
        site.routes["/api/v1/query"] = site.hang
        yield site


async def ask(**options: Any) -> CheckResult:
    return await run(PrometheusQuery(), definition("prometheus-query", options))


def burn_options(world: Monitoring, name: str, **more: Any) -> dict[str, Any]:
    selectors = {part: f'{part}_total{{service="{name}"}}' for part in ("errors", "requests")}
    named = {"errors": selectors["errors"], "total": selectors["requests"]}
    return {"url": world.prometheus, "objective": "99.9%", "windows": WINDOWS, **named, **more}


async def burn(world: Monitoring, name: str, **more: Any) -> CheckResult:
    return await run(SloBurn(), definition("slo-burn", burn_options(world, name, **more)))


@pytest.mark.needs("prometheus")
class TestPrometheusQuery(ProtectionContract, MayTakeLong):
    protection = PrometheusQuery()

    @pytest.fixture
    def passing(self, world: Monitoring) -> CheckDefinition:
        return definition("prometheus-query", {"url": world.prometheus, "query": "latency", "max": 0.3})

    @pytest.fixture
    def blocking(self, world: Monitoring) -> CheckDefinition:
        return definition("prometheus-query", {"url": world.prometheus, "query": "latency", "max": 0.2})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("prometheus-query", {"url": f"http://127.0.0.1:{free_port()}", "query": "latency", "max": 1})

    @pytest.fixture
    def misconfigured(self, world: Monitoring) -> CheckDefinition:
        return definition("prometheus-query", {"url": world.prometheus, "query": "latency >", "max": 1})

    @pytest.fixture
    def hanging(self, site: WebServer) -> CheckDefinition:
        return definition("prometheus-query", {"url": site.url, "query": "latency", "max": 1})


@pytest.mark.needs("prometheus")
class TestSloBurn(ProtectionContract, MayTakeLong):
    protection = SloBurn()

    @pytest.fixture
    def passing(self, world: Monitoring) -> CheckDefinition:
        return definition("slo-burn", burn_options(world, "healthy"))

    @pytest.fixture
    def blocking(self, world: Monitoring) -> CheckDefinition:
        return definition("slo-burn", burn_options(world, "burning"))

    @pytest.fixture
    def unavailable(self, world: Monitoring) -> CheckDefinition:
        return definition("slo-burn", burn_options(world, "healthy", url=f"http://127.0.0.1:{free_port()}"))

    @pytest.fixture
    def misconfigured(self, world: Monitoring) -> CheckDefinition:
        return definition("slo-burn", burn_options(world, "healthy", objective="99.9"))

    @pytest.fixture
    def hanging(self, world: Monitoring, site: WebServer) -> CheckDefinition:
        return definition("slo-burn", burn_options(world, "healthy", url=site.url))


@pytest.mark.needs("prometheus")
class TestWhatAQueryYields:
    @pytest.mark.parametrize(
        ("query", "limits", "outcome", "reason"),
        [
            (LATENCY, {"max": 0.25}, Outcome.PASSING, "query yields 0.25 (max 0.25)"),
            (LATENCY, {"max": 0.2}, Outcome.BLOCKING, "query yields 0.25, above the max of 0.2"),
            (LATENCY, {"min": 1}, Outcome.BLOCKING, "query yields 0.25, below the min of 1"),
            (f"{LATENCY} * 2", {"min": 0, "max": 1}, Outcome.PASSING, "query yields 0.5 (min 0, max 1)"),
            (QUEUE, {"max": 20}, Outcome.PASSING, 'query yields 12 for {name="b"}, the worst of 2 series (max 20)'),
            (QUEUE, {"max": 10}, Outcome.BLOCKING, 'query yields 12 for {name="b"}, above the max of 10'),
            (QUEUE, {"min": 5}, Outcome.BLOCKING, 'query yields 3 for {name="a"}, below the min of 5'),
            (
                f"{NOTHING} / {NOTHING}",
                {"max": 1},
                Outcome.BLOCKING,
                "query yields nan, which is not a number: was anything divided by zero?",
            ),
            (
                f"{QUEUE} or {NOTHING} / {NOTHING}",
                {"max": 99},
                Outcome.BLOCKING,
                "query yields nan, which is not a number: was anything divided by zero?",
            ),
            (ENDLESS, {"max": 1}, Outcome.BLOCKING, "query yields inf, above the max of 1"),
            (ENDLESS, {"min": 1}, Outcome.PASSING, "query yields inf (min 1)"),
            (f"-{ENDLESS}", {"max": 1}, Outcome.PASSING, "query yields -inf (max 1)"),
            (f"scalar({LATENCY})", {"max": 1}, Outcome.PASSING, "query yields 0.25 (max 1)"),
            ("3 * 4", {"max": 11}, Outcome.BLOCKING, "query yields 12, above the max of 11"),
        ],
    )
    async def test_the_worst_series_is_judged(
        self, world: Monitoring, query: str, limits: dict[str, float], outcome: Outcome, reason: str
    ) -> None:
        result = await ask(url=world.prometheus, query=query, **limits)
        assert (result.outcome, result.reason) == (outcome, reason)

    async def test_all_series_are_in_the_output(self, world: Monitoring) -> None:
        assert (await ask(url=world.prometheus, query=QUEUE, max=10)).output == '{name="a"}: 3\n{name="b"}: 12'

    @pytest.mark.parametrize("means", ["blocking", "passing"])
    async def test_no_data_mean_what_the_configuration_says(self, world: Monitoring, means: str) -> None:
        result = await ask(url=world.prometheus, query="no_such_metric", max=1, emptyMeans=means)
        assert (result.outcome, result.reason) == (Outcome(means), f"query yields no series, which is declared to be {means}")

    async def test_no_data_tell_nothing_unless_it_says(self, world: Monitoring) -> None:
        result = await ask(url=world.prometheus, query="no_such_metric", max=1)
        assert result.outcome is Outcome.UNAVAILABLE
        assert "emptyMeans" in result.reason

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("latency[5m]", "query yields a matrix"),
            ('"text"', "query yields a string"),
            ("sum by (", "parse error"),
            ("queue / on() queue", "found duplicate series"),
        ],
    )
    async def test_a_query_that_yields_no_numbers_is_misconfigured(self, world: Monitoring, query: str, sentence: str) -> None:
        result = await ask(url=world.prometheus, query=query, max=1)
        assert result.outcome is Outcome.MISCONFIGURED
        assert sentence in result.reason


@pytest.mark.needs("prometheus")
class TestHowFastABudgetBurns:
    async def test_too_fast_in_both_windows_is_a_no_that_says_how_fast(self, world: Monitoring) -> None:
        result = await burn(world, "burning")
        assert result.outcome is Outcome.BLOCKING
        assert result.reason == "error budget of 99.9% burns at 50× over 12s and 50× over 6s, more than 10×"
        assert result.output == "over 6s: 50×\nover 12s: 50×"

    async def test_a_slow_burn_passes_and_says_how_fast(self, world: Monitoring) -> None:
        result = await burn(world, "healthy")
        assert result.reason == "error budget of 99.9% burns at 0.5× over 12s and 0.5× over 6s, no more than 10×"

    async def test_a_looser_objective_has_more_to_burn(self, world: Monitoring) -> None:
        assert (await burn(world, "burning", objective="99%")).outcome is Outcome.PASSING

    async def test_errors_that_were_never_counted_are_none(self, world: Monitoring) -> None:
        result = await burn(world, "faultless")
        assert (result.outcome, "burns at 0× over 12s" in result.reason) == (Outcome.PASSING, True)

    async def test_without_requests_nothing_burns(self, world: Monitoring) -> None:
        assert (await burn(world, "idle")).outcome is Outcome.PASSING

    async def test_any_pair_of_windows_is_enough(self, world: Monitoring) -> None:
        pairs = [{"long": "12s", "short": "6s", "burn": 60}, {"long": "11s", "short": "5s", "burn": 40}]
        assert (await burn(world, "burning", windows=pairs)).reason.endswith("50× over 11s and 50× over 5s, more than 40×")

    async def test_the_usual_windows_are_those_of_the_workbook(self, world: Monitoring) -> None:
        options = {name: value for name, value in burn_options(world, "burning").items() if name != "windows"}
        result = await run(SloBurn(), definition("slo-burn", options))
        assert result.reason.endswith("50× over 1h and 50× over 5m, more than 14.4×")

    async def test_a_service_that_nobody_counts_is_unknown_unless_declared(self, world: Monitoring) -> None:
        unknown = await burn(world, "forgotten")
        assert (unknown.outcome, unknown.reason.partition(":")[0]) == (Outcome.UNAVAILABLE, "nothing was counted over 6s, 12s")
        assert (await burn(world, "forgotten", emptyMeans="passing")).outcome is Outcome.PASSING
        assert (await burn(world, "forgotten", emptyMeans="blocking")).outcome is Outcome.BLOCKING


def answered(*burns: tuple[str, str]) -> Any:
    """An answer with these shares of errors: (milliseconds, share)."""
    series = ",".join(f'{{"metric": {{"setpoint_window": "{ms}"}}, "value": [0, "{share}"]}}' for ms, share in burns)
    return text(200, f'{{"status": "success", "data": {{"resultType": "vector", "result": [{series}]}}}}')


@pytest.mark.parametrize(
    ("burns", "outcome"),
    [
        ([("12000", "0.5"), ("6000", "0.5")], Outcome.BLOCKING),
        ([("12000", "0.5"), ("6000", "0.001")], Outcome.PASSING),  # over already
        ([("12000", "0.001"), ("6000", "0.5")], Outcome.PASSING),  # a blip
        ([("12000", "0.01"), ("6000", "0.01")], Outcome.PASSING),  # exactly what is allowed
        ([("12000", "0.5")], Outcome.UNAVAILABLE),
        ([("12000", "NaN"), ("6000", "NaN")], Outcome.PASSING),
        ([("12000", "+Inf"), ("6000", "+Inf")], Outcome.BLOCKING),
    ],
)
async def test_a_burn_counts_where_both_windows_show_it(site: WebServer, burns: list[tuple[str, str]], outcome: Outcome) -> None:
    site.routes["/api/v1/query"] = answered(*burns)
    options = {"url": site.url, "objective": "99.9%", "errors": "e", "total": "t", "windows": WINDOWS}
    assert (await run(SloBurn(), definition("slo-burn", options))).outcome is outcome


def test_all_windows_are_asked_for_in_one_question() -> None:
    assert question("e", 't{a="b"}', [5_000, 90_000]) == (
        'label_replace((sum(rate(e[5s])) or vector(0)) / sum(rate(t{a="b"}[5s])), "setpoint_window", "5000", "", "")'
        " or "
        'label_replace((sum(rate(e[1m30s])) or vector(0)) / sum(rate(t{a="b"}[1m30s])), "setpoint_window", "90000", "", "")'
    )


OUTAGES = {
    "an error": text(503, "starting"),
    "a busy signal": text(429),
    "no JSON": text(200, "<html>Sign in</html>"),
    "other JSON": text(200, "[]"),
    "no value": text(
        200, '{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "x"]}]}}'
    ),
    "half an answer": text(200, '{"status": "success", "data": {"res'),
    "too much": text(200, b" " * 5_000_000),
}


@pytest.mark.parametrize("answer", OUTAGES.values(), ids=OUTAGES.keys())
async def test_a_prometheus_in_trouble_is_unavailable_never_a_no(site: WebServer, answer: Any) -> None:
    site.routes["/api/v1/query"] = answer
    assert (await ask(url=site.url, query="up", min=1, emptyMeans="blocking")).outcome is Outcome.UNAVAILABLE


async def test_histograms_are_misconfigured(site: WebServer) -> None:
    series = '{"metric": {}, "histogram": [0, {"count": "1", "sum": "1"}]}'
    site.routes["/api/v1/query"] = text(200, f'{{"status": "success", "data": {{"resultType": "vector", "result": [{series}]}}}}')
    result = await ask(url=site.url, query="h", max=1)
    assert (result.outcome, "histograms" in result.reason) == (Outcome.MISCONFIGURED, True)


async def test_headers_are_sent_and_never_told(site: WebServer) -> None:
    site.routes["/api/v1/query"] = text(401, "Bearer hidden")
    result = await ask(url=f"{site.url}/", query="up", min=1, headers={"Authorization": "Bearer hidden"})
    ((_, path, headers, _),) = site.seen
    assert (path, headers["authorization"]) == ("/api/v1/query?query=up", "Bearer hidden")
    assert result.outcome is Outcome.MISCONFIGURED
    assert "hidden" not in str(result)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "http://p", "query": "up"}, "max, min or both"),
        ({"url": "http://p", "max": 1}, "query is missing"),
        ({"url": "http://p/api/v1/query", "query": "up", "max": 1}, "without /api/"),
        ({"url": "http://p", "query": "up", "max": "much"}, "max must be a number"),
        ({"url": "http://p", "query": "up", "max": 1, "min": 2}, "min is above max"),
        ({"url": "http://p", "query": "up", "max": 1, "emptyMeans": "fine"}, "blocking or passing"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    (mistake,) = PrometheusQuery().validate(options)
    assert sentence in mistake


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"objective": "99.9"}, "write a percentage"),
        ({"objective": "100%"}, "below 100%"),
        ({"errors": "rate(e[5m])"}, "without rate, sum and window"),
        ({"total": ""}, "total is missing"),
        ({"windows": []}, "`windows` is empty"),
        ({"windows": [{"long": "1h", "short": "5m"}]}, "lacks something"),
        ({"windows": [{"long": "5m", "short": "1h", "burn": 2}]}, "not shorter"),
        ({"windows": [{"long": "1h", "short": "5", "burn": 2}]}, '"5" has no unit'),
        ({"windows": [{"long": "1h", "short": "5m", "burn": 0}]}, "burn is 0"),
    ],
)
def test_mistakes_in_a_budget_are_told_in_sentences(change: dict[str, Any], sentence: str) -> None:
    options = {"url": "http://p", "objective": "99.9%", "errors": "e", "total": "t"} | change
    (mistake,) = SloBurn().validate(options)
    assert sentence in mistake
