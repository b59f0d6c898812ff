from collections.abc import Callable

from stream.deliver.sharing import Sharing


class _Slow:
    """Others who take their time to be told."""

    def __init__(self, takes_s: float) -> None:
        self.now = 0.0
        self.takes_s = takes_s
        self.there = True
        self.told = 0

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        assert revision(name) == name
        self.now += self.takes_s
        self.told += 1
        return self.there


def same(text: str | None) -> str:
    return text or ""


async def test_alerts_wait_for_a_second_a_minute_in_all() -> None:
    others = _Slow(0.125)
    sharing = Sharing(others, now=lambda: others.now)

    assert [await sharing.revise("a", same) for _ in range(100)] == [True] * 8 + [False] * 92
    others.now = 59.9
    assert not await sharing.revise("a", same)
    others.now = 60
    assert await sharing.revise("a", same)
    assert others.told == 9


async def test_who_can_not_be_told_is_tried_again_a_minute_later() -> None:
    others = _Slow(0.001)
    others.there = False
    sharing = Sharing(others, now=lambda: others.now)

    assert [await sharing.revise("a", same) for _ in range(3)] == [False] * 3
    assert others.told == 1
    others.now, others.there = 61, True
    assert await sharing.revise("a", same)


async def test_alone_there_is_nobody_to_tell() -> None:
    assert not await Sharing(None).revise("a", same)
