"""Stopping: receiving is cut short, work has its grace, the rest goes back to the queue, and nothing is left behind."""

import asyncio
from dataclasses import replace

import pytest

from stream.intake.queue import Message, Queue
from stream.metrics import Metrics
from stream.settings import Settings
from tests.intake.conftest import QUICK, Backend, aws, tasks, until, working
from tests.intake.sqs_stub import SqsStub, delayed, error, garbage


async def test_stopping_cuts_polls_short_and_finishes_what_is_in_hand(stub: SqsStub) -> None:
    stub.send("body")
    async with working(stub.url, open_=False, pace=replace(QUICK, long_poll_s=20), shutdown_grace=60.0) as work:
        await until(lambda: work.begun and stub.polling == 2)
        work.queue.stop()
        await until(lambda: stub.polling == 0, within_s=15)  # a poll left alone would last for 20 seconds
        stub.send("too late")
        work.gate.set()
    assert [message.body for message in work.done] == ["body"]
    assert work.settled("acknowledged") == 1
    assert [one.body for one in stub.messages.values()] == ["too late"]
    assert next(iter(stub.messages.values())).receives == 0


async def test_what_does_not_finish_in_the_grace_is_cancelled_and_released(stub: SqsStub) -> None:
    stub.send(*(f"body {number}" for number in range(12)))
    async with working(stub.url, open_=False, shutdown_grace=0.05) as work:
        await until(lambda: len(work.begun) == 12)
    assert len(work.cancelled) == 12
    assert work.settled("released") == 12
    assert stub.visibilities() == [0] * 12
    assert len(stub.messages) == 12


async def test_what_is_released_is_there_again_in_the_emulators(backend: Backend) -> None:
    await backend.send("a", "b", "c")
    async with working(backend.url, open_=False, shutdown_grace=0.0, receivers=1) as work:
        await until(lambda: len(work.begun) == 3)
        # An emulator goes on with a poll whose client is gone, and would take what is released.
        work.queue.stop()
    assert work.settled("released") == 3
    async with working(backend.url) as again:
        await backend.emptied()
    assert {message.body for message in again.done} == {"a", "b", "c"}


async def test_work_that_ends_well_though_it_was_cancelled_is_acknowledged(stub: SqsStub) -> None:
    stub.send("body")
    async with working(stub.url, shutdown_grace=0.0) as work:

        async def fate(_: Message) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return

        work.fate = fate
        await until(lambda: work.begun)
    assert (work.settled("acknowledged"), work.settled("released")) == (1, 0)
    assert stub.messages == {}


async def test_work_that_fails_because_it_was_cancelled_is_released(stub: SqsStub) -> None:
    stub.send("body")
    async with working(stub.url, shutdown_grace=0.0) as work:

        async def fate(_: Message) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError from None

        work.fate = fate
        await until(lambda: work.begun)
    assert (work.settled("released"), work.settled("failed")) == (1, 0)


async def test_deletes_are_flushed_and_tried_again_while_stopping(stub: SqsStub) -> None:
    stub.send("body")
    stub.faults["DeleteMessageBatch"].extend([error("InternalFailure", 500), error("RequestThrottled")])
    async with working(stub.url, open_=False) as work:
        await until(lambda: work.begun)
        work.queue.stop()
        work.gate.set()
    assert stub.messages == {}
    assert work.settled("acknowledged") == 1


async def test_stopping_does_not_wait_for_batches_to_fill(stub: SqsStub) -> None:
    stub.send("body")
    loop = asyncio.get_running_loop()
    async with working(stub.url, pace=replace(QUICK, linger_s=60.0)) as work:
        await until(lambda: work.done)
        stopped_at = loop.time()
    assert loop.time() - stopped_at < 30
    assert work.settled("acknowledged") == 1


async def test_what_sqs_never_confirms_is_left_to_its_visibility_timeout(stub: SqsStub) -> None:
    stub.send("body")
    stub.always["DeleteMessageBatch"] = error("InternalFailure", 500)
    async with working(stub.url, shutdown_grace=0.1, pace=replace(QUICK, flush_s=0.1)) as work:
        await until(lambda: stub.of("DeleteMessageBatch"))
    assert work.settled("released") == 1
    assert len(stub.messages) == 1


async def test_stopping_does_not_wait_for_room(stub: SqsStub) -> None:
    async with working(stub.url) as work:
        work.room = asyncio.Event().wait  # type: ignore[assignment]  # for ever
        stub.send("body")
        await until(lambda: stub.polling == 0)
    assert stub.polling == 0


async def test_stopping_does_not_wait_for_a_work_slot(stub: SqsStub) -> None:
    stub.send("body", "another")
    async with working(stub.url, open_=False, concurrency=1, shutdown_grace=0.05) as work:
        await until(lambda: work.begun)
    assert work.received == 1


@pytest.mark.parametrize("fault", [error("InternalFailure", 500), garbage(), delayed(30)])
async def test_stopping_does_not_wait_for_a_queue_that_is_out_of_order(stub: SqsStub, fault: object) -> None:
    stub.always["ReceiveMessage"] = fault  # type: ignore[assignment]  # a Fault
    loop = asyncio.get_running_loop()
    async with working(stub.url, pace=replace(QUICK, request_s=60.0, receive_backoff_s=(60.0, 60.0))):
        await until(lambda: stub.of("ReceiveMessage"))
        stopped_at = loop.time()
    assert loop.time() - stopped_at < 25


async def test_stopping_before_running_is_stopping_all_the_same(stub: SqsStub) -> None:
    stub.send("body")
    metrics = Metrics()
    async with Queue(aws(metrics), Settings(queue_url=stub.url), metrics, pace=QUICK) as queue:
        queue.stop()
        async with asyncio.timeout(30):
            await queue.run(lambda _: asyncio.sleep(0), lambda: asyncio.sleep(0))
    assert stub.of("ReceiveMessage") == []


async def test_cancelling_all_of_it_leaves_no_task_behind(stub: SqsStub) -> None:
    stub.send("body")
    metrics = Metrics()
    before = tasks()
    begun = asyncio.Event()

    async def process(_: Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with Queue(aws(metrics), Settings(queue_url=stub.url), metrics, pace=QUICK) as queue:
        run = asyncio.create_task(queue.run(process, lambda: asyncio.sleep(0)))
        await begun.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert tasks() - before == set()
    assert stub.visibilities() == []
