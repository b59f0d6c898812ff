"""A clock that a test turns by hand, and a channel that answers as it is told."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar, TypeVar

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Channel, PeopleChannel
from stream.deliver.group import Group
from stream.deliver.routes import Routes
from stream.settings import ChannelSettings, PeopleSettings
from stream.severity import Severity

T = TypeVar("T")


class FakeClock:
    """Time passes only while `advance` or `run` says so, from one sleeper's moment to the next."""

    def __init__(self) -> None:
        self.moment = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.moment

    def unix(self) -> float:
        return 1_772_366_400.0 + self.moment - 1000.0  # 2026-03-01T12:00:00Z and on

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.moment + seconds, next(self._numbers), woken))
        await woken

    @property
    def sleeping(self) -> int:
        """How many sleep."""
        return sum(not woken.done() for *_, woken in self._sleepers)

    async def settle(self) -> None:
        """Let every task go on until all of them wait for time or for the test."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        until = self.moment + seconds
        await self.settle()
        while (due := self._next_due()) is not None and due <= until:
            await self._wake(due)
        self.moment = until
        await self.settle()

    async def run(self, work: Coroutine[Any, Any, T], limit_s: float = 100_000.0) -> T:
        """Let time pass until the work is done."""
        task = asyncio.ensure_future(work)
        until = self.moment + limit_s
        await self.settle()
        while not task.done():
            due = self._next_due()
            if due is None or due > until:
                task.cancel()
                raise AssertionError(f"not done after {limit_s} s")
            await self._wake(due)
        return task.result()

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def _wake(self, due: float) -> None:
        self.moment = max(self.moment, due)
        while self._sleepers and self._sleepers[0][0] <= due:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
        await self.settle()


class FakeChannel(Channel):
    """Gives its scripted answers one after the other, then `default`; `gate` holds requests under way.

    Attributes:
        sent: for each request the moment, the alert's id, and whether it was minimal.
    """

    kind = "fake"
    section: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(
        self,
        name: str = "fake",
        *,
        clock: FakeClock | None = None,
        default: Answer | Callable[[Alert, bool], Answer] | None = None,
        **settings: object,
    ) -> None:
        super().__init__(ChannelSettings.model_validate(settings), name=name)
        self.script: deque[Answer] = deque()
        self.default = default or Accepted()
        self.sent: list[tuple[float, str, bool]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0
        self.most_under_way = 0
        self.closed = False
        self.refreshed = 0
        self._clock = clock

    def answer(self, *answers: Answer) -> None:
        self.script.extend(answers)

    @property
    def ids(self) -> list[str]:
        return [alert_id for _, alert_id, _ in self.sent]

    @property
    def moments(self) -> list[float]:
        return [moment for moment, _, _ in self.sent]

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        self.sent.append((self._clock.now() if self._clock else 0.0, alert.id, minimal))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if self.script:
            return self.script.popleft()
        return self.default(alert, minimal) if callable(self.default) else self.default

    async def refresh(self) -> None:
        self.refreshed += 1

    async def aclose(self) -> None:
        self.closed = True


class FakePeople(PeopleChannel):
    """A channel for people that answers as it is told.

    Attributes:
        told: for each message that it accepted, the ids of the alerts in it, and whether it was late.
        minimal: for each request, whether it was minimal.
    """

    kind = "people"
    section = PeopleSettings

    def __init__(self, name: str = "people", **settings: object) -> None:
        super().__init__(PeopleSettings.model_validate(settings), name=name)
        self.script: deque[Answer] = deque()
        self.default: Answer = Accepted()
        self.told: list[tuple[tuple[str, ...], bool]] = []
        self.minimal: list[bool] = []

    def answer(self, *answers: Answer) -> None:
        self.script.extend(answers)

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        answer = self.script.popleft() if self.script else self.default
        self.minimal.append(minimal)
        if isinstance(answer, Accepted):
            self.told.append((group.ids if group else (alert.id,), group is not None and group.late))
        return answer

    async def refresh(self) -> None:
        """It has no secrets to read again."""

    @property
    def sizes(self) -> list[int]:
        return [len(ids) for ids, _ in self.told]


def to_all(channels: Iterable[Channel], min_severity: Severity = "informational") -> Routes:
    """Every alert to every channel, as without a file of routes."""
    return Routes.of(channels, min_severity=min_severity)
