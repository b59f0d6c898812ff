"""`trailstream replay` against the embedded AWS: what it puts on the queue, the running program works through."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Workload
from stream.intake.notification import parse
from stream.intake.sqs import REPLAY
from stream.metrics import Metrics
from stream.replay.sending import Announced, NotSentError, Sender, body
from tests.checks.aws_stub import AwsStub, sqs_error
from tests.commands.running import Finished, invoke, run
from tests.receiver import Receiver, Reply
from tests.test_end_to_end import log_file, settings, stop_logging, until

FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/{day:02}/"
NAME = "111122223333_CloudTrail_eu-west-1_202405{day:02}T1205Z_{n}.json.gz"


def key(day: int, n: int = 0) -> str:
    return FOLDER.format(day=day) + NAME.format(day=day, n=n)


async def put(wiring: Wiring, bucket: str, keys: dict[str, bytes]) -> None:
    await wiring.s3.create_bucket(Bucket=bucket)
    for name, content in keys.items():
        await wiring.s3.put_object(Bucket=bucket, Key=name, Body=content)


async def replay(*arguments: str, **environ: str) -> Finished:
    return await asyncio.to_thread(lambda: run("replay", *arguments, stdin=b"", cwd=None, **environ))


async def on_the_queue(wiring: Wiring) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = await wiring.sqs.receive_message(
            QueueUrl=wiring.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        if not answer.get("Messages"):
            return found
        found += answer["Messages"]


async def test_what_is_wanted_is_announced_once_more_with_a_mark(emulator: Emulator) -> None:
    odd = FOLDER.format(day=3) + "a b+c%20&é_20240503T1200Z_x.json.gz"
    async with wire(emulator.endpoint, "replay-marks", routes=()) as wiring:
        await put(
            wiring, "replay-marks", {**{key(2, n): b"x" for n in range(23)}, odd: b"x", key(9): b"x", "z.txt": b"x"}
        )
        done = await replay(
            "s3://replay-marks/AWSLogs/",
            "--since",
            "2024-05-01",
            "--until",
            "2024-05-08",
            TRAILSTREAM_QUEUE_URL=wiring.queue_url,
            **emulator.environ,
        )
        messages = await on_the_queue(wiring)

    assert (done.code, done.out) == (0, ""), done.err
    assert "24 of 25 objects are on the queue" in done.err
    assert {unquote_plus(json.loads(each["Body"])["Records"][0]["s3"]["object"]["key"]) for each in messages} == {
        *(key(2, n) for n in range(23)),
        odd,
    }
    assert {each["MessageAttributes"][REPLAY]["StringValue"] for each in messages} == {"quiet"}
    assert {ref.key for each in messages for ref in parse(each["Body"]).objects} >= {odd}


async def test_an_interrupted_one_goes_on_after_the_last_key(emulator: Emulator) -> None:
    async with wire(emulator.endpoint, "replay-goes-on", routes=()) as wiring:
        await put(wiring, "replay-goes-on", {key(2, n): b"x" for n in range(5)})
        arguments = ("s3://replay-goes-on/", "--since", "2024-05-01", "--start-after", key(2, 2))
        environ = {"TRAILSTREAM_QUEUE_URL": wiring.queue_url, **emulator.environ}
        counted = await replay(*arguments, "--dry-run", **environ)
        assert await on_the_queue(wiring) == []
        done = await replay(*arguments, **environ)
        assert len(await on_the_queue(wiring)) == 2

    assert "2 of 2 objects would be put on the queue" in counted.err
    assert done.code == 0


async def test_people_are_told_of_history_only_if_asked(emulator: Emulator, receiver: Receiver, tmp_path: Path) -> None:
    async with wire(emulator.endpoint, "replay-people", routes=()) as wiring, Receiver() as people:
        people.default = Reply(202)
        await put(
            wiring, "replay-people", {key(2, 1): log_file(stop_logging("one")), key(3): log_file(stop_logging("two"))}
        )
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, TEAMS_WEBHOOK_URL=people.url, MAX_EVENT_AGE="0")
        wanted["BUCKETS"] = "replay-people"
        environ = {"TRAILSTREAM_QUEUE_URL": wiring.queue_url, **emulator.environ}
        async with Workload(wanted, emulator.environ, tmp_path) as workload:
            quiet = ("s3://replay-people/", "--since", "2024-05-02", "--until", "2024-05-03")
            assert (await replay(*quiet, **environ)).code == 0
            await receiver.wait_for(1)

            async def settled() -> bool:
                return (await workload.scrape()).total("messages_settled_total") == 1

            await until(settled)
            assert people.requests == []
            loud = ("s3://replay-people/", "--since", "2024-05-03", "--page")
            assert (await replay(*loud, **environ)).code == 0
            await people.wait_for(1)
            await receiver.wait_for(2)
            await workload.stop()

    assert "two" in people.requests[0].body.decode()
    assert len(people.requests) == 1


def test_what_is_said_of_an_object_is_what_s3_would_have_said() -> None:
    (ref,) = parse(body(Announced("acme", "eu-west-1", key(2), 1234, '"abc"'), 1_714_651_200.0)).objects

    assert (ref.bucket, ref.region, ref.key, ref.size) == ("acme", "eu-west-1", key(2), 1234)


@pytest.mark.parametrize("code", ["QueueDoesNotExist", "AccessDenied"])
async def test_a_queue_that_takes_nothing_is_given_up_and_named(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with AwsStub() as stub:
        for name, value in (("AWS_ENDPOINT_URL", stub.url), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")):
            monkeypatch.setenv(name, value)
        stub.answers["SendMessageBatch"] = sqs_error(code)
        async with Aws(Metrics()).client("sqs", attempts=1) as client:
            sender = Sender(client, f"{stub.url}/111122223333/q", rate=0, page=False)
            with pytest.raises(NotSentError, match=code):
                await sender.send([Announced("acme", "eu-west-1", key(2), 1, "")])
    assert sender.sent == 0


@pytest.mark.parametrize("url", ["acme", "s3://", "https://acme"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    done = invoke("replay", url, "--since", "1d", TRAILSTREAM_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/1/q")

    assert done.code == 2
    assert "s3://bucket/prefix" in done.err
