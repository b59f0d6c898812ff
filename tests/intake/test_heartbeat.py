"""What is in hand stays hidden, and what can't be kept hidden is let go of at once."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from stream.intake.hand import Hand, Message
from stream.intake.heartbeat import Heartbeat
from stream.intake.settlement import Settlement
from stream.intake.sqs import Received, Sqs
from stream.metrics import Metrics
from tests.intake.conftest import QUICK, Backend, until, working
from tests.intake.sqs_stub import SqsStub, delayed, error, gate, refuse

CHANGE = "ChangeMessageVisibilityBatch"


@pytest.fixture
def brief(stub: SqsStub) -> SqsStub:
    """The stub, hiding messages for a second only."""
    stub.attributes["VisibilityTimeout"] = "1"
    return stub


async def test_what_is_worked_on_stays_hidden(brief: SqsStub) -> None:
    brief.send(*map(str, range(25)))
    async with working(brief.url, open_=False, concurrency=30) as work:
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") >= 50)
        assert work.received == 25
        assert all(message.receives == 1 for message in brief.messages.values())
        work.gate.set()
        await until(lambda: not brief.messages)
    assert set(brief.visibilities()) == {1}


async def test_what_is_due_at_the_same_time_is_extended_in_batches_of_ten(stub: SqsStub) -> None:
    stub.attributes["VisibilityTimeout"] = "10"
    stub.send(*map(str, range(25)))
    async with working(stub.url, open_=False, concurrency=30, pace=replace(QUICK, extend_at=0.9)) as work:
        await until(lambda: work.queue.in_flight == 25)
        for held in work.queue._hand.all():
            held.hidden_at -= 10
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") == 25)
        assert sorted(len(request.entries) for request in stub.of(CHANGE)) == [5, 10, 10]
        work.gate.set()
        await until(lambda: not stub.messages)


async def test_what_is_worked_on_stays_hidden_in_the_emulators(backend: Backend) -> None:
    await backend.send("slow", "slower")
    # One receiver: two polls of moto's at the same moment may both be handed the same message.
    async with working(backend.url, open_=False, receivers=1) as work:
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") >= 14)
        assert (work.received, await backend.count()) == (2, (0, 2))
        work.gate.set()
        await backend.emptied()
    assert work.settled("acknowledged") == 2


async def test_it_is_extended_when_its_part_of_the_time_is_over_and_not_before(brief: SqsStub) -> None:
    brief.attributes["VisibilityTimeout"] = "2"
    brief.send("slow")
    pace = replace(QUICK, extend_at=0.3)
    async with working(brief.url, open_=False, shutdown_grace=0.0, pace=pace) as work:
        await until(lambda: len(brief.of(CHANGE)) == 2)
        first, second = (request.at for request in brief.of(CHANGE))
        assert first - work.begun[0].received_at >= 0.55
        assert second - first >= 0.55
        assert work.received == 1


async def test_what_waits_for_deliveries_or_for_its_delete_stays_hidden_too(brief: SqsStub) -> None:
    waiting, deleting = brief.send("waiting", "deleting")
    brief.always["DeleteMessageBatch"] = error("InternalFailure", 500)

    async with working(brief.url, open_=False) as work:

        async def fate(message: Message) -> None:
            if message.id == waiting:
                message.waiting()
                await never.wait()

        never = asyncio.Event()
        work.fate = fate
        work.gate.set()
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") >= 4)
        extended = [entry["ReceiptHandle"] for request in brief.of(CHANGE) for entry in request.entries]
        assert extended.count(f"{waiting}:1") >= 2
        assert extended.count(f"{deleting}:1") >= 2
        assert work.received == 2
        never.set()
        del brief.always["DeleteMessageBatch"]
        await until(lambda: not brief.messages)


async def test_an_extension_that_fails_is_tried_again_in_time(brief: SqsStub) -> None:
    brief.attributes["VisibilityTimeout"] = "2"
    brief.send("slow")
    brief.faults[CHANGE].extend([error("InternalFailure", 500), error("RequestThrottled"), refuse("InternalError")])
    async with working(brief.url, open_=False) as work:
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") >= 1)
        assert work.value("visibility_extensions_total", outcome="failed") == 3
        assert work.received == 1
        work.gate.set()
        await until(lambda: not brief.messages)


async def test_an_extension_that_hangs_is_given_up_and_tried_again_in_time(stub: SqsStub) -> None:
    stub.attributes["VisibilityTimeout"] = "2"
    stub.send("slow")
    stub.faults[CHANGE].append(delayed(30))
    async with working(stub.url, open_=False) as work:
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") == 1)
        assert work.value("visibility_extensions_total", outcome="failed") == 1
        assert work.value("errors_total", stage="settle", reason="connection") == 1
        assert work.received == 1
        work.gate.set()
        await until(lambda: not stub.messages)


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "InvalidParameterValue"])
async def test_a_dead_handle_ends_the_work_and_the_extensions_at_once(brief: SqsStub, code: str) -> None:
    (id_,) = brief.send("lost")
    brief.faults[CHANGE].append(refuse(code))
    with capture_logs() as logs:
        async with working(brief.url, open_=False, concurrency=1) as work:
            await until(lambda: work.settled("expired") == 1)
            assert work.value("visibility_extensions_total", outcome="expired") == 1
            assert work.value("errors_total", stage="settle", reason="handle_expired") == 1
            await until(lambda: work.cancelled)
            assert len(brief.of(CHANGE)) == 1
            # Its slot is free again: SQS hands the message out once more, and it is worked on from the start.
            brief.redeliver(id_)
            await until(lambda: len(work.begun) == 2)
            work.gate.set()
            await until(lambda: not brief.messages)
    assert [entry["message_id"] for entry in logs if entry["event"] == "message expired"] == [work.begun[0].id]
    assert "SECRET" not in str(logs)


async def test_a_dead_handle_harms_no_other_message_of_its_batch(brief: SqsStub) -> None:
    brief.send("lost", "kept")
    async with working(brief.url, open_=False) as work:
        await until(lambda: len(work.begun) == 2)
        brief.faults[CHANGE].append(brief.partly("ReceiptHandleIsInvalid", 0, sender=True))
        await until(lambda: work.cancelled)
        assert [message.id for message in work.cancelled] == [work.begun[0].id]
        assert work.settled("expired") == 1
        await until(lambda: work.value("visibility_extensions_total", outcome="extended") >= 1)
        work.gate.set()
        await until(lambda: not brief.messages)


async def test_a_handle_that_dies_while_its_delete_is_under_way_leaves_the_verdict_to_the_delete(
    brief: SqsStub,
) -> None:
    brief.attributes["VisibilityTimeout"] = "2"
    brief.send("body")
    came, go, fault = gate()
    brief.faults["DeleteMessageBatch"].append(fault)
    brief.faults[CHANGE].append(refuse("ReceiptHandleIsInvalid"))
    async with working(brief.url) as work:
        await came.wait()
        await until(lambda: work.value("visibility_extensions_total", outcome="expired") == 1)
        assert work.queue.in_flight == 1
        go.set()
        await until(lambda: work.queue.in_flight == 0)
        assert (work.settled("acknowledged"), work.settled("expired")) == (1, 0)


async def test_what_is_held_too_long_is_cancelled_and_released(brief: SqsStub) -> None:
    brief.send("for ever")
    async with working(brief.url, open_=False, pace=replace(QUICK, hold_s=0.4)) as work:
        await until(lambda: work.settled("released") == 1)
        assert len(work.cancelled) == 1
        assert 0 in brief.visibilities()
        await until(lambda: len(work.begun) == 2)
        work.gate.set()
        await until(lambda: not brief.messages)


async def test_a_delete_that_is_never_confirmed_is_let_go_of_too(brief: SqsStub) -> None:
    brief.send("body")
    brief.always["DeleteMessageBatch"] = error("AccessDenied", 403)
    async with working(brief.url, pace=replace(QUICK, hold_s=0.4)) as work:
        await until(lambda: work.settled("expired") == 1)
        brief.messages.clear()


async def test_a_failure_is_not_undone_by_an_extension_under_way(brief: SqsStub) -> None:
    (first,) = brief.send("first")
    came, go, fault = gate()
    brief.faults[CHANGE].append(fault)

    async def fate(_: Message) -> None:
        raise ValueError

    async with working(brief.url, open_=False, retry_delay=600) as work:
        work.fate = fate
        await came.wait()
        work.gate.set()
        await until(lambda: work.at_once == 0)
        (second,) = brief.send("second")
        await until(lambda: work.settled("failed") == 1)
        assert brief.messages[second].visible_at > time.monotonic() + 400
        # The first one waits for the extension, which would hide it for a second only.
        go.set()
        await until(lambda: work.settled("failed") == 2)
        assert brief.messages[first].visible_at > time.monotonic() + 400


class Recording(Sqs):
    """Keeps what it is asked for, and does it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1/1/trail", wire=None, request_s=1.0)
        self.changes: list[tuple[str, int]] = []

    async def change_visibility(self, changes: Any, **_: Any) -> list[Any]:
        self.changes.extend(changes)
        return [None] * len(changes)


async def test_no_extension_reaches_beyond_the_twelve_hours_that_sqs_allows() -> None:
    metrics, sqs = Metrics(), Recording()
    hand = Hand(metrics)
    hand.visibility_timeout_s = 43_200
    heartbeat = Heartbeat(hand, sqs, Settlement(hand, sqs, metrics, retry_delay_s=30, pace=QUICK), metrics, pace=QUICK)
    held = hand.take(Received("id", "handle", "body", 1, None))
    await heartbeat._beat()
    assert sqs.changes == []
    held.received_at -= 7 * 3600
    held.hidden_at -= 7 * 3600
    await heartbeat._beat()
    ((_, seconds),) = sqs.changes
    assert 4.9 * 3600 < seconds < 5 * 3600
    assert held.hidden_s == seconds
