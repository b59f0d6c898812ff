"""Work slots: as many as there are, in turn, and none is ever lost."""

import asyncio

from stream.intake.slots import Slot, Slots

LONG_S = 60.0


async def settled() -> None:
    """All that can go on without time passing has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_as_many_as_wanted_are_had_at_once_and_no_more_than_there_are() -> None:
    slots = Slots(5)
    assert len(await slots.take(3, gather_s=LONG_S)) == 3
    assert len(await slots.take(10, gather_s=0.001)) == 2
    assert len(await Slots(4).take(10, gather_s=LONG_S)) == 4  # there will never be ten


async def test_the_first_is_waited_for_and_then_the_others_for_a_moment() -> None:
    slots = Slots(3)
    held = await slots.take(3, gather_s=LONG_S)
    waiting = asyncio.create_task(slots.take(10, gather_s=0.01))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    held[0].give_back()
    assert len(await waiting) == 1


async def test_whoever_gathers_goes_on_as_soon_as_there_are_enough() -> None:
    slots = Slots(3)
    held = await slots.take(3, gather_s=LONG_S)
    waiting = asyncio.create_task(slots.take(3, gather_s=LONG_S))
    for slot in held:
        await settled()
        assert not waiting.done()
        slot.give_back()
    assert len(await waiting) == 3


async def test_a_slot_is_given_back_once() -> None:
    slots = Slots(2)
    first, _ = await slots.take(2, gather_s=LONG_S)
    first.give_back()
    first.give_back()
    assert len(await slots.take(2, gather_s=0.001)) == 1


async def test_those_who_wait_have_their_turns() -> None:
    slots = Slots(2)
    held = await slots.take(2, gather_s=LONG_S)
    order: list[tuple[str, int]] = []

    async def take(name: str) -> list[Slot]:
        taken = await slots.take(2, gather_s=0.001)
        order.append((name, len(taken)))
        return taken

    first, second = asyncio.create_task(take("first")), asyncio.create_task(take("second"))
    await settled()
    for slot in held:
        slot.give_back()
    for slot in await first:
        slot.give_back()
    await second
    assert order == [("first", 2), ("second", 2)]


async def test_one_that_is_cancelled_has_taken_nothing() -> None:
    slots = Slots(2)
    held = await slots.take(2, gather_s=LONG_S)
    for ready in (0, 1):
        waiting = asyncio.create_task(slots.take(2, gather_s=LONG_S))
        await settled()
        for slot in held[:ready]:
            slot.give_back()
        await settled()
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert waiting.cancelled()
    held[1].give_back()
    assert len(await slots.take(2, gather_s=LONG_S)) == 2
