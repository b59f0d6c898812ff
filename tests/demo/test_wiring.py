import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from stream.demo.emulator import Emulator
from stream.demo.wiring import ROUTES, Wiring, wire


async def messages_of(wiring: Wiring, count: int, *, timeout_s: float = 60.0) -> list[Any]:
    """The first `count` bodies that are no test events, deleted from the queue."""
    bodies: list[Any] = []
    async with asyncio.timeout(timeout_s):
        while len(bodies) < count:
            answer = await wiring.sqs.receive_message(
                QueueUrl=wiring.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=5
            )
            for message in answer.get("Messages", []):
                if "s3:TestEvent" not in message["Body"]:
                    bodies.append(json.loads(message["Body"]))
                await wiring.sqs.delete_message(QueueUrl=wiring.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


async def test_each_route_brings_its_own_shape_of_body_to_the_one_queue(emulator: Emulator) -> None:
    async with wire(emulator.endpoint, f"wiring-{uuid4().hex[:8]}") as wiring:
        for route in ROUTES:
            await wiring.put(route, f"AWSLogs/{route}.json.gz", b"x")
        bodies = await messages_of(wiring, len(ROUTES))
    shapes = {
        route: next(each for each in bodies if f"AWSLogs/{route}.json.gz" in json.dumps(each)) for route in ROUTES
    }
    assert "s3" in shapes["s3"]["Records"][0]
    assert "s3" in shapes["sns_raw"]["Records"][0]
    assert "s3" in json.loads(shapes["sns"]["Message"])["Records"][0]
    assert shapes["eventbridge"]["detail-type"] == "Object Created"
    assert json.loads(shapes["eventbridge_sns"]["Message"])["detail-type"] == "Object Created"
    assert json.loads(shapes["cloudtrail_sns"]["Message"]) == {
        "s3Bucket": wiring.buckets["cloudtrail_sns"],
        "s3ObjectKey": ["AWSLogs/cloudtrail_sns.json.gz"],
    }


async def test_a_message_received_too_often_ends_in_the_dead_letter_queue(emulator: Emulator) -> None:
    name = f"wiring-{uuid4().hex[:8]}"
    async with wire(emulator.endpoint, name, routes=(), max_receive_count=2) as wiring:
        await wiring.send("poison")
        for _ in range(2):
            answer = await wiring.sqs.receive_message(QueueUrl=wiring.queue_url, VisibilityTimeout=0)
            assert [each["Body"] for each in answer["Messages"]] == ["poison"]
        assert await wiring.dead_letters() == 0
        assert "Messages" not in await wiring.sqs.receive_message(QueueUrl=wiring.queue_url)
        assert await wiring.dead_letters() == 1
        assert (await wiring.depth()).total == 0


async def test_the_machines_own_aws_settings_have_no_part_in_it(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "config"
    broken.write_text("[profile production\nregion")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with wire(emulator.endpoint, f"wiring-{uuid4().hex[:8]}", routes=("s3",)) as wiring:
        await wiring.put("s3", "key", b"x")
        assert len(await messages_of(wiring, 1)) == 1
