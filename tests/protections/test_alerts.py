"""alerts-not-firing, against a real Prometheus and Alertmanager whose alerts fire and resolve, and servers that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.components.prometheus import ALERT, Monitoring, monitoring
from tests.protections.contract import MayTakeLong, ProtectionContract, definition, run
from tests.support.eventually import eventually, wait_until
from tests.support.ports import free_port
from tests.support.webserver import WebServer, text, webserver

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.protections.alerts import AlertsNotFiring


async def ask(**options: Any) -> CheckResult:
    return await run(AlertsNotFiring(), definition("alerts-not-firing", options))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    """Alerts fire for the channels hot (one) and silent (silenced later), none for cool."""
    with monitoring(tmp_path_factory.mktemp("monitoring")) as world:
        world.error_rates |= {"hot": 0.7, "cool": 0.01, "silent": 0.9}
        wait_until(lambda: world.firing() >= {"hot", "silent"}, 30, "alerts did not fire", every=0.2)
        yield world


@pytest.fixture
def site() -> Iterator[WebServer]:
    with webserver() as site:
        site.routes["/api/v2/alerts"] = site.hang
        yield site


@pytest.mark.needs("prometheus")
class TestAlertmanager(ProtectionContract, MayTakeLong):
    protection = AlertsNotFiring()

    @pytest.fixture
    def passing(self, world: Monitoring) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": world.alertmanager, "matchers": {"channel": "cool"}})

    @pytest.fixture
    def blocking(self, world: Monitoring) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": world.alertmanager, "matchers": {"channel": "hot", "alertname": ALERT}})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": f"http://127.0.0.1:{free_port()}"})

    @pytest.fixture
    def misconfigured(self, world: Monitoring) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": world.prometheus})

    @pytest.fixture
    def hanging(self, site: WebServer) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": site.url})


@pytest.mark.needs("prometheus")
class TestPrometheus(ProtectionContract):
    protection = AlertsNotFiring()

    @pytest.fixture
    def passing(self, world: Monitoring) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": world.prometheus, "kind": "prometheus", "matchers": {"channel": "cool"}})

    @pytest.fixture
    def blocking(self, world: Monitoring) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": world.prometheus, "kind": "prometheus", "matchers": {"channel": "hot"}})

    @pytest.fixture
    def unavailable(self) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": f"http://127.0.0.1:{free_port()}", "kind": "prometheus"})

    @pytest.fixture
    def misconfigured(self, world: Monitoring) -> CheckDefinition:
        return definition("alerts-not-firing", {"url": world.prometheus, "query": "error_rate >"})


@pytest.mark.needs("prometheus")
class TestReasons:
    async def test_the_alerts_are_named(self, world: Monitoring) -> None:
        result = await ask(url=world.alertmanager + "/", matchers={"channel": "hot"})
        assert result.reason == f"1 alert firing: {ALERT}"
        assert "channel=hot" in result.output

    async def test_a_pass_says_for_what(self, world: Monitoring) -> None:
        assert (await ask(url=world.alertmanager, matchers={"channel": "cool"})).reason == "no alert firing for channel=cool"

    async def test_a_query_counts_its_series(self, world: Monitoring) -> None:
        firing = await ask(url=world.prometheus, query='error_rate{channel=~"hot|cool"} > 0')
        assert (firing.outcome, firing.reason) == (Outcome.BLOCKING, "2 alerts firing: error_rate ×2")
        assert (await ask(url=world.prometheus, query="error_rate > 1")).outcome is Outcome.PASSING

    async def test_a_query_for_one_number_is_misconfigured(self, world: Monitoring) -> None:
        assert (await ask(url=world.prometheus, query="1 + 1")).outcome is Outcome.MISCONFIGURED

    async def test_matchers_with_quotes_match_nothing_and_break_nothing(self, world: Monitoring) -> None:
        assert (await ask(url=world.alertmanager, matchers={"channel": 'a"b\\c, d="e'})).outcome is Outcome.PASSING

    async def test_a_silenced_alert_does_not_count(self, world: Monitoring) -> None:
        assert (await ask(url=world.alertmanager, matchers={"channel": "silent"})).outcome is Outcome.BLOCKING
        world.silence("silent")

        async def passes() -> bool:
            return (await ask(url=world.alertmanager, matchers={"channel": "silent"})).outcome is Outcome.PASSING

        await eventually(passes, 10)

    async def test_an_alert_that_resolves_lets_go(self, world: Monitoring) -> None:
        world.error_rates["brief"] = 0.5

        async def becomes(outcome: Outcome) -> None:
            async def seen() -> bool:
                return (await ask(url=world.alertmanager, matchers={"channel": "brief"})).outcome is outcome

            await eventually(seen, 30, f"never {outcome}", every=0.2)

        await becomes(Outcome.BLOCKING)
        world.error_rates["brief"] = 0.0
        await becomes(Outcome.PASSING)


ALERTMANAGER_OUTAGES = {
    "an error": text(503, "starting"),
    "a busy signal": text(429),
    "no JSON": text(200, "<html>Sign in</html>"),
    "other JSON": text(200, '{"status": "success"}'),
    "an alert without a status": text(200, '[{"labels": {"alertname": "X"}}]'),
    "half an answer": text(200, '[{"labels"'),
    "too much": text(200, b"[" + b" " * 5_000_000),
}


@pytest.mark.parametrize("answer", ALERTMANAGER_OUTAGES.values(), ids=ALERTMANAGER_OUTAGES.keys())
async def test_monitoring_in_trouble_is_unavailable_never_a_no(site: WebServer, answer: Any) -> None:
    site.routes["/api/v2/alerts"] = answer
    assert (await ask(url=site.url)).outcome is Outcome.UNAVAILABLE


@pytest.mark.parametrize("answer", ['{"status": "error"}', "[]", "", '{"status": "success", "data": {"alerts": [{}]}}'])
async def test_a_prometheus_in_trouble_is_unavailable(site: WebServer, answer: str) -> None:
    site.routes["/api/v1/alerts"] = text(200, answer)
    assert (await ask(url=site.url, kind="prometheus")).outcome is Outcome.UNAVAILABLE


@pytest.mark.parametrize("kind", ["alertmanager", "prometheus"])
async def test_monitoring_that_refuses_connections_is_unavailable(kind: str) -> None:
    assert (await ask(url=f"http://127.0.0.1:{free_port()}", kind=kind)).outcome is Outcome.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(404, "is url the address of an Alertmanager?"), (401, "credentials"), (302, "302"), (400, "cannot answer")],
)
async def test_a_wrong_address_is_misconfigured(site: WebServer, status: int, sentence: str) -> None:
    site.routes["/api/v2/alerts"] = text(status)
    result = await ask(url=site.url)
    assert result.outcome is Outcome.MISCONFIGURED
    assert sentence in result.reason


async def test_many_alerts_are_summed_up(site: WebServer) -> None:
    alerts = ",".join(f'{{"labels": {{"alertname": "A{number % 8}"}}, "status": {{"state": "active"}}}}' for number in range(17))
    site.routes["/api/v2/alerts"] = text(200, f"[{alerts}]")
    assert (await ask(url=site.url)).reason == "17 alerts firing: A0 ×3, A1 ×2, A2 ×2, A3 ×2, A4 ×2 and 3 more"


async def test_alertmanager_is_asked_for_what_counts_only(site: WebServer) -> None:
    site.routes["/api/v2/alerts"] = text(200, "[]")
    await ask(url=site.url, matchers={"channel": "acme", "tier": 1}, headers={"Authorization": "Bearer t"})
    ((_, path, headers, _),) = site.seen
    assert "silenced=false&inhibited=false" in path
    assert "filter=channel%3D%22acme%22&filter=tier%3D%221%22" in path
    assert headers["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "url is missing"),
        ({"url": "alertmanager:9093"}, "must begin with http://"),
        ({"url": "http://a/api/v2/alerts"}, "without /api/"),
        ({"url": "http://a", "kind": "nagios"}, "alertmanager or prometheus"),
        ({"url": "http://a", "matchers": ["a=b"]}, "matchers must be a map"),
        ({"url": "http://a", "matchers": {"a-b": "c"}}, "is not a label name"),
        ({"url": "http://a", "kind": "alertmanager", "query": "up"}, "query goes with kind: prometheus"),
        ({"url": "http://a", "matchers": {"a": "b"}, "query": "up"}, "either query or matchers"),
    ],
)
def test_mistakes_are_told_in_sentences(options: dict[str, Any], sentence: str) -> None:
    mistakes = AlertsNotFiring().validate(options)
    assert len(mistakes) == 1
    assert sentence in mistakes[0]
