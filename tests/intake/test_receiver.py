"""Receiving: never more than can be started, never spinning, never giving up."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from stream.intake.hand import Hand, Message
from stream.intake.receiver import Receiver
from stream.intake.settlement import Settlement
from stream.intake.sqs import Received, Sqs
from stream.metrics import Metrics
from stream.settings import Settings
from tests.intake.conftest import QUICK, until, working
from tests.intake.sqs_stub import Fault, SqsStub, delayed, error, garbage, gate


def asked(stub: SqsStub) -> list[int]:
    """How many messages each poll asked for."""
    return [request.payload["MaxNumberOfMessages"] for request in stub.of("ReceiveMessage")]


async def test_nothing_is_received_that_can_not_be_started(stub: SqsStub) -> None:
    stub.send(*map(str, range(40)))
    async with working(stub.url, open_=False, concurrency=3, receivers=4, shutdown_grace=0.0) as work:
        await until(lambda: len(work.begun) == 3)
        assert sum(message.receives for message in stub.messages.values()) == 3
        assert max(asked(stub)) <= 3
        assert stub.polling == 0  # nobody asks while there is no free slot
    assert work.received == 3


async def test_work_goes_on_at_full_width_until_the_queue_is_empty(stub: SqsStub) -> None:
    stub.send(*map(str, range(40)))
    async with working(stub.url, concurrency=7, receivers=3) as work:

        async def fate(_: Message) -> None:
            await asyncio.sleep(0.01)

        work.fate = fate
        await until(lambda: not stub.messages and not work.queue.in_flight)
        assert work.most_at_once == 7
        assert sorted(message.body for message in work.done) == sorted(map(str, range(40)))


async def test_a_poll_asks_for_ten_at_most_and_gives_back_what_it_did_not_get(stub: SqsStub) -> None:
    pace = replace(QUICK, long_poll_s=20)  # none ends by itself
    async with working(stub.url, open_=False, concurrency=25, receivers=1, pace=pace) as work:
        await until(lambda: asked(stub) == [10])
        stub.send("one")
        await until(lambda: asked(stub) == [10, 10])
        stub.send(*map(str, range(10)))
        await until(lambda: len(work.begun) == 11)
        stub.send(*map(str, range(10)))
        await until(lambda: len(work.begun) == 21)
        await until(lambda: asked(stub)[-1] == 4)
        work.gate.set()
        await until(lambda: not stub.messages)


async def test_a_message_that_only_waits_for_deliveries_takes_up_no_slot(stub: SqsStub) -> None:
    stub.send("first")
    async with working(stub.url, open_=False, concurrency=1, receivers=1, shutdown_grace=0.0) as work:
        await until(lambda: work.begun)
        stub.send("second", "third")
        work.begun[0].waiting()
        work.begun[0].waiting()
        await until(lambda: len(work.begun) == 2)
        assert max(asked(stub)) == 1  # asking twice gave back no second slot
        assert stub.polling == 0
    assert work.received == 2


async def test_a_worker_never_waits_for_its_acknowledgement(stub: SqsStub) -> None:
    stub.send(*map(str, range(9)))
    _, go, stub.always["DeleteMessageBatch"] = gate()
    async with working(stub.url, concurrency=1, receivers=1) as work:
        await until(lambda: len(work.done) == 9)
        assert work.settled("acknowledged") == 0
        assert work.most_at_once == 1
        go.set()
        await until(lambda: work.settled("acknowledged") == 9)


async def test_nothing_is_received_while_too_much_waits_to_be_settled(
    stub: SqsStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.intake.hand._MOST_SETTLING", 5)
    stub.always["DeleteMessageBatch"] = error("AccessDenied", 403)
    stub.send(*map(str, range(40)))
    async with working(stub.url, concurrency=2, receivers=1) as work:
        await until(lambda: work.queue.in_flight >= 5 and len(stub.of("DeleteMessageBatch")) > 10)
        assert work.queue.in_flight <= 6
        del stub.always["DeleteMessageBatch"]
        await until(lambda: not stub.messages and not work.queue.in_flight)
    assert work.settled("acknowledged") == 40


async def test_nothing_is_received_while_there_is_no_room(stub: SqsStub) -> None:
    room = asyncio.Event()
    async with working(stub.url, receivers=3, pace=replace(QUICK, depth_s=0.05)) as work:
        work.room = room.wait  # type: ignore[assignment]  # what it returns is nobody's business
        stub.send("a")
        await until(lambda: stub.polling == 0)
        seen = len(asked(stub))
        stub.send("b", "c")
        await until(lambda: len(stub.of("GetQueueAttributes")) > 4)
        assert len(asked(stub)) == seen
        room.set()
        await until(lambda: not stub.messages and not work.queue.in_flight)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (error("QueueDoesNotExist"), "no_queue"),
        (error("RequestThrottled"), "throttled"),
        (error("AccessDenied", 403), "forbidden"),
        (error("InternalFailure", 500), "other"),
        (garbage('{"Messages": null}'), "other"),
        (garbage('{"Messages": [{}]}'), "other"),
        (garbage('{"Messages": [{"MessageId": {}, "ReceiptHandle": "a", "Body": "b"}]}'), "other"),
        (garbage('{"Messages": [{"MessageId": "a", "ReceiptHandle": "b", "Body": null}]}'), "other"),
        (delayed(30), "connection"),
    ],
)
async def test_errors_are_counted_by_reason_backed_off_from_and_over_some_day(
    stub: SqsStub, fault: Fault, reason: str
) -> None:
    stub.always["ReceiveMessage"] = fault
    stub.send("body")
    pace = replace(QUICK, long_poll_s=0, request_s=0.3)
    with capture_logs() as logs:
        async with working(stub.url, receivers=1, pace=pace) as work:
            await until(lambda: work.value("errors_total", stage="receive", reason=reason) >= 2)
            del stub.always["ReceiveMessage"]
            await until(lambda: work.done)
        events = [entry["event"] for entry in logs]
    assert events.count("receiving fails") == 1
    assert events.count("receiving again") == 1
    assert "SECRET" not in str(logs)


async def test_a_connection_refused_is_counted_and_backed_off_from(stub: SqsStub) -> None:
    async with working(stub.url, receivers=1) as work:
        await stub.__aexit__(None, None, None)
        await until(lambda: work.value("errors_total", stage="receive", reason="connection") >= 3)
    assert work.settled("released") == 0


async def test_failing_requests_come_ever_more_slowly(stub: SqsStub) -> None:
    stub.always["ReceiveMessage"] = error("InternalFailure", 500)
    async with working(stub.url, receivers=1, pace=replace(QUICK, receive_backoff_s=(0.02, 0.08))):
        await until(lambda: len(asked(stub)) >= 6)
    at = [request.at for request in stub.of("ReceiveMessage")]
    assert at[1] - at[0] >= 0.01
    assert at[5] - at[0] >= (0.02 + 0.04 + 0.08 + 0.08 + 0.08) / 2


@pytest.mark.parametrize("text", ["{}", '{"Messages": []}'])
async def test_empty_answers_that_come_at_once_do_not_make_it_spin(stub: SqsStub, text: str) -> None:
    stub.always["ReceiveMessage"] = garbage(text)
    async with working(stub.url, receivers=1, pace=replace(QUICK, idle_s=0.1, long_poll_s=20)) as work:
        await until(lambda: len(asked(stub)) >= 4)
        at = [request.at for request in stub.of("ReceiveMessage")]
        assert at[3] - at[0] >= (0.05 + 0.1 + 0.1) / 2
        del stub.always["ReceiveMessage"]
        stub.send("body")
        await until(lambda: work.done)


async def test_redeliveries_of_what_is_in_hand_do_not_make_it_spin_either(stub: SqsStub) -> None:
    async with working(stub.url, receivers=1, pace=replace(QUICK, depth_s=0.05), open_=False) as work:
        stub.attributes["VisibilityTimeout"] = "0"
        await until(lambda: len(stub.of("GetQueueAttributes")) > 4)
        stub.send("body")
        await until(lambda: work.received >= 5)
        at = [request.at for request in stub.of("ReceiveMessage")][-5:]
        assert at[4] - at[0] >= 4 * 0.05 / 2
        assert len(work.begun) == 1
        stub.attributes["VisibilityTimeout"] = "30"
        work.gate.set()
        await until(lambda: work.queue.in_flight == 0 and not stub.messages)


async def test_a_queue_that_is_deleted_and_made_again_is_read_again(stub: SqsStub) -> None:
    stub.send("before")
    async with working(stub.url, pace=replace(QUICK, long_poll_s=0)) as work:
        await until(lambda: not stub.messages)
        stub.exists = False
        await until(lambda: work.value("errors_total", stage="receive", reason="no_queue") >= 2)
        stub.exists = True
        stub.send("after")
        await until(lambda: [message.body for message in work.done] == ["before", "after"])


async def test_an_answer_that_comes_together_with_the_stop_is_released() -> None:
    metrics, stopping = Metrics(), asyncio.Event()
    changed: list[tuple[str, int]] = []

    class Late(Sqs):
        async def receive(self, *_: Any, **__: Any) -> list[Received]:
            stopping.set()
            return [Received("id", "handle", "body", 1, None)]

        async def change_visibility(self, changes: Any, **_: Any) -> list[Any]:
            changed.extend(changes)
            return [None] * len(changes)

    sqs = Late("http://127.0.0.1/1/trail", wire=None, request_s=1.0)
    hand = Hand(metrics)
    settlement = Settlement(hand, sqs, metrics, retry_delay_s=30, pace=QUICK)
    receiver = Receiver(sqs, hand, settlement, metrics, settings=Settings(), pace=QUICK, stopping=stopping)
    begun: list[Message] = []

    async def process(message: Message) -> None:
        begun.append(message)

    settling = asyncio.create_task(settlement.run())
    async with asyncio.TaskGroup() as work:
        await receiver.run(process, lambda: asyncio.sleep(0), work)
    await hand.empty.wait()
    settling.cancel()
    assert begun == []
    assert changed == [("handle", 0)]
    assert metrics.registry.get_sample_value("trailstream_messages_settled_total", {"outcome": "released"}) == 1
