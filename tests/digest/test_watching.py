"""Digests as they are announced: what was tampered with since the last one is told, and once."""

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
from stream.checks.trails import check_digest
from stream.demo.emulator import Emulator
from stream.demo.wiring import wire
from stream.demo.workload import Workload
from stream.digest import verifying
from stream.digest.announced import Announcements
from stream.digest.watching import DigestWatch, Looked, _Looked
from stream.errors import LogFileError
from stream.metrics import Metrics
from stream.notice import KINDS
from stream.replay.sending import Announced, body
from stream.settings import Settings
from stream.sources.hearing import delivered
from tests.digest.test_verify import World, world
from tests.digest.trail import HOUR, Trail, clock, cloudtrail
from tests.ledger.replicas import create_table, replica
from tests.receiver import Receiver
from tests.sources.test_watch import Notes
from tests.test_end_to_end import settings, until

__all__ = ["world"]


class Watching:
    """A replica that digests are announced to."""

    def __init__(self, world: World, notes: Notes | None = None, announcements: Announcements | None = None) -> None:
        self.metrics = Metrics()
        self.behind = False
        self.watch = DigestWatch(
            Aws(self.metrics),
            self.metrics,
            account_name=lambda _: "prod",
            notes=notes,
            announcements=announcements,
            behind=lambda: self.behind,
        )
        self.bucket = world.trail.bucket

    async def look(self, key: str) -> list[str]:
        notices = (await self.watch.look(self.bucket, key, 0.0)).notices
        for notice in notices:
            assert notice.kind in KINDS
            assert KINDS[notice.kind].level == notice.severity
            assert "prod" in notice.summary
            assert "{" not in notice.summary
        return [notice.event_name for notice in notices]


@dataclass
class Unannounced:
    """A trail of its own, the log files of one of whose hours nobody announces."""

    trail: Trail
    watching: Watching

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
            hears = looks = Announcements(notes, unix_time=hours.now)
            if notes:
                looks = Announcements(notes, unix_time=hours.now)
            known = [key for each in trail.logs[:hour] + trail.logs[hour + 1 :] for key in each]
            await hours.pass_by(trail.end - 7 * HOUR, trail.end, known, hears, trail.bucket)
            case = Watching(world, notes, looks)
            await stack.enter_async_context(case.watch)
            return Unannounced(trail, case)

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
    assert await case.found(3) == ([], []), "it has, and there is a later one that stands for it"
    assert await case.found(4) == both
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
    case.watching.behind = True
    assert [await case.found(digest) for digest in (3, 4)] == [([], [])] * 2
    case.watching.behind = False
    assert await case.found(5) == (["LogFilesUnannounced"], case.trail.logs[2])
    assert case.counted("unchecked") in (None, 0)


