"""Settling: in batches, until SQS has confirmed it or says that it can't be done; each message once."""

import asyncio
import random
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from stream.intake.hand import Message
from tests.intake.conftest import QUICK, until, working
from tests.intake.sqs_stub import Fault, SqsStub, delayed, error, garbage, gate, refuse

DELETE = "DeleteMessageBatch"
CHANGE = "ChangeMessageVisibilityBatch"


async def fail(_: Message) -> None:
    raise ValueError


async def test_what_is_done_together_is_deleted_in_tens_and_the_rest_a_moment_later(stub: SqsStub) -> None:
    stub.send(*map(str, range(25)))
    async with working(stub.url, open_=False, concurrency=30) as work:
        await until(lambda: len(work.begun) == 25)
        work.gate.set()
        await until(lambda: not stub.messages)
    assert sorted(len(request.entries) for request in stub.of(DELETE)) == [5, 10, 10]


async def test_a_message_is_acknowledged_only_when_sqs_has_confirmed_it(stub: SqsStub) -> None:
    stub.send("body")
    came, go, fault = gate()
    stub.faults[DELETE].append(fault)
    async with working(stub.url) as work:
        await came.wait()
        assert work.done
        assert (work.settled("acknowledged"), work.queue.in_flight) == (0, 1)
        go.set()
        await until(lambda: work.settled("acknowledged") == 1)
        assert stub.messages == {}


async def test_only_the_entries_that_failed_are_deleted_again(stub: SqsStub) -> None:
    ids = stub.send(*map(str, range(10)))
    stub.faults[DELETE].append(stub.partly("InternalError", 2, 7))
    async with working(stub.url, open_=False) as work:
        await until(lambda: len(work.begun) == 10)
        work.gate.set()
        await until(lambda: work.settled("acknowledged") == 10)
        assert work.value("errors_total", stage="settle", reason="other") == 2
    first, *again = stub.of(DELETE)
    assert sorted(entry["ReceiptHandle"] for entry in first.entries) == sorted(f"{id_}:1" for id_ in ids)
    assert sorted(entry["ReceiptHandle"] for request in again for entry in request.entries) == sorted(
        first.entries[position]["ReceiptHandle"] for position in (2, 7)
    )


async def test_entries_that_the_answer_passes_over_are_deleted_again(stub: SqsStub) -> None:
    stub.send("body")
    stub.faults[DELETE].append(garbage("{}"))
    async with working(stub.url) as work:
        await until(lambda: work.settled("acknowledged") == 1)
    assert len(stub.of(DELETE)) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (error("RequestThrottled"), "throttled"),
        (error("AccessDenied", 403), "forbidden"),
        (error("QueueDoesNotExist"), "no_queue"),
        (error("InternalFailure", 500), "other"),
        # Of a whole request no handle can be to blame, so nothing is given up for it.
        (error("ReceiptHandleIsInvalid"), "other"),
        (garbage(), "other"),
        (garbage('{"Successful": null}'), "other"),
        (garbage('{"Successful": [5]}'), "other"),
        (garbage('{"Failed": [{"Id": "0", "Code": null}]}'), "other"),
        (refuse("RequestThrottled"), "throttled"),
        (refuse("InternalError"), "other"),
    ],
)
async def test_a_request_that_fails_is_sent_again_until_it_does_not(stub: SqsStub, fault: Fault, reason: str) -> None:
    stub.send("body")
    stub.faults[DELETE].extend([fault] * 2)
    with capture_logs() as logs:
        async with working(stub.url) as work:
            await until(lambda: work.settled("acknowledged") == 1)
            assert work.value("errors_total", stage="settle", reason=reason) == 2
            assert len(work.begun) == 1
    events = [entry["event"] for entry in logs]
    assert events.count("settling messages fails") == 1
    assert events.count("settling messages works again") == 1
    assert "SECRET" not in str(logs)


async def test_a_request_that_hangs_holds_no_other_up(stub: SqsStub) -> None:
    stub.send("stuck")
    stub.faults[DELETE].append(delayed(30))
    async with working(stub.url, shutdown_grace=0.0, pace=replace(QUICK, flush_s=0.1)) as work:
        await until(lambda: stub.of(DELETE))
        stub.send(*map(str, range(20)))
        await until(lambda: work.settled("acknowledged") == 20)
        assert len(stub.messages) == 1


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "InvalidParameterValue"])
async def test_a_delete_by_a_dead_handle_means_that_the_message_has_expired(stub: SqsStub, code: str) -> None:
    stub.send("body")
    stub.faults[DELETE].append(refuse(code))
    async with working(stub.url) as work:
        await until(lambda: work.settled("expired") == 1)
        assert work.value("errors_total", stage="settle", reason="handle_expired") == 1
        assert work.queue.in_flight == 0
        assert len(stub.of(DELETE)) == 1


