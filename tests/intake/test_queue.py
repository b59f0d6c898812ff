"""The queue as the pipeline sees it: opening, receiving, acknowledging, failing; nothing is lost."""

import asyncio
import math
from dataclasses import replace

import pytest

from stream.errors import ConfigError
from stream.intake.queue import Message, Queue
from stream.metrics import Metrics
from stream.settings import Settings
from tests.intake.conftest import QUICK, Backend, aws, until, working
from tests.intake.sqs_stub import ACCOUNT, ARN, SqsStub, error, garbage, gate


async def opened(url: str, **settings: object) -> Queue:
    metrics = Metrics()
    async with Queue(aws(metrics), Settings(queue_url=url, **settings), metrics, pace=QUICK) as queue:  # type: ignore[arg-type]  # settings of several types
        return queue


# Opening


def test_a_queue_needs_a_url() -> None:
    with pytest.raises(ConfigError, match="TRAILSTREAM_QUEUE_URL"):
        Queue(aws(Metrics()), Settings(), Metrics())


async def test_a_queue_that_is_not_there_is_a_configuration_error(stub: SqsStub) -> None:
    stub.exists = False
    with pytest.raises(ConfigError, match="TRAILSTREAM_QUEUE_URL: there is no queue") as raised:
        await opened(stub.url)
    assert stub.url in str(raised.value)


async def test_a_queue_that_is_not_there_is_told_by_the_emulators_too(backend: Backend) -> None:
    with pytest.raises(ConfigError, match="there is no queue"):
        await opened(f"{backend.url}-not")


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "SomethingNew"])
async def test_a_forbidden_queue_names_the_action_and_the_resource(stub: SqsStub, code: str) -> None:
    stub.always["GetQueueAttributes"] = error(code, 403)
    with pytest.raises(ConfigError) as raised:
        await opened(stub.url)
    assert f"sqs:GetQueueAttributes on {ARN}" in str(raised.value)
    assert "SECRET" not in str(raised.value)


async def test_missing_credentials_are_told(stub: SqsStub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match="no AWS credentials are found"):
        await opened(stub.url)


async def test_an_unreachable_queue_is_a_configuration_error(stub: SqsStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="TRAILSTREAM_QUEUE_URL: SQS in us-east-1 can't be reached"):
        await opened(stub.url)


async def test_a_passing_fault_does_not_keep_it_from_opening(stub: SqsStub) -> None:
    stub.faults["GetQueueAttributes"].extend([error("InternalFailure", 500), error("RequestThrottled")])
    queue = await opened(stub.url)
    assert queue.attributes is not None
    assert queue.attributes.arn == ARN
    stub.always["GetQueueAttributes"] = error("InternalFailure", 500)
    with pytest.raises(ConfigError, match="InternalFailure"):
        await opened(stub.url)
    stub.always["GetQueueAttributes"] = garbage()
    with pytest.raises(ConfigError, match=r"does not tell the attributes of .* \(200\)"):
        await opened(stub.url)


async def test_a_queue_without_a_redrive_policy_is_refused_and_both_ways_out_are_told(stub: SqsStub) -> None:
    del stub.attributes["RedrivePolicy"]
    with pytest.raises(ConfigError) as raised:
        await opened(stub.url)
    assert "RedrivePolicy" in str(raised.value)
    assert "TRAILSTREAM_REQUIRE_DLQ=false" in str(raised.value)
    assert (await opened(stub.url, require_dlq=False)).attributes is not None


async def test_a_visibility_timeout_of_nothing_is_refused_unless_ours_is_set(stub: SqsStub) -> None:
    stub.attributes["VisibilityTimeout"] = "0"
    with pytest.raises(ConfigError, match="TRAILSTREAM_VISIBILITY_TIMEOUT"):
        await opened(stub.url)
    assert (await opened(stub.url, visibility_timeout=60)).attributes is not None


async def test_a_queue_that_is_not_open_has_had_no_success_and_does_not_run() -> None:
    metrics = Metrics()
    queue = Queue(aws(metrics), Settings(queue_url="http://127.0.0.1/1/trail"), metrics)
    assert queue.last_success == -math.inf
    with pytest.raises(RuntimeError):
        await queue.run(lambda _: asyncio.sleep(0), lambda: asyncio.sleep(0))


# Receiving and acknowledging


async def test_every_message_is_processed_and_then_deleted(stub: SqsStub) -> None:
    ids = stub.send(*(f"body {number}" for number in range(27)))
    async with working(stub.url) as work:
        await until(lambda: not stub.messages and work.queue.in_flight == 0)
        assert sorted(message.id for message in work.done) == sorted(ids)
        assert {message.body for message in work.done} == {f"body {number}" for number in range(27)}
        assert work.settled("acknowledged") == 27
        assert work.value("notification_to_ack_seconds_count") == 27


