"""From the environment and a file of routes to what two web services get: the whole way of the routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stream.configuration import Configuration, load
from stream.deliver.channels import make
from stream.deliver.dispatcher import DeliveryFailed, Dispatcher
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from tests.deliver.alerts import make_alert
from tests.receiver import Receiver, Reply

FILE = """
channels:
  payments: {type: webhook, url: {env: PAYMENTS_URL}, accounts: ["1111*"], deadline: 30}
  soc: {type: webhook, url_file: SECRETS/soc, min_severity: medium}
routes:
  - match: {event: StopLogging, severity: ">=high"}
    channels: [payments, soc]
  - match: {event: AddTags}
    channels: []
default: [soc, webhook]
"""


class Bench:
    def __init__(self, dispatcher: Dispatcher, metrics: Metrics, receiver: Receiver) -> None:
        self.dispatcher, self.metrics, self.receiver = dispatcher, metrics, receiver

    async def told(self, alert_id: str, **changes: str) -> list[str]:
        """Which services were told of an alert, by the paths of their addresses."""
        before = len(self.receiver.requests)
        await self.dispatcher.deliver(make_alert(alert_id, **changes), 0.0)
        return sorted(request.path for request in self.receiver.requests[before:])

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(f"trailstream_{name}", labels)
        assert found is not None
        return found


@pytest.fixture
def configuration(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    (tmp_path / "soc").write_text(f"{receiver.url}/soc")
    (tmp_path / "routes.yml").write_text(FILE.replace("SECRETS", str(tmp_path)))
    monkeypatch.setenv("PAYMENTS_URL", f"{receiver.url}/payments")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", f"{receiver.url}/webhook")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_MIN_SEVERITY", "critical")
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(tmp_path / "routes.yml"))
    return load(need_queue=False, need_channel=True)


@asynccontextmanager
async def opened(configuration: Configuration, receiver: Receiver) -> AsyncIterator[Bench]:
    metrics = Metrics()
    channels = make(configuration.instances)
    async with Dispatcher(
        channels, MemoryLedger(), metrics, routes=configuration.routes, max_pending_alerts=10
    ) as dispatcher:
        yield Bench(dispatcher, metrics, receiver)


async def test_each_alert_goes_where_its_route_leads_and_the_channels_own_settings_let_it(
    configuration: Configuration, receiver: Receiver
) -> None:
    async with opened(configuration, receiver) as bench:
        assert await bench.told("by-route") == ["/payments", "/soc"]
        assert await bench.told("other-account", event_account_id="999988887777") == ["/soc"]
        assert await bench.told("by-default", event_name="DeleteTrail") == ["/soc", "/webhook"]
        assert await bench.told("mild", event_name="DeleteTrail", severity="high") == ["/soc"]
        assert await bench.told("milder", event_name="DeleteTrail", severity="low") == []
        with capture_logs() as logs:
            assert await bench.told("nowhere", event_name="AddTags") == []
        assert {"event": "alert routed nowhere", "alert_id": "nowhere"}.items() <= logs[0].items()

        assert bench.value("alerts_unrouted_total") == 2
        assert bench.value("deliveries_total", channel="payments", outcome="accepted") == 1
        assert bench.value("deliveries_total", channel="soc", outcome="accepted") == 4
        assert bench.value("deliveries_total", channel="webhook", outcome="accepted") == 1


async def test_a_named_channel_whose_secret_was_rotated_reads_its_own_file_again(
    configuration: Configuration, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "soc").write_text(f"{receiver.url}/rotated")
    receiver.answer(401)
    async with opened(configuration, receiver) as bench:
        assert await bench.told("kept", event_account_id="999988887777") == ["/rotated", "/soc"]


async def test_one_instance_that_refuses_is_named_and_the_other_is_told(
    configuration: Configuration, receiver: Receiver
) -> None:
    receiver.default = lambda request: Reply(400 if request.path == "/soc" else 200)
    async with opened(configuration, receiver) as bench:
        with pytest.raises(DeliveryFailed) as raised:
            await bench.told("refused")

    assert "/payments" in {request.path for request in receiver.requests}
    assert raised.value.failures == (("soc", "rejected"),)