async def test_a_failed_message_has_failed_even_if_its_handle_is_dead(stub: SqsStub) -> None:
    stub.send("body")
    stub.faults[CHANGE].append(refuse("ReceiptHandleIsInvalid"))
    async with working(stub.url) as work:
        work.fate = fail
        await until(lambda: work.settled("failed") == 1)
        assert work.value("errors_total", stage="settle", reason="handle_expired") == 1
    assert len(stub.of(CHANGE)) == 1


async def test_a_failed_message_is_given_back_in_spite_of_faults(stub: SqsStub) -> None:
    stub.send("body")
    stub.faults[CHANGE].extend([error("InternalFailure", 500), refuse("InternalError"), delayed(0.05)])
    async with working(stub.url, retry_delay=100) as work:
        work.fate = fail
        await until(lambda: work.settled("failed") == 1)
    assert len(set(stub.visibilities())) == 1  # the delay was chosen once


async def test_a_failed_message_that_can_not_be_given_back_comes_back_by_itself(stub: SqsStub) -> None:
    stub.attributes["VisibilityTimeout"] = "1"
    stub.send("body")
    stub.always[CHANGE] = error("AccessDenied", 403)

    async def fate(message: Message) -> None:
        if message.receive_count == 1:
            raise ValueError

    async with working(stub.url) as work:
        work.fate = fate
        await until(lambda: not stub.messages and work.queue.in_flight == 0)
        assert [message.receive_count for message in work.begun] == [1, 2]
        assert (work.settled("failed"), work.settled("acknowledged"), work.settled("expired")) == (1, 1, 0)


async def test_failed_messages_are_given_back_in_batches(stub: SqsStub) -> None:
    stub.send(*map(str, range(20)))
    async with working(stub.url, open_=False, concurrency=20, retry_delay=100) as work:
        work.fate = fail
        await until(lambda: len(work.begun) == 20)
        work.gate.set()
        await until(lambda: work.settled("failed") == 20)
    assert [len(request.entries) for request in stub.of(CHANGE)] == [10, 10]


async def test_a_redelivery_of_what_is_being_given_back_is_worked_on_anew(stub: SqsStub) -> None:
    (id_,) = stub.send("body")
    came, go, fault = gate()
    stub.faults[CHANGE].append(fault)

    async def fate(message: Message) -> None:
        if message.receive_count == 1:
            raise ValueError

    async with working(stub.url, retry_delay=100) as work:
        work.fate = fate
        await came.wait()
        stub.redeliver(id_)
        await until(lambda: work.settled("acknowledged") == 1)
        go.set()
        await until(lambda: work.queue.in_flight == 0)
        assert (work.settled("failed"), work.settled("expired")) == (1, 0)
        assert [message.receive_count for message in work.begun] == [1, 2]


async def test_in_a_storm_of_faults_every_message_is_processed_and_deleted_in_the_end(stub: SqsStub) -> None:
    chance = random.Random(0)
    stub.attributes["VisibilityTimeout"] = "1"
    ids = stub.send(*map(str, range(60)))
    for operation in ("ReceiveMessage", DELETE, CHANGE):
        faults = [error("InternalFailure", 500), error("RequestThrottled"), delayed(0.05), garbage()]
        if operation != "ReceiveMessage":
            faults += [refuse("InternalError"), refuse("ReceiptHandleIsInvalid"), stub.partly("InternalError", 0, 1)]
        stub.faults[operation].extend(chance.choices(faults, k=12))

    async def fate(message: Message) -> None:
        await asyncio.sleep(chance.random() * 0.02)
        match chance.randrange(6):
            case 0:
                raise ValueError
            case 1:
                stub.redeliver(message.id)
            case 2:
                message.waiting()
                await asyncio.sleep(0.3)
            case 3:
                raise asyncio.CancelledError

    async with working(stub.url, concurrency=8, receivers=3) as work:
        work.fate = fate
        await until(lambda: not stub.messages and work.queue.in_flight == 0, within_s=60)
        # The stub may say that a handle is dead of a message that it goes on to delete.
        assert {message.id for message in work.begun} == set(ids)
        assert work.settled("acknowledged") <= 60
        assert work.settled("acknowledged") + work.settled("expired") >= 60
