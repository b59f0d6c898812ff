"""The shipped policies under moto's IAM: with them the program's own requests work, without any one action not all."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from stream.checks.buckets import check_buckets
from stream.errors import LogFileError, TrailstreamError
from stream.intake.notification import ObjectRef
from stream.intake.objects import Objects
from stream.intake.queue import Queue
from stream.intake.sqs import Sqs
from stream.ledger import open_ledger
from stream.metrics import Metrics
from stream.redrive.looking import Look
from stream.redrive.moving import Queues, move
from stream.replay.sending import Announced, NotSentError, Sender
from stream.trails import list_trails
from tests.deploy.enforced import enforced
from tests.deploy.template import ACCOUNT, REGION
from tests.deploy.world import (
    BODY,
    BUCKET,
    DEAD_LETTERS,
    FOLDER,
    NAME,
    Document,
    World,
    actions,
    shipped,
    without,
    world_at,
)


@pytest.fixture
def world(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    return world_at(moto_endpoint)


@dataclass(frozen=True)
class Hands:
    """What workers and operators work with."""

    world: World
    client: Any
    sqs: Sqs
    objects: Objects

    async def read(self, name: str, version_id: str | None = None) -> bytes:
        key = f"{FOLDER}{name}.json.gz"
        ref = ObjectRef(bucket=BUCKET, key=key, version_id=version_id, size=None, region=REGION, account_id=ACCOUNT)
        body = b""
        async with self.objects.open(ref) as log_file:
            while chunk := await log_file.read():
                body += chunk
        return body


async def open_the_queue(hands: Hands) -> None:
    async with Queue(hands.world.aws, hands.world.settings, Metrics()):
        pass


async def receive(hands: Hands) -> None:
    assert len(await hands.sqs.receive(1, wait_s=0, visibility_timeout_s=60)) == 1


async def acknowledge(hands: Hands) -> None:
    assert await hands.sqs.delete(hands.world.handles[:1]) == [None]


async def extend(hands: Hands) -> None:
    assert await hands.sqs.change_visibility([(hands.world.handles[1], 60)]) == [None]


async def measure_dead_letters(hands: Hands) -> None:
    assert await hands.sqs.depth_of(DEAD_LETTERS) > 0


async def read_a_log_file(hands: Hands) -> None:
    assert await hands.read("plain") == BODY


async def read_a_version(hands: Hands) -> None:
    assert await hands.read("plain", hands.world.version) == BODY


async def read_what_is_encrypted(hands: Hands) -> None:
    assert await hands.read("encrypted") == BODY


async def tell_what_is_gone_from_what_is_forbidden(hands: Hands) -> None:
    with pytest.raises(LogFileError) as error:
        await hands.read("never-was")
    assert error.value.reason == "not_found"


async def check_the_bucket(hands: Hands) -> None:
    assert [each.status async for each in check_buckets(hands.world.aws, hands.world.settings)] == ["ok"]


async def open_the_ledger(hands: Hands) -> None:
    async with open_ledger(hands.world.settings, hands.world.aws, Metrics()) as ledger:
        assert not await ledger.sent("slack", "an-alert")


Step = Callable[[Hands], Coroutine[Any, Any, None]]
STEPS: Final[tuple[Step, ...]] = (
    open_the_queue,
    receive,
    acknowledge,
    extend,
    measure_dead_letters,
    read_a_log_file,
    read_a_version,
    read_what_is_encrypted,
    tell_what_is_gone_from_what_is_forbidden,
    check_the_bucket,
    open_the_ledger,
)
WHAT_IS_GONE: Final[set[Step]] = {tell_what_is_gone_from_what_is_forbidden, check_the_bucket}
BREAKS: Final[Mapping[tuple[str, str], set[Step]]] = {
    ("ReadQueue", "sqs:ReceiveMessage"): {receive},
    ("ReadQueue", "sqs:DeleteMessage"): {acknowledge},
    ("ReadQueue", "sqs:ChangeMessageVisibility"): {extend},
    ("ReadQueue", "sqs:GetQueueAttributes"): {open_the_queue},
    ("MeasureDeadLetters", "sqs:GetQueueUrl"): {measure_dead_letters},
    ("MeasureDeadLetters", "sqs:GetQueueAttributes"): {measure_dead_letters},
    ("UseQueueKey", "kms:Decrypt"): {receive},
    ("UseLedger", "dynamodb:GetItem"): {open_the_ledger},
    ("UseLedger", "dynamodb:PutItem"): {open_the_ledger},
    ("UseLedger", "dynamodb:DeleteItem"): {open_the_ledger},
    ("ReadLogFiles", "s3:GetObject"): {read_a_log_file, read_what_is_encrypted} | WHAT_IS_GONE,
    ("ReadLogFiles", "s3:GetObjectVersion"): {read_a_version},
    ("ListLogBuckets", "s3:ListBucket"): WHAT_IS_GONE,
    ("DecryptLogFiles", "kms:Decrypt"): {read_what_is_encrypted},
}
"""All that the worker's two policies allow by default, and what of the worker's job each is for."""


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[Hands]:
    async with world.aws.client("sqs", region=REGION, attempts=1) as client, Objects(world.aws) as objects:
        yield Hands(world, client, Sqs(world.queue_url, wire=client, request_s=30), objects)


async def broken(hands: Hands, steps: Iterable[Step], *documents: Document) -> set[Step]:
    """The steps that fail if no more than this is allowed, each taken by the program's own code."""
    hands.world.allow(*documents)
    hands.world.send()
    failed: set[Step] = set()
    with enforced():
        for step in steps:
            try:
                await step(hands)
            except (TrailstreamError, NotSentError, ClientError, AssertionError):
                failed.add(step)
    return failed