async def test_every_message_is_processed_and_then_deleted_in_the_emulators(backend: Backend) -> None:
    bodies = [f"body {number}" for number in range(25)]
    await backend.send(*bodies)
    # One receiver: two polls of moto's at the same moment may both be handed the same message.
    async with working(backend.url, concurrency=8, receivers=1) as work:
        await backend.emptied()
        await until(lambda: work.settled("acknowledged") == 25)
    assert sorted(message.body for message in work.done) == sorted(bodies)
    assert all(message.receive_count == 1 and message.sent_at for message in work.done)


async def test_a_message_knows_when_it_was_sent_and_how_often_received(stub: SqsStub) -> None:
    stub.send("body")
    next(iter(stub.messages.values())).receives = 4
    async with working(stub.url) as work:
        await until(lambda: work.done)
        (message,) = work.done
        assert message.receive_count == 5
        assert message.sent_at is not None
        assert work.value("message_age_seconds_count") == 1
        assert work.value("message_age_seconds_sum") < 60
        assert work.value("message_receives_sum") == 5
        assert "body" not in repr(message).replace("body 0", "")


async def test_the_queues_own_visibility_timeout_is_left_alone_unless_ours_is_set(stub: SqsStub) -> None:
    async with working(stub.url):
        await until(lambda: stub.of("ReceiveMessage"))
    assert all("VisibilityTimeout" not in request.payload for request in stub.of("ReceiveMessage"))
    stub.requests.clear()
    async with working(stub.url, visibility_timeout=77):
        await until(lambda: stub.of("ReceiveMessage"))
    assert all(request.payload["VisibilityTimeout"] == 77 for request in stub.of("ReceiveMessage"))


async def test_a_redelivery_of_what_is_in_hand_joins_it_and_settles_with_the_newest_handle(stub: SqsStub) -> None:
    (id_,) = stub.send("body")
    async with working(stub.url, open_=False) as work:
        await until(lambda: work.begun)
        stub.redeliver(id_)
        await until(lambda: work.received == 2)
        assert (work.queue.in_flight, work.settled("expired")) == (1, 1)
        work.gate.set()
        await until(lambda: not stub.messages and work.queue.in_flight == 0)
        assert len(work.begun) == 1
        assert work.settled("acknowledged") == 1
        assert [entry["ReceiptHandle"] for entry in stub.of("DeleteMessageBatch")[-1].entries] == [f"{id_}:2"]


@pytest.mark.parametrize("backend", ["ministack"], indirect=True)
async def test_a_redelivery_joins_in_an_emulator_too(backend: Backend) -> None:
    await backend.send("body")
    async with working(backend.url, open_=False, receivers=1) as work:
        await until(lambda: work.begun)
        await backend.client.set_queue_attributes(QueueUrl=backend.url, Attributes={"VisibilityTimeout": "30"})
        # A fifth of 30 s is longer than the second for which the message was hidden when it was received.
        work.queue._hand.visibility_timeout_s = 30
        for held in work.queue._hand.all():
            held.hidden_s = 30
        await until(lambda: work.received == 2)
        assert (len(work.begun), work.queue.in_flight, work.settled("expired")) == (1, 1, 1)
        work.gate.set()
        await until(lambda: work.settled("acknowledged") == 1)
        await backend.emptied()
    assert len(work.begun) == 1


@pytest.mark.parametrize("unreliable", [True, False])
async def test_a_delete_overtaken_by_a_redelivery_is_sent_again(stub: SqsStub, unreliable: bool) -> None:
    (id_,) = stub.send("body")
    stub.unreliable_delete = unreliable
    came, go, fault = gate()
    stub.faults["DeleteMessageBatch"].append(fault)
    async with working(stub.url) as work:
        await came.wait()
        stub.redeliver(id_)
        await until(lambda: work.received == 2)
        go.set()
        await until(lambda: work.settled("acknowledged") == 1)
        assert stub.messages == {}
        assert len(stub.of("DeleteMessageBatch")) == 2
        assert work.settled("expired") == 1  # the older receipt
        assert len(work.begun) == 1


async def test_a_delete_by_the_older_handle_may_have_been_enough(stub: SqsStub) -> None:
    (id_,) = stub.send("body")
    came, go, _ = gate()

    async def fault(payload: dict[str, list[dict[str, str]]]) -> None:
        came.set()
        await go.wait()
        payload["Entries"][0]["ReceiptHandle"] = stub.messages[id_].handle

    stub.faults["DeleteMessageBatch"].append(fault)
    async with working(stub.url) as work:
        await came.wait()
        stub.redeliver(id_)
        await until(lambda: work.received == 2)
        go.set()
        await until(lambda: work.queue.in_flight == 0)
        assert len(stub.of("DeleteMessageBatch")) == 2
        assert (work.settled("acknowledged"), work.settled("expired")) == (1, 1)


# Failing


async def test_a_failed_message_comes_back_and_harms_no_sibling(stub: SqsStub) -> None:
    stub.send(*(f"body {number}" for number in range(20)))

    async def fate(message: Message) -> None:
        if message.receive_count == 1 and message.body.endswith("3"):
            raise ValueError(message.body)

    async with working(stub.url) as work:
        work.fate = fate
        await until(lambda: not stub.messages and work.queue.in_flight == 0)
        assert (work.settled("failed"), work.settled("acknowledged")) == (2, 20)
        assert work.cancelled == []


