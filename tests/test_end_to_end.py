"""The whole story, with the real `trailstream run` as a process: log files in by every route, alerts out, none lost."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import pytest

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator
from stream.demo.wiring import ROUTES, Wiring, wire
from stream.demo.workload import Samples, Workload
from tests.receiver import Receiver, Reply

FOLDER = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/24/"


def stop_logging(event_id: str, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": "111122223333"},
        "eventTime": "2026-11-24T10:00:00Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": "us-east-1",
        "requestParameters": {"name": "main"},
        "responseElements": None,
        "eventID": event_id,
        "recipientAccountId": "111122223333",
        **more,
    }


def log_file(*records: dict[str, Any]) -> bytes:
    return gzip.compress(json.dumps({"Records": records}).encode())


def s3_event(bucket: str, encoded_key: str, **more: str | int) -> str:
    entity = {"bucket": {"name": bucket}, "object": {"key": encoded_key, "size": 1, **more}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}]})


def alerted(receiver: Receiver) -> list[dict[str, Any]]:
    return [request.json()["data"] for request in receiver.requests]


async def until(condition: Callable[[], Awaitable[object]], timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - it is another process that changes
            await asyncio.sleep(0.05)


def assert_every_message_is_accounted_for(seen: Samples) -> None:
    assert seen.total("messages_received_total") == seen.total("messages_settled_total") + seen.total(
        "messages_in_flight"
    )


@pytest.fixture
async def wiring(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[Wiring]:
    name = f"e2e-{abs(hash(request.node.name)) % 10**8}"
    receives, visibility_timeout_s = getattr(request, "param", (3, 5))
    async with wire(
        emulator.endpoint, name, max_receive_count=receives, visibility_timeout_s=visibility_timeout_s
    ) as made:
        yield made


def settings(wiring: Wiring, **more: str) -> dict[str, str]:
    return {
        "QUEUE_URL": wiring.queue_url,
        "BUCKETS": ",".join(wiring.buckets.values()),
        "RETRY_DELAY": "0",
        "SHUTDOWN_GRACE": "5",
        **more,
    }


async def test_every_change_is_told_once_whatever_else_is_in_the_queue(
    wiring: Wiring, emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    # A week's worth of trouble: an intruder's story in 60 ordinary log files over all six routes, ...
    generator = Generator(seed=7)
    files = list(generator.log_files(60, stories=2))
    planted = {each.event_id for file in files for each in file.planted}
    assert len(planted) == 20

    # ... keys that have to be decoded in S3's notifications and left alone elsewhere, ...
    odd_keys = [f"a b/c+d%25é/{FOLDER}odd.json.gz", f"double//{FOLDER}odd.json.gz", f"o-abc123/{FOLDER}odd.json.gz"]
    odd = {key: f"odd-{number}" for number, key in enumerate(odd_keys)}
    planted |= set(odd.values()) | {"two-keys-0", "two-keys-1", "versioned", "before-the-cut"}

    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Receiver())
        slack.default = Reply(200, "ok")
        receiver.default = Reply(503, headers={"Retry-After": "0"})  # the webhook is out of order at first
        workload = await stack.enter_async_context(
            Workload(
                settings(
                    wiring, WEBHOOK_URL=receiver.url, SLACK_WEBHOOK_URL=slack.url, CONCURRENCY="4", MAX_EVENT_AGE="0"
                ),
                emulator.environ,
                tmp_path,
            )
        )
        for number, file in enumerate(files):
            await wiring.put(ROUTES[number % len(ROUTES)], file.key, file.body)
        bucket = wiring.buckets["s3"]
        silent = wiring.buckets["cloudtrail_sns"]  # announces nothing by itself
        for key, event_id in odd.items():
            await wiring.s3.put_object(Bucket=silent, Key=key, Body=log_file(stop_logging(event_id)))
            await wiring.send(s3_event(silent, quote_plus(key)))
        keys = [f"{FOLDER}two-{number}.json.gz" for number in range(2)]
        for number, key in enumerate(keys):
            await wiring.s3.put_object(Bucket=silent, Key=key, Body=log_file(stop_logging(f"two-keys-{number}")))
        await wiring.announce(keys)
        await wiring.s3.put_bucket_versioning(Bucket=silent, VersioningConfiguration={"Status": "Enabled"})
        put = [
            await wiring.s3.put_object(Bucket=silent, Key=f"{FOLDER}v.json.gz", Body=log_file(*records))
            for records in ([stop_logging("versioned")], [])
        ]
        await wiring.send(s3_event(silent, f"{FOLDER}v.json.gz", versionId=put[0]["VersionId"]))

        # ... and what belongs into the dead-letter queue.
        await wiring.send("poison")
        await wiring.send('{"Records": "poison"}')
        whole = gzip.compress(json.dumps({"Records": [stop_logging("before-the-cut"), {"x": "y" * 99}]}).encode(), 0)
        await wiring.put("s3", f"{FOLDER}cut.json.gz", whole[:-30])
        await wiring.send(s3_event("somebody-elses-bucket", f"{FOLDER}forged.json.gz"))
        await wiring.send(s3_event(bucket, f"{FOLDER}never-was.json.gz"))

        # Slack is not kept waiting by the webhook's outage, and nothing is acknowledged that the webhook has not taken.
        await until(lambda: _taken(workload, "slack", len(planted)))
        during = await workload.scrape()
        assert during.total("deliveries_total", channel="webhook", outcome="accepted") == 0
        assert during.total("deliveries_pending", channel="webhook") > 0
        assert (await wiring.depth()).in_flight > 0
        assert_every_message_is_accounted_for(during)
        receiver.default = Reply(200)
        refused = len(receiver.requests)

        await until(lambda: _seen(receiver, refused + len(planted)))
        await until(lambda: _dead_letters(wiring, 5))
        await until(lambda: _drained(wiring))
        after = await workload.scrape()
        await workload.stop()

    told = [request for request in receiver.requests[refused:] if request.json()["type"] == "io.trailstream.alert.v1"]
    assert Counter(request.json()["data"]["event"]["id"] for request in told) == Counter(planted)
    # People are told of repeats together.
    assert after.total("deliveries_total", channel="slack", outcome="accepted") == len(planted)
    assert after.total("alerts_grouped_total") > 0
    assert len(slack.requests) < len(planted)
    assert len({request.json()["id"] for request in told}) == len(planted)

    assert_every_message_is_accounted_for(after)
    assert after.total("messages_in_flight") == 0
    assert after.total("messages_settled_total", outcome="failed") == 5 * 3  # each received three times
    failed = {
        reason: after.total("log_files_total", outcome="failed", reason=reason)
        for reason in ("truncated", "foreign_bucket", "not_found")
    }
    assert failed == {"truncated": 3, "foreign_bucket": 3, "not_found": 3}
    assert after.total("notifications_total", envelope="poison") == 6
    for envelope in ("s3", "sns_s3", "eventbridge", "sns_eventbridge", "cloudtrail_sns"):
        assert after.total("notifications_total", envelope=envelope) > 0, envelope
    assert workload.exit_code == 0
    lines = [json.loads(line) for line in workload.log.read_text().splitlines()]
    cut = next(line for line in lines if line["event"] == "log file failed" and line["reason"] == "truncated")
    assert (cut["bucket"], cut["key"]) == (bucket, f"{FOLDER}cut.json.gz")
    assert cut["message_id"]
    assert not [line for line in lines if receiver.url in json.dumps(line)]


# A long poll that was cut short goes on in the emulator and takes what is given back, until its visibility ends: that
# costs receives, as it may with SQS.
@pytest.mark.parametrize("wiring", [(100, 2)], indirect=True, ids=["brief"])
async def test_a_replica_that_is_stopped_gives_back_what_it_has_not_finished(
    wiring: Wiring, emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.default = Reply(hang=True)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    wanted = settings(wiring, WEBHOOK_URL=receiver.url, SHUTDOWN_GRACE="0.5", RECEIVERS="1")
    async with Workload(wanted, emulator.environ, first) as workload:
        await wiring.put("s3", f"{FOLDER}stop.json.gz", log_file(stop_logging("given-back")))
        await receiver.wait_for(1)
        await workload.stop()

        assert workload.exit_code == 0
        assert (await wiring.depth()).total == 1

    receiver.default = Reply(200)
    async with Workload(wanted, emulator.environ, second) as workload:
        await until(lambda: _drained(wiring))

    assert [alert["event"]["id"] for alert in alerted(receiver)] == ["given-back", "given-back"]
    assert len({alert["id"] for alert in alerted(receiver)}) == 1
    assert await wiring.dead_letters() == 0


async def test_an_alert_that_is_rejected_ends_in_the_dead_letter_queue_and_others_do_not(
    wiring: Wiring, emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.default = lambda request: Reply(400 if b"not-this-one" in request.body else 200)
    async with Workload(settings(wiring, WEBHOOK_URL=receiver.url), emulator.environ, tmp_path) as workload:
        await wiring.put("sns", f"{FOLDER}a.json.gz", log_file(stop_logging("not-this-one"), stop_logging("but-this")))
        await wiring.put("eventbridge", f"{FOLDER}b.json.gz", log_file(stop_logging("and-this")))
        await until(lambda: _dead_letters(wiring, 1))
        seen = await workload.scrape()

    accepted = [alert["event"]["id"] for alert in alerted(receiver) if alert["event"]["id"] != "not-this-one"]
    assert sorted(accepted) == ["and-this", "but-this"]  # once each, though their message was tried three times
    assert seen.total("deliveries_total", channel="webhook", outcome="rejected") == 3
    assert (await wiring.depth()).total == 0


async def test_two_replicas_share_the_work_and_tell_each_change_once(
    wiring: Wiring, emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    files = list(Generator(seed=3).log_files(36, stories=1))
    planted = Counter({each.event_id: 1 for file in files for each in file.planted})
    folders = [tmp_path / name for name in ("one", "two")]
    async with AsyncExitStack() as stack:
        replicas = []
        for folder in folders:
            folder.mkdir()
            wanted = settings(wiring, WEBHOOK_URL=receiver.url)
            replicas.append(await stack.enter_async_context(Workload(wanted, emulator.environ, folder)))
        for number, file in enumerate(files):
            await wiring.put(ROUTES[number % len(ROUTES)], file.key, file.body)
        await until(lambda: _drained(wiring))
        seen = [await replica.scrape() for replica in replicas]

    # Two trails' copies of one event may be read by two replicas, which share no ledger: at least once, by one id.
    assert {alert["event"]["id"] for alert in alerted(receiver)} == set(planted)
    assert len({alert["id"] for alert in alerted(receiver)}) == len(planted)
    assert sum(each.total("log_files_total", outcome="read") for each in seen) == len(files)
    for each in seen:
        assert_every_message_is_accounted_for(each)


async def test_receiving_pauses_while_too_many_alerts_wait_and_goes_on_by_itself(
    wiring: Wiring, emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.default = Reply(503)
    wanted = settings(wiring, WEBHOOK_URL=receiver.url, MAX_PENDING_ALERTS="3", CONCURRENCY="1", RECEIVERS="1")
    async with Workload(wanted, emulator.environ, tmp_path) as workload, aiohttp.ClientSession() as session:
        for number in range(8):
            await wiring.put("s3", f"{FOLDER}{number}.json.gz", log_file(stop_logging(f"waiting-{number}")))
        await until(lambda: _paused(workload))
        waiting = await wiring.depth()
        async with session.get(f"{workload.address}/readyz") as answer:
            assert answer.status == 200  # a restart would not cure a channel
        receiver.default = Reply(200)
        await until(lambda: _drained(wiring))
        after = await workload.scrape()

    assert waiting.visible >= 4  # left to other replicas
    assert after.total("intake_paused") == 0
    assert after.total("messages_settled_total", outcome="acknowledged") >= 8
    assert await wiring.dead_letters() == 0
    told = [json.loads(line)["event"] for line in workload.log.read_text().splitlines()]
    assert told.count("intake paused") == told.count("intake resumed") >= 1


async def _paused(workload: Workload) -> bool:
    return (await workload.scrape()).total("intake_paused") == 1


async def _seen(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count


async def _taken(workload: Workload, channel: str, count: int) -> bool:
    scrape = await workload.scrape()
    return scrape.total("deliveries_total", channel=channel, outcome="accepted") >= count


async def _dead_letters(wiring: Wiring, count: int) -> bool:
    return await wiring.dead_letters() >= count


async def _drained(wiring: Wiring) -> bool:
    return (await wiring.depth()).total == 0