def worker() -> tuple[Document, Document]:
    return json.loads(shipped("WorkerPolicy")), json.loads(shipped("LogReaderPolicy"))


def test_each_action_that_is_shipped_has_its_use() -> None:
    assert [*BREAKS] == [each for document in worker() for each in actions(document)]


async def test_with_its_policies_the_worker_can_do_its_job_and_without_any_one_action_it_can_not(world: World) -> None:
    async with at_work(world) as hands:
        assert await broken(hands, STEPS, *worker()) == set()
        for (sid, action), steps in BREAKS.items():
            documents = [without(document, sid, action) for document in worker()]
            assert await broken(hands, STEPS, *documents) == steps, f"without {action} of {sid}"
        assert await broken(hands, STEPS) == set(STEPS)


def queues_of(world: World) -> Queues:
    return Queues(f"{world.queue_url}-dead-letters", DEAD_LETTERS, world.queue_url)


async def find_the_dead_letters(hands: Hands) -> None:
    assert (await hands.sqs.attributes()).dead_letter_arn == DEAD_LETTERS


async def look_at_dead_letters(hands: Hands) -> None:
    look, url = Look(hands.objects, hands.world.settings), queues_of(hands.world).dead_letter_url
    assert (await look.at(hands.client, url, 1, lambda _: None)).keys() == {"poison"}


async def move_dead_letters(hands: Hands) -> None:
    assert await move(hands.client, queues_of(hands.world), most=1, rate=0, moved=lambda _: None) == 1


async def replay(hands: Hands) -> None:
    sender = Sender(hands.client, hands.world.queue_url, rate=0, page=False)
    await sender.send([Announced(BUCKET, REGION, f"{FOLDER}plain.json.gz", len(BODY), "")])


OPERATOR_STEPS: Final[tuple[Step, ...]] = (
    find_the_dead_letters,
    measure_dead_letters,
    look_at_dead_letters,
    move_dead_letters,
    replay,
)
OPERATOR_BREAKS: Final[Mapping[tuple[str, str], set[Step]]] = {
    ("RedriveDeadLetters", "sqs:StartMessageMoveTask"): {move_dead_letters},
    ("RedriveDeadLetters", "sqs:ListMessageMoveTasks"): {move_dead_letters},
    ("RedriveDeadLetters", "sqs:ReceiveMessage"): {look_at_dead_letters, move_dead_letters},
    ("RedriveDeadLetters", "sqs:ChangeMessageVisibility"): {look_at_dead_letters},
    ("RedriveDeadLetters", "sqs:DeleteMessage"): {move_dead_letters},
    ("RedriveDeadLetters", "sqs:GetQueueAttributes"): {measure_dead_letters, move_dead_letters},
    ("RedriveDeadLetters", "sqs:GetQueueUrl"): {measure_dead_letters},
    ("SendToQueue", "sqs:SendMessage"): {move_dead_letters, replay},
    ("SendToQueue", "sqs:GetQueueAttributes"): {find_the_dead_letters},
    ("UseQueueKey", "kms:Decrypt"): {look_at_dead_letters, move_dead_letters, replay},
    ("UseQueueKey", "kms:GenerateDataKey"): {move_dead_letters, replay},
}
"""The same of the operator's policy. (Reading log files, an operator has the worker's.)"""


async def test_with_his_policy_an_operator_can_redrive_and_replay_and_without_any_one_action_he_can_not(
    world: World,
) -> None:
    document = json.loads(shipped("OperatorPolicy"))
    assert [*OPERATOR_BREAKS] == actions(document)
    async with at_work(world) as hands:
        assert await broken(hands, OPERATOR_STEPS, document) == set()
        for (sid, action), steps in OPERATOR_BREAKS.items():
            left = without(document, sid, action)
            assert await broken(hands, OPERATOR_STEPS, left) == steps, f"without {action} of {sid}"


async def test_trails_are_found_only_if_that_is_asked_for(world: World) -> None:
    world.client("cloudtrail").create_trail(Name=NAME, S3BucketName=BUCKET)
    document = json.loads(shipped("WorkerPolicy", Trails="true"))
    asked_for = [each for each in actions(document) if each not in actions(json.loads(shipped("WorkerPolicy")))]
    assert len(asked_for) == 2
    world.allow(document)
    with enforced():
        assert [trail.arn.rpartition("/")[2] for trail in (await list_trails(world.aws, REGION)).trails] == [NAME]
    for sid, action in asked_for:
        world.allow(without(document, sid, action))
        with enforced(), pytest.raises(ClientError):
            await list_trails(world.aws, REGION)
