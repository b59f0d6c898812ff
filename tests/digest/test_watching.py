"""Digests as they are announced: what was tampered with since the last one is told, and once."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from stream.aws import Aws
from stream.checks.trails import check_digest
from stream.demo.emulator import Emulator
from stream.demo.wiring import wire
from stream.demo.workload import Workload
from stream.digest import verifying
from stream.digest.announced import Announcements
from stream.digest.watching import DigestWatch, _Looked
from stream.errors import LogFileError
from stream.metrics import Metrics
from stream.notice import KINDS
from stream.settings import Settings
from tests.digest.test_verify import World, world
from tests.digest.trail import HOUR, Trail, clock, cloudtrail
from tests.receiver import Receiver
from tests.sources.test_watch import Notes
from tests.test_end_to_end import settings, until

__all__ = ["world"]


class Watching:
    """A replica that digests are announced to."""

    def __init__(self, world: World, notes: Notes | None = None, announcements: Announcements | None = None) -> None:
        self.metrics = Metrics()
        self.watch = DigestWatch(
            Aws(self.metrics),
            self.metrics,
            account_name=lambda _: "prod",
            notes=notes,
            announcements=announcements,
        )
        self.bucket = world.trail.bucket

    async def look(self, key: str, *, told: bool = True) -> list[str]:
        looked = await self.watch.look(self.bucket, key, 0.0)
        if told:
            await self.watch.read(looked)
        notices = looked.notices
        for notice in notices:
            assert notice.kind in KINDS
            assert KINDS[notice.kind].level == notice.severity
            assert "prod" in notice.summary
            assert "{" not in notice.summary
        return [notice.event_name for notice in notices]


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


@pytest.mark.parametrize("sharing", [False, True])
async def test_what_people_could_not_be_told_of_is_found_until_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch, sharing: bool
) -> None:
    """The channel is out of order while more digests come; then their messages come back, to whichever replica."""
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    trail, notes = world.trail, Notes() if sharing else None
    first = Watching(world, notes)
    second = Watching(world, notes) if sharing else first
    async with first.watch, AsyncExitStack() as stack:
        if sharing:
            await stack.enter_async_context(second.watch)
        assert [await first.look(key) for key in trail.digests[:2]] == [[], []]
        await trail.log(trail.end - 5 * HOUR + 900)
        await trail.rewrite(trail.logs[3][0], b"{}")
        both = ["LogFileAltered", "LogFileForged"]
        assert await first.look(trail.digests[2], told=False) == ["LogFileForged"]
        assert await first.look(trail.digests[3], told=False) == both
        assert await first.look(trail.digests[4], told=False) == ["LogFileAltered"], "so late none is called forged"

        assert await second.look(trail.digests[2], told=False) == ["LogFileForged"]
        assert await second.look(trail.digests[3]) == both
        assert await second.look(trail.digests[2]) == [], "the later look began before it"
        assert await second.look(trail.digests[4]) == ["LogFileAltered"], "again, in case"
        assert await second.look(trail.digests[5]) == []


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
async def test_while_nobody_says_how_far_was_looked_nothing_is_passed_over(world: World) -> None:
    """A replica that is new meets a ledger that is out of reach: what lies before a digest waits for the next one."""
    notes, trail = Notes(), world.trail
    first, second = Watching(world, notes), Watching(world, notes)
    async with first.watch, second.watch:
        assert await first.look(trail.digests[0]) == []
        await trail.delete(*trail.digests[1:3])
        notes.there = False
        looked = await second.watch.look(second.bucket, trail.digests[3], 0.0)
        assert looked.notices == []
        notes.there = True
        await second.watch.read(looked)
        assert await second.look(trail.digests[4]) == ["DigestMissing", "DigestMissing"]


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
            await until(lambda: looked_at(workload, 2))
            trail.end += HOUR
            await trail.deliver(1, first=False, tamper=True)
            requests = await receiver.wait_for(1)
            alert = json.loads(requests[0].body)["data"]
            assert (alert["event"]["name"], alert["severity"]) == ("LogFileAltered", "critical")
            assert alert["log_file"]["key"] == trail.logs[-1][0]


async def looked_at(workload: Workload, count: int) -> bool:
    return (await workload.scrape()).total("digests_total") >= count
