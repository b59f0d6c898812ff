import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from stream.demo.emulator import Emulator, EmulatorError
from stream.demo.generator import Generator, LogFile
from stream.demo.traffic import Traffic, log_files, set_up, upload
from stream.demo.wiring import ROUTES, Wiring, wire
from stream.errors import TrailstreamError


def fine() -> None:
    """The check of a workload that runs."""


@pytest.fixture
async def wiring(emulator: Emulator) -> AsyncIterator[Wiring]:
    async with wire(emulator.endpoint, f"traffic-{uuid4().hex[:8]}") as made:
        yield made


async def keys_in(wiring: Wiring) -> dict[str, set[str]]:
    return {
        route: {each["Key"] for each in (await wiring.s3.list_objects_v2(Bucket=bucket)).get("Contents", [])}
        for route, bucket in wiring.buckets.items()
    }


async def test_files_go_through_every_route_and_are_accounted_for(wiring: Wiring) -> None:
    generator, traffic = Generator(seed=5), Traffic(started=time.monotonic())
    source = list(generator.log_files(26, stories=1))
    await upload(wiring, generator, iter(source), 1_000, traffic, stopping=asyncio.Event(), check=fine)
    keys = await keys_in(wiring)
    assert all(keys[route] for route in ROUTES)
    uploaded = set().union(*keys.values())
    assert {each.key for each in source} <= uploaded
    assert len(uploaded) == traffic.log_files + traffic.other_objects
    assert traffic.other_objects >= 1
    assert traffic.log_files == len(source)
    assert traffic.records == sum(each.records for each in source)
    assert set(traffic.planted) == {each.event_id for log_file in source for each in log_file.planted}
    assert set(traffic.uploaded_at) == set(traffic.planted)


async def test_set_up_sends_two_faults_and_no_planted_change(wiring: Wiring) -> None:
    generator, traffic = Generator(seed=5), Traffic(started=0.0)
    await set_up(wiring, generator, traffic)
    assert traffic.faults == 2
    assert not traffic.planted
    bodies: list[str] = []
    async with asyncio.timeout(60):
        while len(bodies) < 4:
            answer = await wiring.sqs.receive_message(
                QueueUrl=wiring.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=5
            )
            bodies.extend(each["Body"] for each in answer["Messages"] if "s3:TestEvent" not in each["Body"])
    assert "This is no notification." in bodies
    assert any("CloudTrail validation message." in json.loads(each)["Message"] for each in bodies if '"Type"' in each)
    assert any("/CloudTrail/" in each for each in bodies)


async def test_the_rate_is_kept(wiring: Wiring) -> None:
    generator, traffic = Generator(), Traffic(started=0.0)
    source = [generator.log_file(1) for _ in range(10)]
    began = time.monotonic()
    await upload(wiring, generator, iter(source), 50, traffic, stopping=asyncio.Event(), check=fine)
    assert time.monotonic() - began >= 10 / 50


async def test_an_endless_source_ends_when_it_is_told_to(wiring: Wiring) -> None:
    generator, traffic, stopping = Generator(), Traffic(started=0.0), asyncio.Event()

    def stop_after_some() -> None:
        if traffic.log_files >= 10:
            stopping.set()

    async with asyncio.timeout(60):
        await upload(
            wiring,
            generator,
            log_files(generator, 3, endless=True),
            500,
            traffic,
            stopping=stopping,
            check=stop_after_some,
        )
    assert traffic.log_files >= 10


async def test_a_workload_that_died_ends_the_upload_with_its_own_error(wiring: Wiring) -> None:
    def dead() -> None:
        raise TrailstreamError("ended")

    generator = Generator()
    with pytest.raises(TrailstreamError, match="ended"):
        await upload(
            wiring,
            generator,
            log_files(generator, 5, endless=True),
            500,
            Traffic(started=0.0),
            stopping=asyncio.Event(),
            check=dead,
        )


async def test_an_aws_that_refuses_ends_it_too(wiring: Wiring) -> None:
    wiring.buckets["s3"] = "no-such-bucket"
    generator = Generator()
    source = iter([generator.log_file(1)])
    with pytest.raises(EmulatorError, match="NoSuchBucket"):
        await upload(wiring, generator, source, 500, Traffic(started=0.0), stopping=asyncio.Event(), check=fine)


def test_an_endless_source_begins_a_story_again_and_again() -> None:
    generator = Generator()
    source: Iterator[LogFile] = log_files(generator, 10, endless=True)
    planted = {each.event_id for _ in range(200) for each in next(source).planted}
    assert len(planted) >= 30
