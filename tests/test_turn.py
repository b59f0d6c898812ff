import asyncio
from itertools import pairwise

import pytest

from stream.turn import Turn

_STEP_S = 0.0001


class Loop:
    """Turns of the event loop while steps of a tenth of a millisecond are done, by the steps' own time."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.seconds = 0.0
        self.steps: list[str] = []
        self.turns = [0.0]  # when each began

    async def run(self, **workers: int) -> None:
        """Let each of these do so many steps."""
        watch = asyncio.create_task(self.watch())
        await asyncio.gather(*(self.work(name, steps) for name, steps in workers.items()))
        watch.cancel()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turns.append(self.seconds)

    async def work(self, name: str, steps: int) -> None:
        for _ in range(steps):
            self.seconds += _STEP_S
            self.steps.append(name)
            self.turn.worked(_STEP_S)
            await self.turn.go_on()

    @property
    def longest_s(self) -> float:
        return max(after - before for before, after in pairwise(self.turns))


async def test_the_event_loop_turns_every_few_steps() -> None:
    loop = Loop()
    await loop.run(one=1000)

    assert loop.longest_s < 12 * _STEP_S
    assert 90 <= len(set(loop.turns)) <= 110


async def test_many_share_a_turn_and_go_on_one_after_the_other() -> None:
    loop = Loop()
    await loop.run(**{str(number): 100 for number in range(16)})

    assert loop.longest_s < (12 + 16) * _STEP_S  # in the first turn each does a step
    assert all(loop.steps[:800].count(str(number)) >= 40 for number in range(16))


async def test_who_is_cancelled_while_it_waits_keeps_nobody_from_going_on() -> None:
    loop = Loop()
    loop.turn.worked(1.0)
    waiting = [asyncio.create_task(loop.turn.go_on()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.wait_for(waiting[2], 20)

    for each in waiting[:2]:
        with pytest.raises(asyncio.CancelledError):
            await each
    await asyncio.wait_for(loop.run(more=100), 20)
