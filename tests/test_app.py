"""`trailstream run` as a process: how it starts, refuses to, and stops, and that giants hold nothing up."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stream.configuration import load
from stream.demo.emulator import Emulator
from stream.demo.wiring import wire
from stream.demo.workload import Workload
from stream.in_force import config_hash
from tests.commands.running import invoke
from tests.decode.logs import MIB, giant, ordinary
from tests.receiver import Receiver, Reply
from tests.test_end_to_end import FOLDER, alerted, log_file, settings, stop_logging, until


def refuse(wanted: Mapping[str, str], aws: Mapping[str, str | None]) -> str:
    """What `run` says when it refuses, with exit code 2."""
    wanted = {"HTTP_PORT": "0", **wanted}
    environ: dict[str, Any] = {**aws, **{f"TRAILSTREAM_{name}": value for name, value in wanted.items()}}
    told = invoke("run", **environ)
    assert told.code == 2, told
    assert told.out == ""
    return told.err


def test_a_queue_without_a_redrive_policy_is_refused_and_the_way_out_is_said(emulator: Emulator) -> None:
    async def make() -> str:
        async with wire(emulator.endpoint, "app-bare", routes=()) as wiring:
            return str((await wiring.sqs.create_queue(QueueName="app-no-redrive"))["QueueUrl"])

    told = refuse({"QUEUE_URL": asyncio.run(make()), "BUCKETS": "*", "STDOUT": "true"}, emulator.environ)

    assert "redrive" in told
    assert "TRAILSTREAM_REQUIRE_DLQ" in told


def test_a_queue_that_is_not_there_is_refused(emulator: Emulator) -> None:
    wanted = {"QUEUE_URL": f"{emulator.endpoint}/111122223333/nowhere", "BUCKETS": "*", "STDOUT": "true"}

    assert "TRAILSTREAM_QUEUE_URL" in refuse(wanted, emulator.environ)


@pytest.mark.parametrize("aws", [{"AWS_PROFILE": "nope"}, {"AWS_ENDPOINT_URL": "no-url"}])
def test_awss_own_settings_that_can_not_be_used_are_named(aws: dict[str, str]) -> None:
    wanted = {"QUEUE_URL": "http://127.0.0.1:9/111122223333/q", "BUCKETS": "*", "STDOUT": "true"}
    told = refuse(wanted, aws)

    assert "AWS_PROFILE" in told
    assert "AWS_ENDPOINT_URL" in told


def test_a_queue_that_is_named_and_not_addressed_is_told_what_to_write() -> None:
    for wrong in ("trailstream", "arn:aws:sqs:eu-west-1:111122223333:trailstream"):
        told = refuse({"QUEUE_URL": wrong, "BUCKETS": "*", "STDOUT": "true"}, {})
        assert "https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream" in told


def test_without_credentials_that_is_what_is_said() -> None:
    wanted = {"QUEUE_URL": "http://127.0.0.1:9/111122223333/q", "BUCKETS": "*", "STDOUT": "true"}

    assert "no AWS credentials" in refuse(wanted, {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})


async def test_a_second_signal_ends_it_at_once(emulator: Emulator, receiver: Receiver, tmp_path: Path) -> None:
    receiver.default = Reply(hang=True)
    async with wire(emulator.endpoint, "app-second-signal", routes=("s3",)) as wiring:
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, SHUTDOWN_GRACE="600")
        async with Workload(wanted, emulator.environ, tmp_path) as workload:
            await wiring.put("s3", f"{FOLDER}a.json.gz", json.dumps({"Records": [stop_logging("a")]}).encode())
            await receiver.wait_for(1)
            process = workload._process
            assert process is not None
            process.send_signal(signal.SIGINT)
            await until(lambda: _logged(workload, "stopping"))
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 128 + signal.SIGINT
            assert time.monotonic() - began < 60  # of the 600 that it had


async def test_while_all_is_well_somebody_is_told_so_and_sighup_has_rules_read_again(
    emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    async with wire(emulator.endpoint, "app-sighup", routes=()) as wiring:
        wanted = settings(wiring, BUCKETS="*", STDOUT="true", HEARTBEAT_URL=f"{receiver.url}/ping")
        async with Workload(wanted, emulator.environ, tmp_path) as workload:
            (beat,) = await receiver.wait_for(1)
            assert (beat.method, beat.path) == ("GET", "/ping")
            assert (await workload.scrape()).total("heartbeat_last_success_timestamp_seconds") > 0
            assert workload._process is not None
            workload._process.send_signal(signal.SIGHUP)
            await until(lambda: _logged(workload, "rules read again"))
            assert (await workload.scrape()).total("rules_loaded", pack="ct-013") == 1
            await workload.stop()
            assert workload.exit_code == 0


async def test_neither_a_giant_log_file_nor_one_full_of_changes_holds_the_health_check_up(
    emulator: Emulator, tmp_path: Path
) -> None:
    stop = json.dumps(stop_logging("at-the-end")).encode()
    filler = b",".join(json.dumps(ordinary(index), separators=(",", ":")).encode() for index in range(2000))
    large = giant(filler, 64 * MIB // len(filler), stop)
    full = log_file(*(stop_logging(f"change-{number}") for number in range(2000)))
    async with (
        wire(emulator.endpoint, "app-giant", routes=("s3",)) as wiring,
        Workload(settings(wiring, STDOUT="true"), emulator.environ, tmp_path) as workload,
    ):
        for name, body, alerts, most_bytes in (("giant", large, 1, 32 * MIB), ("full", full, 2001, 48 * MIB)):
            await wiring.put("s3", f"{FOLDER}{name}.json.gz", body)
            slowest, lasted, grown = await watch(workload, alerts)
            # What blocked the loop would block it for most of that time, on however slow a machine.
            assert slowest < max(0.1, lasted / 5), name
            assert grown < most_bytes, name


async def watch(workload: Workload, alerts: int) -> tuple[float, float, float]:
    """Ask for its health until so many alerts are out.

    Returns the second longest time that took (one may be the machine's own), how long it went on, in seconds, and how
    many bytes of memory were added.
    """
    seen = await workload.scrape()
    before = peak = seen.total("process_resident_memory_bytes")
    began = time.perf_counter()
    took = []
    async with aiohttp.ClientSession() as session, asyncio.timeout(120):
        while seen.total("deliveries_total", outcome="accepted") < alerts:
            asked = time.perf_counter()
            async with session.get(f"{workload.address}/healthz") as answer:
                await answer.read()
            took.append(time.perf_counter() - asked)
            seen = await workload.scrape()
            peak = max(peak, seen.total("process_resident_memory_bytes"))
            await asyncio.sleep(0.01)
    return sorted(took)[-2], time.perf_counter() - began, peak - before


async def _logged(workload: Workload, event: str) -> bool:
    return any(json.loads(line)["event"] == event for line in workload.log.read_text().splitlines())


async def test_alerts_bear_the_names_of_accounts_and_what_is_suppressed_stays_away(
    emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "filter.yml").write_text(
        "title: Alice\nlogsource: {product: aws}\n"
        "filter: {rules: any, selection: {userIdentity.userName: alice}, condition: not selection}\n"
    )
    async with wire(emulator.endpoint, "app-names", routes=("s3",)) as wiring:
        alice = stop_logging("by-alice", userIdentity={"type": "IAMUser", "userName": "alice"})
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, ACCOUNTS="organizations", SUPPRESS=str(tmp_path))
        async with Workload(wanted, emulator.environ, tmp_path) as workload:
            both = log_file(alice, stop_logging("named"))
            await wiring.put("s3", f"{FOLDER}a.json.gz", both)
            await receiver.wait_for(1)
            await until(lambda: _logged(workload, "alert suppressed"))
            seen = await workload.scrape()

    (alert,) = alerted(receiver)
    assert (alert["event"]["id"], alert["event"]["account_name"]) == ("named", "Master Account")
    assert "in account Master Account (111122223333)" in alert["summary"]
    assert seen.total("alerts_suppressed_total", filter="alice") == 1


async def test_with_standard_error_closed_alerts_alone_go_to_standard_output(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with wire(emulator.endpoint, "app-closed", routes=("s3",)) as wiring:
        own = {f"TRAILSTREAM_{name}": value for name, value in settings(wiring, STDOUT="true", HTTP_PORT="0").items()}
        told = tmp_path / "told"
        command = f'exec "{sys.executable}" -m stream run 2>&- <&- >"{told}"'
        process = await asyncio.create_subprocess_shell(command, env={**emulator.environ, **own})
        try:
            await wiring.put("s3", f"{FOLDER}a.json.gz", log_file(stop_logging("alone")))
            await until(lambda: asyncio.to_thread(lambda: told.exists() and told.read_bytes().endswith(b"\n")))
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()

    assert [json.loads(line)["event"]["id"] for line in told.read_text().splitlines()] == ["alone"]


def test_the_hash_of_the_configuration_changes_with_the_file_of_routes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "routes.yml"
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(file))
    hashes = []
    for text in ("channels: {a: {type: stdout}}", "channels: {a: {type: stdout, rate: 1}}", "default: []"):
        for _ in range(2):
            file.write_text(text)
            hashes.append(config_hash(load(need_queue=False, need_channel=False)))

    assert hashes[0::2] == hashes[1::2]
    assert len(set(hashes)) == 3
    assert all(number < 2**48 for number in hashes)