async def test_that_a_time_was_never_looked_at_is_counted(
    unannounced: Callable[..., Awaitable[Unannounced]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.digest.watching.KEPT_S", 2.0 * HOUR)
    case = await unannounced(6, hour=2)
    assert [await case.found(digest) for digest in range(3)] == [([], [])] * 3
    case.watching.behind = True
    assert [await case.found(digest) for digest in (3, 4)] == [([], [])] * 2
    case.watching.behind = False
    assert await case.found(5) == ([], [])
    assert case.counted("unchecked") == 1


@pytest.fixture
async def watching(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watching]:
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    watching = Watching(world)
    async with watching.watch:
        yield watching


async def test_of_a_chain_as_it_should_be_nothing_is_told(world: World, watching: Watching) -> None:
    assert [await watching.look(key) for key in world.trail.digests] == [[]] * 6
    assert watching.metrics.registry.get_sample_value("trailstream_digests_total", {"outcome": "valid"}) == 6


async def test_what_was_tampered_with_since_the_last_one_is_told(world: World, watching: Watching) -> None:
    trail = world.trail
    assert await watching.look(trail.digests[0]) == []
    await trail.rewrite(trail.logs[1][0], b"{}")
    await trail.delete(trail.logs[1][1])
    assert sorted(await watching.look(trail.digests[1])) == ["LogFileAltered", "LogFileDeleted"]

    await trail.delete(trail.digests[2], trail.digests[3])
    found = await watching.look(trail.digests[4])
    assert sorted(found) == ["DigestMissing", "DigestMissing", "LogFileAltered", "LogFileDeleted"], "again, in case"
    assert await watching.look(trail.digests[5]) == ["DigestMissing", "DigestMissing"], "again, in case"
    assert await watching.look(trail.digests[5]) == ["DigestMissing", "DigestMissing"], "its message has come again"
    assert await watching.look(trail.digests[0]) == [], "history that is announced again"


async def test_the_digest_that_was_the_last_is_missed_when_it_is_gone(world: World, watching: Watching) -> None:
    trail = world.trail
    for key in trail.digests[:3]:
        await watching.look(key)
    await trail.delete(trail.digests[2])

    assert await watching.look(trail.digests[3]) == ["DigestMissing"]


async def test_a_digest_that_is_forged_or_begins_anew_is_told(world: World, watching: Watching) -> None:
    trail = world.trail
    await watching.look(trail.digests[0])
    await trail.rewrite(trail.digests[1], b"{}")
    assert await watching.look(trail.digests[1]) == ["DigestAltered"]

    await trail.sign(trail.end - 3 * HOUR, [], chained=False)
    assert "DigestChainRestarted" not in await watching.look(trail.digests[2]), "what was before it can't be believed"
    await trail.sign(trail.end - 2 * HOUR, [])
    await trail.sign(trail.end - HOUR, [], chained=False)
    assert "DigestChainRestarted" in await watching.look(trail.digests[4])


async def test_whoever_stopped_the_trail_is_named(world: World, watching: Watching) -> None:
    trail = world.trail
    await watching.look(trail.digests[0])
    began = trail.end - 5 * HOUR
    await trail.log(began + 300, trail.call("StopLogging", began + 240), trail.call("DescribeTrails", began))
    await trail.log(began + 600, trail.call("StartLogging", began + 500) | {"errorCode": "AccessDenied"}, name="b" * 16)
    await trail.log(
        began + 660, {**trail.call("StopLogging", began), "requestParameters": {"name": "other"}}, name="c" * 16
    )
    await trail.sign(trail.end - 4 * HOUR, [], chained=False)

    (notice,) = (await watching.watch.look(watching.bucket, trail.digests[1], 0.0)).notices
    assert notice.event_name == "DigestChainRestarted"
    who = "arn:aws:iam::111122223333:user/mallory"
    assert f"log files say: StopLogging at {clock(began + 240)} by {who} (event id-of-StopLogging)." in notice.summary
    assert "StartLogging at" not in notice.summary


async def test_a_hole_that_nothing_explains_is_said_to_be_one(world: World, watching: Watching) -> None:
    trail = world.trail
    await watching.look(trail.digests[0])
    await trail.sign(trail.end - 4 * HOUR, [], chained=False)

    (notice,) = (await watching.watch.look(watching.bucket, trail.digests[1], 0.0)).notices
    assert "no log file tells of a call that would explain it" in notice.summary
    await trail.delete(trail.digests[2])
    notices = (await watching.watch.look(watching.bucket, trail.digests[3], 0.0)).notices
    (missing,) = [notice for notice in notices if notice.event_name == "DigestMissing"]
    assert missing.summary.endswith("it is not there. Somebody has deleted it."), "no call explains that"


async def test_a_log_file_that_no_digest_lists_is_told_until_it_is_nothing_new(
    world: World, watching: Watching
) -> None:
    trail = world.trail
    assert [await watching.look(key) for key in trail.digests[:2]] == [[], []]
    forged = await trail.log(trail.end - 5 * HOUR + 900)

    (notice,) = (await watching.watch.look(watching.bucket, trail.digests[2], 0.0)).notices
    assert (notice.event_name, (notice.facts or {}).get("key")) == ("LogFileForged", forged)
    assert await watching.look(trail.digests[2]) == ["LogFileForged"], "its message has come again"

    await trail.log(trail.end - 4 * HOUR + 900)
    assert await watching.look(trail.digests[3]) == [], "it has been told that files come which none lists"
    assert await watching.look(trail.digests[4]) == []


async def test_beside_a_trail_without_validation_nothing_is_told(world: World, watching: Watching) -> None:
    trail = world.trail
    for hour in range(6):
        await trail.log(trail.end - (6 - hour) * HOUR + 900)

    assert [await watching.look(key) for key in trail.digests] == [[]] * 6


async def test_beside_a_trail_with_digests_of_its_own_nothing_is_told(world: World, watching: Watching) -> None:
    trail = world.trail
    other = Trail(trail.s3, trail.bucket, trail.end, name="other_trail")
    await other.deliver(6)

    assert [await watching.look(key) for key in trail.digests] == [[]] * 6
    await trail.log(trail.end - HOUR - 1800)
    assert await watching.look(other.digests[5]) == [], "its first: what was there before is no news"


async def test_what_a_trail_has_left_that_was_deleted_is_not_called_forged(world: World, watching: Watching) -> None:
    trail = world.trail
    other = Trail(trail.s3, trail.bucket, trail.end - 4 * HOUR, name="gone")
    await other.deliver(2)
    await trail.log(trail.end - 4 * HOUR + 900)  # of the other one's last minutes
    trail.end += HOUR
    await trail.deliver(1, first=False)

    assert [await watching.look(key) for key in trail.digests] == [[]] * 7


async def test_a_forged_digest_that_is_dated_ahead_keeps_no_real_one_from_being_looked_at(
    world: World, watching: Watching
) -> None:
    trail = world.trail
    assert await watching.look(trail.digests[0]) == []
    forged = Trail(trail.s3, trail.bucket, trail.end + 365 * 24 * HOUR)
    await forged.sign(forged.end, [], by=1)
    assert "DigestAltered" in await watching.look(forged.digests[0])

    await trail.rewrite(trail.logs[1][0], b"{}")
    assert await watching.look(trail.digests[1]) == ["LogFileAltered"]


@pytest.mark.usefixtures("watching")
async def test_replicas_know_how_far_the_others_have_looked(world: World) -> None:
    notes = Notes()
    first, second = Watching(world, notes), Watching(world, notes)
    async with first.watch, second.watch:
        assert await first.look(world.trail.digests[0]) == []
        await world.trail.delete(world.trail.digests[1])
        assert await second.look(world.trail.digests[2]) == ["DigestMissing"]
        assert await first.look(world.trail.digests[2]) == ["DigestMissing"]


@pytest.mark.usefixtures("watching")
async def test_what_can_not_be_looked_at_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cloudtrail(refuses=True) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", address)
        barred = Watching(world)
        async with barred.watch:
            with pytest.raises(LogFileError, match="ListPublicKeys") as fault:
                await barred.look(world.trail.digests[0])
    assert fault.value.reason == "unavailable"


async def test_keys_that_could_not_be_had_or_are_new_are_asked_for_again(
    world: World, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = world.trail.digests[:2]
    async with cloudtrail(refuses=True) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", address)
        with pytest.raises(LogFileError):
            await watching.look(first)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", world.environ["AWS_ENDPOINT_URL_CLOUDTRAIL"])
    with pytest.raises(LogFileError):
        await watching.look(first)  # at once, CloudTrail is not asked again
    monkeypatch.setattr(verifying, "_ASKED_AGAIN_S", 0.0)
    assert await watching.look(first) == []

    watching.watch._public_keys._known.clear()  # as if the key had come after the day's first answer
    assert await watching.look(second) == []


@pytest.mark.parametrize(("refuses", "status"), [(False, "ok"), (True, "FAIL")])
async def test_check_says_what_it_takes(
    world: World, monkeypatch: pytest.MonkeyPatch, refuses: bool, status: str
) -> None:
    async with cloudtrail(refuses=refuses) as address:
        environ = world.environ | {"AWS_ENDPOINT_URL_CLOUDTRAIL": address}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        (outcome,) = [one async for one in check_digest(Aws(Metrics()), Settings(digest=True))]
        assert [one async for one in check_digest(Aws(Metrics()), Settings())] == []

    assert (outcome.check, outcome.status) == ("digest", status)
    assert ("cloudtrail:ListPublicKeys" in str(outcome.fix)) is refuses


@pytest.mark.parametrize("text", [None, "", "3", "[1]", '["a","b","c"]', "{}"])
def test_a_note_that_can_not_be_read_is_none(text: str | None) -> None:
    assert _Looked.read(text) == _Looked()


async def test_run_tells_of_a_log_file_that_was_altered(
    emulator: Emulator, receiver: Receiver, tmp_path: Path, world: World
) -> None:
    async with wire(emulator.endpoint, "app-digest", routes=("s3",)) as wiring:
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, DIGEST="true")
        environ = emulator.environ | world.environ
        trail = Trail(wiring.s3, wiring.buckets["s3"], world.trail.end)
        async with Workload(wanted, environ, tmp_path) as workload:
            await trail.deliver(2)
            await until(lambda: _looked(workload, 2))
            trail.end += HOUR
            await trail.deliver(1, first=False, tamper=True)
            requests = await receiver.wait_for(1)
            alert = json.loads(requests[0].body)["data"]
            assert (alert["event"]["name"], alert["severity"]) == ("LogFileAltered", "critical")
            assert alert["log_file"]["key"] == trail.logs[-1][0]


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
                assert await ledger.revise(f"announced-{minute % 360}", _being(json.dumps([minute, "", ["other"], []])))
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, DIGEST="true", LEDGER=f"dynamodb://{table}", BUCKETS="*")
        async with Workload(wanted, emulator.environ | world.environ, tmp_path) as workload:
            for number, key in enumerate(trail.digests[:2]):
                await wiring.send(body(Announced(trail.bucket, "us-east-1", key, 1000, "e"), time.time()))
                await until(partial(_looked, workload, number + 1))
            alerts = [json.loads(request.body)["data"] for request in await receiver.wait_for(2)]

    told = {alert["event"]["name"]: alert for alert in alerts}
    assert set(told) == {"LogFilesUnannounced", "StopLogging"}
    assert told["LogFilesUnannounced"]["severity"] == "high"
    assert told["StopLogging"]["log_file"]["key"] == trail.logs[0][0]


def _being(text: str) -> Callable[[str | None], str]:
    return lambda _: text


async def _looked(workload: Workload, count: int) -> bool:
    return (await workload.scrape()).total("digests_total") >= count