async def test_work_that_cancels_itself_has_failed_and_harms_no_sibling(stub: SqsStub) -> None:
    stub.send("good", "bad")

    async def fate(message: Message) -> None:
        if message.receive_count == 1 and message.body == "bad":
            raise asyncio.CancelledError

    async with working(stub.url) as work:
        work.fate = fate
        await until(lambda: not stub.messages and work.queue.in_flight == 0)
        assert (work.settled("failed"), work.settled("acknowledged")) == (1, 2)


async def test_the_delay_doubles_with_each_receive_up_to_a_quarter_of_an_hour(stub: SqsStub) -> None:
    (id_,) = stub.send("body")

    async def fate(_: Message) -> None:
        raise ValueError

    async with working(stub.url, retry_delay=100) as work:
        work.fate = fate
        for count in range(1, 7):
            await until(lambda count=count: work.settled("failed") == count)  # type: ignore[misc]  # bound at once
            stub.redeliver(id_)
        await until(lambda: work.settled("failed") == 7)
    first, second, third, fourth, *others = stub.visibilities()
    assert 75 <= first <= 125
    assert 150 <= second <= 250
    assert 300 <= third <= 500
    assert 600 <= fourth <= 900
    assert all(675 <= one <= 900 for one in others)


# What a queue does with what is given back too often is its own affair: one emulator will do, the quicker one.
@pytest.mark.parametrize("backend", ["ministack"], indirect=True)
async def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(backend: Backend) -> None:
    await backend.send("poison", "good")

    async def fate(message: Message) -> None:
        if message.body == "poison":
            raise ValueError

    async with working(backend.url, receivers=1) as work:
        work.fate = fate
        await until(lambda: work.settled("failed") == 3)
        await backend.emptied()
        assert await backend.count(backend.dead_letter_url) == (1, 0)
        await until(lambda: work.settled("acknowledged") == 1)
        await until(lambda: work.value("dead_letter_messages") == 1)
    assert [message.receive_count for message in work.begun if message.body == "poison"] == [1, 2, 3]


# Seen from outside

MEASURING = replace(QUICK, depth_s=0.05)


async def test_the_depth_of_both_queues_is_measured(stub: SqsStub) -> None:
    async with working(stub.url, pace=MEASURING, open_=False, concurrency=1) as work:
        stub.send("a", "b", "c")
        await until(lambda: work.value("queue_messages", state="visible") == 2)
        assert work.value("queue_messages", state="in_flight") == 1
        assert work.value("queue_messages", state="delayed") == 0
        await until(lambda: work.value("dead_letter_messages") == 3)
        work.gate.set()
        await until(lambda: not stub.messages)
    assert stub.of("GetQueueUrl")[0].payload == {"QueueName": "trail-dead", "QueueOwnerAWSAccountId": ACCOUNT}


async def test_a_dead_letter_queue_that_may_not_be_read_is_unknown_not_empty(stub: SqsStub) -> None:
    stub.always["GetQueueUrl"] = error("AccessDenied", 403)
    async with working(stub.url, pace=MEASURING) as work:
        await until(lambda: math.isnan(work.value("dead_letter_messages")))
        assert work.value("queue_messages", state="visible") == 0
        del stub.always["GetQueueUrl"]
        await until(lambda: work.value("dead_letter_messages") == 3)


async def test_a_queue_that_can_not_be_measured_is_unknown_not_empty(stub: SqsStub) -> None:
    async with working(stub.url, pace=MEASURING) as work:
        stub.always["GetQueueAttributes"] = error("AccessDenied", 403)
        await until(lambda: math.isnan(work.value("queue_messages", state="visible")))
        await until(lambda: math.isnan(work.value("dead_letter_messages")))
        del stub.always["GetQueueAttributes"]
        await until(lambda: work.value("queue_messages", state="visible") == 0)


async def test_measuring_is_a_sign_of_life_while_receiving_pauses(stub: SqsStub) -> None:
    async with working(stub.url, pace=MEASURING) as work:
        work.room = asyncio.Event().wait  # type: ignore[assignment]  # for ever
        await until(lambda: stub.polling == 0)
        before = work.queue.last_success
        await until(lambda: work.queue.last_success > before)


async def test_a_change_of_the_queues_visibility_timeout_is_followed(stub: SqsStub) -> None:
    async with working(stub.url, pace=MEASURING) as work:
        stub.attributes["VisibilityTimeout"] = "120"
        await until(lambda: work.queue._hand.visibility_timeout_s == 120)
    async with working(stub.url, pace=MEASURING, visibility_timeout=60) as work:
        await until(lambda: len(stub.of("GetQueueAttributes")) > 3)
        assert work.queue._hand.visibility_timeout_s == 60
