"""Log files that a digest lists and that nobody announced: they are told, and read."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from aiobotocore.session import AioSession

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.demo.wiring import wire
from stream.demo.workload import Workload
from stream.digest.announced import Announcements
from stream.digest.watching import Looked
from stream.metrics import Metrics
from stream.replay.sending import Announced, body
from stream.sources.hearing import delivered
from tests.digest.test_verify import World, world
from tests.digest.test_watching import Watching, looked_at, watching
from tests.digest.trail import HOUR, Trail
from tests.ledger.replicas import create_table, replica
from tests.receiver import Receiver
from tests.sources.test_watch import Notes
from tests.test_end_to_end import settings, until

__all__ = ["watching", "world"]


@dataclass
class Unannounced:
    """A trail of its own, the log files of one of whose hours nobody announces."""

    trail: Trail
    watching: Watching
    hours: "Hours"

    async def look(self, digest: int) -> Looked:
        return await self.watching.watch.look(self.trail.bucket, self.trail.digests[digest], 0.0)

    async def found(self, digest: int, *, read: bool = True) -> tuple[list[str], list[str]]:
        looked = await self.look(digest)
        if read:
            await self.watching.watch.read(looked)
        return [notice.event_name for notice in looked.notices], looked.unread

    def counted(self, reason: str) -> float | None:
        labels = {"stage": "digest", "reason": reason}
        return self.watching.metrics.registry.get_sample_value("trailstream_errors_total", labels)


class Hours:
    """The minutes of a trail's hours, in which one is told of its log files."""

    def __init__(self) -> None:
        self.at = 0.0
        self.behind = False

    def announcements(self, notes: Notes | None) -> Announcements:
        return Announcements(notes, behind=lambda: self.behind, unix_time=self.now)

    def now(self) -> float:
        return self.at

    async def pass_by(self, since: float, until: float, keys: Iterable[str], told: Announcements, bucket: str) -> None:
        due = {int(delivered(key) or 0): key for key in keys}
        for minute in range(int(since) // 60, int(until) // 60):
            self.at = minute * 60.0 + 59.0
            if minute in due:
                told.hear(bucket, due[minute])
            await told.write()
        self.at = until


@pytest.fixture(params=[False, True], ids=["alone", "sharing"])
async def unannounced(
    world: World,
    watching: Watching,  # and its environment
    request: pytest.FixtureRequest,
) -> AsyncIterator[Callable[..., Awaitable[Unannounced]]]:
    async with AsyncExitStack() as stack:
        notes, hours = (Notes() if request.param else None), Hours()

        async def make(logs: int, *, hour: int = 0) -> Unannounced:
            trail = Trail(world.trail.s3, watching.bucket, world.trail.end, account="222233334444")
            await trail.deliver(6, logs=logs)
            hears = looks = hours.announcements(notes)
            if notes:
                looks = hours.announcements(notes)
            known = [key for each in trail.logs[:hour] + trail.logs[hour + 1 :] for key in each]
            await hours.pass_by(trail.end - 7 * HOUR, trail.end, known, hears, trail.bucket)
            case = Watching(world, notes, looks)
            await stack.enter_async_context(case.watch)
            return Unannounced(trail, case, hours)

        yield make


async def test_log_files_that_nobody_announced_are_told_and_read(
    unannounced: Callable[..., Awaitable[Unannounced]],
) -> None:
    case = await unannounced(6, hour=2)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    both = (["LogFilesUnannounced"], case.trail.logs[2])
    assert await case.found(3, read=False) == both
    assert await case.found(3) == both, "its message has come again"
    assert [await case.found(digest) for digest in (4, 5)] == [([], [])] * 2
    assert case.counted("unannounced") == 12


async def test_what_could_not_be_read_is_found_at_the_next_digest(
    unannounced: Callable[..., Awaitable[Unannounced]],
) -> None:
    case = await unannounced(6, hour=2)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    both = (["LogFilesUnannounced"], case.trail.logs[2])
    assert await case.found(3, read=False) == both
    assert await case.found(4, read=False) == both, "the other one's message has not come back yet"
    assert await case.found(3, read=False) == both, "it has, and the later one's was not told of either"
    assert await case.found(4) == both
    assert await case.found(3) == ([], []), "there is a later one that stands for it"
    assert await case.found(5) == ([], [])


async def test_one_that_a_replica_may_have_taken_with_it_is_read_and_not_told(
    unannounced: Callable[..., Awaitable[Unannounced]],
) -> None:
    case = await unannounced(2, hour=2)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    assert await case.found(3) == ([], case.trail.logs[2])


async def test_while_messages_wait_nothing_is_concluded_and_later_all_of_it(
    unannounced: Callable[..., Awaitable[Unannounced]],
) -> None:
    case = await unannounced(6, hour=2)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    case.hours.behind = True
    assert [await case.found(digest) for digest in (3, 4)] == [([], [])] * 2
    case.hours.behind = False
    assert await case.found(5) == (["LogFilesUnannounced"], case.trail.logs[2])
    assert case.counted("unchecked") in (None, 0)


async def test_what_may_not_have_been_announced_is_read_and_not_told(
    unannounced: Callable[..., Awaitable[Unannounced]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.digest.announced._BEGUN", 90)  # when hour 0 is delivered, nobody has listened for long
    case = await unannounced(6, hour=0)
    assert await case.found(0) == ([], [])
    assert await case.found(1) == ([], case.trail.logs[0])
    assert await case.found(2) == ([], [])
    assert case.counted("unannounced") in (None, 0)


async def test_beside_a_trail_that_was_deleted_they_are_found_too(
    unannounced: Callable[..., Awaitable[Unannounced]],
) -> None:
    case = await unannounced(6, hour=2)
    trail = case.trail
    gone = Trail(trail.s3, trail.bucket, trail.end - 4 * HOUR, account=trail.account, name="gone")
    await gone.deliver(1, logs=0)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    assert await case.found(3) == (["LogFilesUnannounced"], trail.logs[2])
    assert [await case.found(digest) for digest in (4, 5)] == [([], [])] * 2


async def test_that_a_time_was_never_looked_at_is_counted(
    unannounced: Callable[..., Awaitable[Unannounced]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.digest.watching.KEPT_S", 2.0 * HOUR)
    case = await unannounced(6, hour=2)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    case.hours.behind = True
    assert [await case.found(digest) for digest in (3, 4)] == [([], [])] * 2
    case.hours.behind = False
    assert await case.found(5) == ([], [])
    assert case.counted("unchecked") == 2, "an hour each"


async def test_run_reads_log_files_that_were_never_announced(
    emulator: Emulator, receiver: Receiver, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For some hours the bucket has had no notifications, and then announces a digest."""
    trail = Trail(world.trail.s3, world.trail.bucket, world.trail.end, account="222233334444")
    trail.records = [trail.call("StopLogging", time.time() - 60)]
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    await trail.deliver(3, logs=5)
    async with (
        wire(emulator.endpoint, "unannounced", routes=("s3",)) as wiring,
        AioSession().create_client("dynamodb", endpoint_url=emulator.endpoint) as dynamodb,
    ):
        table = await create_table(dynamodb)
        async with replica(Aws(Metrics()), table) as ledger:
            for minute in range(int(trail.end) // 60 - 300, int(time.time()) // 60 + 1):
                note = json.dumps([minute, "", ["other"], [], False])
                assert await ledger.revise(f"announced-{minute % 360}", _being(note))
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, DIGEST="true", LEDGER=f"dynamodb://{table}", BUCKETS="*")
        async with Workload(wanted, emulator.environ | world.environ, tmp_path) as workload:
            for number, key in enumerate(trail.digests[:2]):
                await wiring.send(body(Announced(trail.bucket, "us-east-1", key, 1000, "e"), time.time()))
                await until(partial(looked_at, workload, number + 1))
            alerts = [json.loads(request.body)["data"] for request in await receiver.wait_for(2)]

    told = {alert["event"]["name"]: alert for alert in alerts}
    assert set(told) == {"LogFilesUnannounced", "StopLogging"}
    assert told["LogFilesUnannounced"]["severity"] == "high"
    assert told["StopLogging"]["log_file"]["key"] == trail.logs[0][0]


def _being(text: str) -> Callable[[str | None], str]:
    return lambda _: text
