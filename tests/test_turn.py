import asyncio

from stream.turn import Turn


class Work:
    """Steps of a tenth of a millisecond, by a clock that only they move."""

    def __init__(self, workers: int, steps: int) -> None:
        self.workers, self.steps = workers, steps
        self.seconds = 0.0
        self.turn = Turn(lambda: self.seconds)
        self.turns = [0.0]  # when each began

    async def run(self) -> None:
        loop = asyncio.get_running_loop()

        def turned() -> None:
            self.turns.append(self.seconds)
            self.next = loop.call_soon(turned)

        self.next = loop.call_soon(turned)
        await asyncio.gather(*(self.work() for _ in range(self.workers)))
        self.next.cancel()

    async def work(self) -> None:
        for _ in range(self.steps):
            self.seconds += 0.0001
            await self.turn.end_if_long()

    @property
    def longest(self) -> float:
        return max(after - before for before, after in zip(self.turns, self.turns[1:], strict=False))


async def test_the_event_loop_turns_every_few_milliseconds() -> None:
    work = Work(workers=1, steps=1000)
    await work.run()

    assert 40 <= len(work.turns) <= 60  # of 100 ms
    assert work.longest < 0.0025


async def test_many_who_work_in_one_turn_share_its_time() -> None:
    work = Work(workers=16, steps=100)
    await work.run()

    assert work.longest < 0.002 + 16 * 0.0001 + 0.0001
    assert len(work.turns) < 100


async def test_after_a_pause_nobody_knows_when_the_turn_began_and_it_ends() -> None:
    work = Work(workers=1, steps=3)
    await work.run()
    work.seconds += 10
    before = len(work.turns)
    await work.run()

    assert len(work.turns) > before + 1
