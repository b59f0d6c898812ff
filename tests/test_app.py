"""`trailstream run` as a process: how it starts, refuses to, and stops, and that giants hold nothing up."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import pytest

from stream.demo.emulator import Emulator
from stream.demo.wiring import wire
from stream.demo.workload import Workload
from tests.decode.logs import MIB, giant, ordinary
from tests.receiver import Receiver, Reply
from tests.test_end_to_end import FOLDER, alerted, log_file, settings, stop_logging, until


def refuse(wanted: Mapping[str, str], aws: Mapping[str, str]) -> str:
    """What `run` says when it refuses, with exit code 2."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {f"TRAILSTREAM_{name}": value for name, value in wanted.items()}
    command = [sys.executable, "-m", "stream", "run"]
    told = subprocess.run(command, env=inherited | own | dict(aws), capture_output=True, timeout=60, check=False)
    assert told.returncode == 2, told
    assert b"Traceback" not in told.stderr
    return told.stderr.decode()


def test_without_anything_every_missing_variable_is_named() -> None:
    told = refuse({}, {})

    for name in ("TRAILSTREAM_QUEUE_URL", "TRAILSTREAM_BUCKETS", "TRAILSTREAM_STDOUT=true"):
        assert name in told


async def test_a_queue_without_a_redrive_policy_is_refused_unless_that_is_wanted(
    emulator: Emulator, tmp_path: Path
) -> None:
    async with wire(emulator.endpoint, "app-bare", routes=()) as wiring:
        created = await wiring.sqs.create_queue(QueueName="app-no-redrive")
        wanted = {"QUEUE_URL": created["QueueUrl"], "BUCKETS": "*", "STDOUT": "true"}

        told = await asyncio.to_thread(refuse, wanted, emulator.environ)
        assert "redrive" in told
        assert "TRAILSTREAM_REQUIRE_DLQ" in told
        async with Workload({**wanted, "REQUIRE_DLQ": "false"}, emulator.environ, tmp_path) as workload:
            await workload.stop()
            assert workload.exit_code == 0


async def test_a_queue_that_is_not_there_is_refused(emulator: Emulator) -> None:
    wanted = {"QUEUE_URL": f"{emulator.endpoint}/111122223333/nowhere", "BUCKETS": "*", "STDOUT": "true"}
    told = await asyncio.to_thread(refuse, wanted, emulator.environ)

    assert "TRAILSTREAM_QUEUE_URL" in told


@pytest.mark.parametrize("aws", [{"AWS_PROFILE": "nope"}, {"AWS_ENDPOINT_URL": "no-url"}])
def test_awss_own_settings_that_can_not_be_used_are_named(aws: dict[str, str]) -> None:
    told = refuse({"QUEUE_URL": "http://127.0.0.1:9/111122223333/q", "BUCKETS": "*", "STDOUT": "true"}, aws)

    assert "AWS_PROFILE" in told
    assert "AWS_ENDPOINT_URL" in told


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
            assert time.monotonic() - began < 5


async def test_a_giant_log_file_never_holds_the_health_check_up(
    emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    stop = json.dumps(stop_logging("at-the-end")).encode()
    filler = b",".join(json.dumps(ordinary(index), separators=(",", ":")).encode() for index in range(2000))
    body = giant(filler, 200 * MIB // len(filler), stop)
    async with wire(emulator.endpoint, "app-giant", routes=("s3",)) as wiring:
        wanted = settings(wiring, WEBHOOK_URL=receiver.url)
        async with Workload(wanted, emulator.environ, tmp_path) as workload:
            await wiring.put("s3", f"{FOLDER}giant.json.gz", body)
            took, grown = await watch(workload, lambda: bool(receiver.requests))

    assert [alert["event"]["id"] for alert in alerted(receiver)] == ["at-the-end"]
    assert took < 0.1
    assert grown < 32 * MIB


async def test_a_log_file_full_of_changes_never_holds_the_health_check_up(emulator: Emulator, tmp_path: Path) -> None:
    changes = [stop_logging(f"change-{number}") for number in range(4000)]
    async with wire(emulator.endpoint, "app-full", routes=("s3",)) as wiring:
        wanted = settings(wiring, STDOUT="true", LOG_LEVEL="debug")
        async with Workload(wanted, emulator.environ, tmp_path) as workload:
            await wiring.put("s3", f"{FOLDER}full.json.gz", log_file(*changes))
            took, grown = await watch(workload, lambda: workload.log.read_bytes().count(b'"alert delivered"') == 4000)

    assert took < 0.1
    assert grown < 48 * MIB


async def watch(workload: Workload, done: Callable[[], bool]) -> tuple[float, float]:
    """Ask for its health until it is done: the second longest time (one may be the machine's own), and the growth."""
    before = peak = (await workload.scrape()).total("process_resident_memory_bytes")
    took = []
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while not done():
            began = time.perf_counter()
            async with session.get(f"{workload.address}/healthz") as answer:
                await answer.read()
            took.append(time.perf_counter() - began)
            peak = max(peak, (await workload.scrape()).total("process_resident_memory_bytes"))
            await asyncio.sleep(0.01)
    return sorted(took)[-2], peak - before


async def _logged(workload: Workload, event: str) -> bool:
    return any(json.loads(line)["event"] == event for line in workload.log.read_text().splitlines())


def test_a_queue_that_is_named_and_not_addressed_is_told_what_to_write() -> None:
    for wrong in ("trailstream", "arn:aws:sqs:eu-west-1:111122223333:trailstream"):
        told = refuse({"QUEUE_URL": wrong, "BUCKETS": "*", "STDOUT": "true"}, {})
        assert "https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream" in told


def test_without_credentials_that_is_what_is_said() -> None:
    wanted = {"QUEUE_URL": "http://127.0.0.1:9/111122223333/q", "BUCKETS": "*", "STDOUT": "true"}
    none = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }

    assert "no AWS credentials" in refuse(wanted, none)


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
