"""`trailstream verify`: a trail as it was delivered, and each way to tamper with it, by the real command."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from aiobotocore.session import get_session

from stream.demo.emulator import Emulator
from tests.commands.running import Finished, invoke
from tests.digest.trail import ACCOUNT, HOUR, Trail, clock, cloudtrail

HOURS: Final = 6


@dataclass
class World:
    trail: Trail
    environ: dict[str, str]
    since: float
    until: float

    async def verify(self, *arguments: str, url: str = "", **environ: str) -> Finished:
        where = url or f"s3://{self.trail.bucket}/"
        times = ("--since", clock(self.since), "--until", clock(self.until))
        given: dict[str, Any] = self.environ | environ
        return await asyncio.to_thread(invoke, "verify", where, *times, "--format", "jsonl", *arguments, **given)

    async def findings(self, code: int, *arguments: str) -> list[tuple[str, str]]:
        done = await self.verify(*arguments)
        assert done.code == code, done
        return [(found["kind"], found["key"]) for found in map(json.loads, done.out.splitlines())]


@pytest.fixture
async def world(emulator: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Six hours of a trail, of which the last is not over: what is written now, is written in it."""
    end = (time.time() // HOUR + 2) * HOUR if time.time() % HOUR > HOUR - 900 else (time.time() // HOUR + 1) * HOUR
    environ = {name: value for name, value in emulator.environ.items() if name.startswith("AWS_") and value}
    async with cloudtrail() as address, get_session().create_client("s3", endpoint_url=emulator.endpoint) as s3:
        bucket = f"digest-{abs(hash(request.node.name)):x}"
        await s3.create_bucket(Bucket=bucket)
        trail = Trail(s3, bucket, end)
        await trail.deliver(HOURS)
        environ |= {"AWS_ENDPOINT_URL_CLOUDTRAIL": address, "AWS_ENDPOINT_URL": emulator.endpoint}
        yield World(trail, environ, end - HOURS * HOUR, end)


async def test_what_is_as_it_was_delivered_is_said_to_be(world: World) -> None:
    done = await world.verify()

    assert (done.code, done.out) == (0, "")
    assert f"{HOURS} digests and {2 * HOURS} log files are as CloudTrail delivered them" in done.err


async def test_a_log_file_that_was_altered_or_deleted_is_named(world: World) -> None:
    altered, deleted = world.trail.logs[2][0], world.trail.logs[4][1]
    await world.trail.rewrite(altered, b'{"Records":[]}')
    await world.trail.delete(deleted)

    assert sorted(await world.findings(1)) == [("log_altered", altered), ("log_missing", deleted)]


async def test_bytes_behind_a_log_file_s_end_alter_it(world: World) -> None:
    key, trail = world.trail.logs[1][0], world.trail
    body = await (await trail.s3.get_object(Bucket=trail.bucket, Key=key))["Body"].read()
    for more in (b"\0", body):
        await trail.s3.put_object(Bucket=trail.bucket, Key=key, Body=body + more)
        assert await world.findings(1) == [("log_altered", key)]


async def test_a_log_file_that_no_digest_lists_is_named(world: World) -> None:
    forged = world.trail.logs[3][0].replace("_0000000000000000", "_AAAAAAAAAAAAAAAA")
    await world.trail.s3.put_object(Bucket=world.trail.bucket, Key=forged, Body=b"{}")

    assert await world.findings(1) == [("log_unlisted", forged)]


async def test_a_digest_that_was_deleted_is_named_and_so_are_two_in_a_row(world: World) -> None:
    one, two, three = world.trail.digests[1:4]
    await world.trail.delete(two)
    assert await world.findings(1) == [("digest_missing", two)]

    await world.trail.delete(three)
    found = await world.findings(1)
    assert found[0] == ("digest_missing", three)
    assert [kind for kind, _ in found] == ["digest_missing"] * 2
    assert found[1][1] in one, "the folder: nothing that is left knows its name"


async def test_the_newest_and_the_oldest_that_were_deleted_are_missed(world: World) -> None:
    await world.trail.delete(world.trail.digests[0])
    assert await world.findings(1) == [("digest_missing", world.trail.digests[0])]

    await world.trail.delete(*world.trail.digests[-4:])
    assert ("digest_missing", world.trail.digests[0]) in await world.findings(1)
    assert len(await world.findings(1)) == 2


async def test_a_region_without_any_digest_in_that_time_is_told(world: World) -> None:
    other = Trail(world.trail.s3, world.trail.bucket, world.trail.end, region="eu-west-1")
    await other.deliver(2)
    await other.delete(*other.digests)
    before = Trail(world.trail.s3, world.trail.bucket, world.trail.end - 48 * HOUR, region="eu-west-1")
    await before.deliver(1)

    (found,) = await world.findings(1)
    assert found == ("digest_missing", "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/")


async def test_a_trail_beside_another_without_any_digest_in_that_time_is_told(world: World) -> None:
    other = Trail(world.trail.s3, world.trail.bucket, world.trail.end, name="second")
    await other.deliver(HOURS + 2)
    *_, before, last = (one for one in other.digests if one <= other.key_at(world.since))
    await other.delete(*other.digests[other.digests.index(last) :])
    done = await world.verify()
    assert (done.code, len(done.out.splitlines())) == (1, 1), done
    assert json.loads(done.out)["key"] in before, "the folder: nothing that is left knows their names"
    assert f"none came after that of {clock(world.since - HOUR)}" in done.out

    await world.trail.delete(*world.trail.digests)
    assert await world.findings(1) == [("digest_missing", json.loads(done.out)["key"])]


async def test_the_digest_after_that_time_names_what_is_missing_of_a_trail(world: World) -> None:
    world.since, world.until = world.until - 4 * HOUR, world.until - 2 * HOUR
    other = Trail(world.trail.s3, world.trail.bucket, world.trail.end, name="second")
    await other.deliver(HOURS)
    await other.delete(*other.digests[:4])
    assert await world.findings(1) == [("digest_missing", other.digests[3])]

    whole = Trail(world.trail.s3, world.trail.bucket, world.trail.end, name="second")
    await whole.deliver(HOURS)
    await whole.delete(*whole.digests[1:4])
    assert [kind for kind, _ in await world.findings(1)] == ["digest_missing"] * 3


async def test_a_trail_that_began_after_that_time_or_lists_only_what_came_late_misses_nothing(world: World) -> None:
    world.since, world.until = world.until - 4 * HOUR, world.until - 2 * HOUR
    await Trail(world.trail.s3, world.trail.bucket, world.trail.end, name="second").deliver(2)
    late = Trail(world.trail.s3, world.trail.bucket, world.trail.end, backfill=True)
    for hours in (5, 1):
        late.end = world.trail.end - hours * HOUR
        await late.deliver(1, logs=0, first=hours == 5)

    assert await world.findings(0) == []


async def test_digests_of_what_came_late_are_not_missed_by_the_hour(world: World) -> None:
    late = Trail(world.trail.s3, world.trail.bucket, world.trail.end, backfill=True)
    for hours in (5, 2):
        late.end = world.trail.end - hours * HOUR
        await late.deliver(1, logs=0, first=hours == 5)

    assert await world.findings(0) == []


async def test_a_digest_that_was_altered_is_named_whoever_signs_it(world: World) -> None:
    trail, key = world.trail, world.trail.digests[2]
    text = await trail.text(key)
    log = json.loads(text)["logFiles"][0]["s3Object"]
    document = json.loads(text)
    document["logFiles"] = document["logFiles"][1:]
    await trail.rewrite(key, json.dumps(document).encode())
    await trail.delete(log)
    assert await world.findings(1) == [("digest_altered", key)]

    trail._previous = {}
    await trail.sign(trail.end - 3 * HOUR, document["logFiles"], by=1)
    found = await world.verify()
    assert json.loads(found.out)["kind"] == "digest_altered"
    assert "no such key" in found.out


async def test_a_digest_of_cloudtrail_s_own_in_another_one_s_place_is_none(world: World) -> None:
    trail, (older, newer) = world.trail, world.trail.digests[2:4]
    found = await trail.s3.get_object(Bucket=trail.bucket, Key=newer)
    await trail.s3.put_object(
        Bucket=trail.bucket, Key=older, Body=await found["Body"].read(), Metadata=found["Metadata"]
    )

    assert await world.findings(1) == [("digest_altered", older)]


async def test_a_chain_that_was_restarted_is_told(world: World) -> None:
    trail = world.trail
    await trail.delete(*trail.digests[-2:])
    await trail.sign(trail.end - HOUR, [], chained=False)
    await trail.sign(trail.end, [])
    found = await world.findings(1)

    assert ("chain_restarted", trail.digests[-2]) in found
    assert {kind for kind, _ in found} <= {"chain_restarted", "log_unlisted"}


async def test_all_accounts_and_regions_are_looked_at_unless_fewer_are_wanted(world: World) -> None:
    other = Trail(
        world.trail.s3, world.trail.bucket, world.trail.end, "some/where/", account="999988887777", region="eu-west-1"
    )
    await other.deliver(2)
    await other.delete(other.logs[0][0])
    missing = [("log_missing", other.logs[0][0])]

    assert await world.findings(1) == missing
    assert await world.findings(1, "--region", "eu-*") == missing
    assert await world.findings(0, "--account", ACCOUNT) == []
    for prefix in ("some/where/AWSLogs/999988887777/", "some/"):
        done = await world.verify(url=f"s3://{world.trail.bucket}/{prefix}")
        assert json.loads(done.out)["key"] == other.logs[0][0]


async def test_a_connection_that_breaks_is_no_proof_and_no_crash(world: World) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = urlsplit(world.environ["AWS_ENDPOINT_URL"])
        source, sink = await asyncio.open_connection(target.hostname, target.port)
        sink.write(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
        answer = await source.read()
        sink.close()
        writer.write(answer[:-20] if "_CloudTrail_" in head.split("\r\n", 1)[0] else answer)
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        done = await world.verify(AWS_ENDPOINT_URL_S3=address, AWS_MAX_ATTEMPTS="1")

    assert (done.code, "Traceback" in done.err) == (2, False), done
    assert {json.loads(line)["kind"] for line in done.out.splitlines()} == {"unreadable"}


async def test_what_can_not_be_looked_at_is_no_proof(world: World) -> None:
    async with cloudtrail(refuses=True) as address:
        done = await world.verify(AWS_ENDPOINT_URL_CLOUDTRAIL=address)
    assert done.code == 2
    assert {json.loads(line)["kind"] for line in done.out.splitlines()} == {"unreadable"}
    assert "cloudtrail:ListPublicKeys" in done.out

    for url, said in ((f"s3://{world.trail.bucket}/nothing/", "no digest files"), ("s3://not-there/", "s3:ListBucket")):
        done = await world.verify(url=url)
        assert (done.code, said in done.err) == (2, True), done
    assert (await world.verify(url="/tmp")).code == 2


async def test_a_bomb_in_a_log_file_s_place_is_hashed_and_not_held(world: World) -> None:
    await world.trail.rewrite(world.trail.logs[0][0], b"\0" * (64 << 20))

    assert await world.findings(1) == [("log_altered", world.trail.logs[0][0])]


async def test_for_people_each_finding_is_words_and_inert(world: World) -> None:
    hostile = world.trail.logs[3][0].replace("_0000000000000000", "_\x1b[2J\u202e")
    await world.trail.s3.put_object(Bucket=world.trail.bucket, Key=hostile, Body=b"{}")
    done = await world.verify("--format", "table")

    assert done.out.startswith("log file not listed")
    assert done.out.replace("\n", "").isprintable()


TAMPERED: Final[dict[str, Any]] = {
    "good": lambda _: asyncio.sleep(0),
    "log altered": lambda trail: trail.rewrite(trail.logs[2][0], b"{}"),
    "digest altered": lambda trail: trail.rewrite(trail.digests[2], b"{}"),
    "two digests deleted": lambda trail: trail.delete(*trail.digests[2:4]),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_aws_s_own_command_agrees(world: World, how: str) -> None:
    aws = shutil.which("aws")
    if aws is None:
        pytest.skip("aws (PyPI's awscli) is missing; .ci/tools installs it")
    await TAMPERED[how](world.trail)
    ours = await world.verify()
    theirs = await asyncio.to_thread(
        subprocess.run,
        [
            *(aws, "cloudtrail", "validate-logs", "--trail-arn", f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"),
            *("--s3-bucket", world.trail.bucket, "--account-id", ACCOUNT, "--region", "us-east-1"),
            *("--start-time", clock(world.since), "--end-time", clock(world.until), "--verbose"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **world.environ},
    )

    assert "Results requested for" in theirs.stdout, theirs.stdout + theirs.stderr
    assert ("INVALID" in theirs.stdout) is (ours.code == 1), theirs.stdout + ours.out
    # Theirs tells of one where two were deleted in a row: nothing that is left names the other. Ours counts the hours.
    expected = theirs.stderr.count("INVALID") + (how == "two digests deleted")
    assert len(ours.out.splitlines()) == expected, theirs.stdout + ours.out
