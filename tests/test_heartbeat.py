"""The dead man's switch: called while all is well, and not a minute longer than that."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from stream.heartbeat import EVERY_S, PATIENCE_S, Heartbeat, call, calls
from stream.metrics import ERRORS, Metrics
from stream.settings import Settings
from tests.commands.running import invoke
from tests.deliver.fakes import FakeClock
from tests.receiver import Receiver


class Switch:
    """A heartbeat on a clock of the test, and what is wrong with the process."""

    def __init__(self, url: str) -> None:
        self.wrong: set[str] = set()
        self.url = url
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.heartbeat = Heartbeat(lambda: SecretStr(self.url), lambda: self.wrong, self.metrics, clock=self.clock)

    async def beat(self, *, after_s: float = EVERY_S) -> None:
        await self.clock.advance(after_s)
        async with calls() as http:
            await self.heartbeat.beat(http)

    def counted(self, reason: str) -> float:
        return (
            self.metrics.registry.get_sample_value("trailstream_errors_total", {"stage": "heartbeat", "reason": reason})
            or 0.0
        )

    @property
    def last_success(self) -> float:
        return self.metrics.registry.get_sample_value("trailstream_heartbeat_last_success_timestamp_seconds") or 0.0


@pytest.fixture
def switch(receiver: Receiver) -> Switch:
    return Switch(receiver.url + "/ping/secret-uuid")


async def test_it_is_called_while_all_is_well(switch: Switch, receiver: Receiver) -> None:
    for number in (1, 2):
        await switch.beat()
        assert (len(receiver.requests), switch.last_success) == (number, switch.clock.unix())
    assert {(request.method, request.path) for request in receiver.requests} == {("GET", "/ping/secret-uuid")}


async def test_it_is_not_called_while_something_is_wrong_for_long(switch: Switch, receiver: Receiver) -> None:
    with capture_logs() as logs:
        switch.wrong = {"channel"}
        await switch.beat()
        await switch.beat(after_s=PATIENCE_S - 1)
        assert len(receiver.requests) == 2
        await switch.beat(after_s=1)
        await switch.beat()
        assert len(receiver.requests) == 2
        switch.wrong = {"queue"}
        await switch.beat()
        assert len(receiver.requests) == 3

    assert [(line["event"], line.get("wrong")) for line in logs] == [
        ("heartbeat withheld, so that somebody looks", ["channel"]),
        ("heartbeat again", None),
    ]


async def test_it_is_called_by_the_proxy_of_the_environment_and_without_logins_of_other_programs(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login deploy password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", receiver.url)
    async with calls() as http:
        assert await call(http, SecretStr("http://switch.example/ping")) is None
    (request,) = receiver.requests
    assert request.headers["Host"] == "switch.example"
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_an_answer_that_does_not_take_it_is_counted_and_logged_once(
    switch: Switch, receiver: Receiver, status: int
) -> None:
    with capture_logs() as logs:
        for _ in range(2):
            receiver.answer(status, headers={"Location": receiver.url + "/elsewhere"})
            await switch.beat()
        await switch.beat()

    assert switch.counted("refused") == 2
    assert [line["event"] for line in logs] == ["heartbeat failed", "heartbeat again"]
    assert "secret-uuid" not in str(logs)
    assert {request.path for request in receiver.requests} == {"/ping/secret-uuid"}


async def test_an_address_that_was_changed_is_found(switch: Switch, receiver: Receiver) -> None:
    receiver.answer(404)
    await switch.beat()
    switch.url = receiver.url + "/ping/new"
    receiver.answer(404)
    await switch.beat()
    await switch.beat()

    assert [request.path for request in receiver.requests][-1] == "/ping/new"
    assert switch.last_success == switch.clock.unix()


async def test_each_fault_has_a_reason_that_is_counted() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as http:
            reasons = [
                await call(http, SecretStr(f"{scheme}://127.0.0.1:{port}")) for scheme in ("http", "https", "gopher")
            ]
    async with calls() as http:
        reasons.append(await call(http, SecretStr(f"http://127.0.0.1:{port}")))

    assert reasons == ["timeout", "timeout", "connection", "connection"]
    assert set(reasons) <= set(ERRORS["heartbeat"])


def test_the_address_may_come_from_a_file_and_has_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text("https://hc-ping.com/secret-uuid\n")
    monkeypatch.setenv("TRAILSTREAM_HEARTBEAT_URL_FILE", str(file))
    url = Settings().heartbeat_url

    assert url is not None
    assert url.get_secret_value() == "https://hc-ping.com/secret-uuid"
    shown = invoke("env")
    assert "HEARTBEAT_URL" in shown.out
    assert "secret-uuid" not in shown.out
