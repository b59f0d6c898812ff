"""Replicas that are killed while everything around them fails; afterwards, what was planted and what came of it."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from aiobotocore.session import get_session

from stream.demo.emulator import REGION, Emulator
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Workload, WorkloadError
from tests.faults.aws import FaultyAws
from tests.faults.phases import Mood, Phase, schedule
from tests.receiver import Receiver, Reply, Request
from tests.test_end_to_end import FOLDER, log_file, settings, stop_logging

_TABLE: Final = "faults-ledger"
_DRAIN_S: Final = 180.0
_VISIBILITY_S: Final = 6
_MOST_RECEIVES: Final = 1000  # so that nothing ends in the dead-letter queue for being unlucky


@dataclass(slots=True)
class Books:
    """What was planted and what came of it.

    Attributes:
        accepted: how often the receiver has accepted the alert of each planted event.
    """

    seed: int
    planted: set[str] = field(default_factory=set)
    accepted: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    injected: int = 0
    dead_letters: int = 0
    left: int = 0
    seconds: float = 0.0

    @property
    def lost(self) -> set[str]:
        """Planted, and told to nobody."""
        return self.planted - self.accepted.keys()

    @property
    def doubled(self) -> int:
        """Alerts that were accepted once more than once."""
        return sum(times - 1 for times in self.accepted.values())

    @property
    def balanced(self) -> bool:
        """Whether all that was planted was told, and nothing else."""
        return not self.lost and self.accepted.keys() <= self.planted and not self.left and not self.dead_letters

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: planted {len(self.planted)}, alerted {len(self.accepted)}, lost {len(self.lost)}, "
            f"doubled {self.doubled}; {self.kills} kills, {self.injected} faults, {self.dead_letters} dead letters, "
            f"{self.left} messages left, {self.seconds:.0f} s"
        )


class Service:
    """The service behind a channel, which has its moods; only what it answers with 2xx counts as accepted."""

    def __init__(self, receiver: Receiver, books: Books, rng: random.Random) -> None:
        self.mood: Mood = "well"
        self._books = books
        self._rng = rng
        receiver.default = self._reply

    def _reply(self, request: Request) -> Reply:
        reply = self._moody()
        if reply.status < 300 and not reply.hang and not reply.close:
            self._books.accepted[request.json()["data"]["event"]["id"]] += 1
        return reply

    def _moody(self) -> Reply:
        if self._rng.random() < 0.2:
            return Reply()
        match self.mood:
            case "errors":
                return Reply(503)
            case "throttles":
                return Reply(429, headers={"Retry-After": "1"})
            case "hangs":
                return Reply(hang=True)
            case "closes":
                return Reply(close=True)
            case "redirects":
                return Reply(302, headers={"Location": "http://127.0.0.1:9/"})
            case "shouts":
                return Reply(500, body=b"x" * 10_000_000)
            case "unauthorized":
                return Reply(401)
            case _:
                return Reply()


class Replica:
    """One replica, started anew whenever it is gone, until told to stop."""

    def __init__(self, wanted: dict[str, str], environ: dict[str, str], folder: Path) -> None:
        self._wanted = wanted
        self._environ = environ
        self._folder = folder
        self._workload: Workload | None = None

    def kill(self, number: signal.Signals) -> bool:
        """Send it a signal; whether there was anybody to send it to."""
        process = self._workload._process if self._workload else None
        if process is None or process.returncode is not None:
            return False
        process.send_signal(number)
        return True

    async def run(self, over: asyncio.Event) -> None:
        for life in count():
            folder = self._folder / str(life)
            folder.mkdir(parents=True)
            try:
                async with Workload(self._wanted, self._environ, folder) as self._workload:
                    await self._gone(over)
            except WorkloadError:
                await asyncio.sleep(0.2)  # killed while it started, or nothing of AWS answered
            if over.is_set():
                return

    async def _gone(self, over: asyncio.Event) -> None:
        process = self._workload._process if self._workload else None
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(over.wait())]
        if process is not None:
            waiting.append(asyncio.create_task(process.wait()))
        _, unfinished = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in unfinished:
            task.cancel()


async def torment(
    seed: int,
    *,
    seconds: float,
    kills: int,
    folder: Path,
    rate: float = 5.0,
    replicas: int = 2,
    phase_s: float = 8.0,
    shared: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Books:
    """Plant alerts for so many seconds, while things fail and replicas are killed; then let all of it settle.

    Args:
        seed: of everything that is drawn.
        seconds: how long.
        kills: of replicas, in all: two of three by SIGKILL, the others by SIGTERM.
        folder: for the replicas' logs.
        rate: alerts planted a second.
        replicas: at once.
        phase_s: length of a phase.
        shared: replicas share a ledger. What one that is killed has claimed is told 45 s later.
        say: is told what goes on.
    """
    rng = random.Random(seed)
    books = Books(seed)
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        emulator = stack.enter_context(Emulator(folder))
        aws = await stack.enter_async_context(FaultyAws(emulator.endpoint, random.Random(rng.random())))
        wiring = await stack.enter_async_context(
            wire(
                emulator.endpoint,
                f"faults-{seed}",
                routes=("s3",),
                max_receive_count=_MOST_RECEIVES,
                visibility_timeout_s=_VISIBILITY_S,
            )
        )
        await _make_table(emulator)
        receiver = await stack.enter_async_context(Receiver())
        service = Service(receiver, books, random.Random(rng.random()))
        wanted = settings(
            wiring,
            WEBHOOK_URL=receiver.url,
            WEBHOOK_TIMEOUT="2",
            LEDGER=f"dynamodb://{_TABLE}" if shared else "memory",
            RETRY_DELAY="0.1",
            SHUTDOWN_GRACE="3",
            STATUS_PORT="off",
        )
        environ = {**emulator.environ, "AWS_ENDPOINT_URL": aws.url}
        over = asyncio.Event()
        running = [Replica(wanted, environ, folder / f"replica-{number}") for number in range(replicas)]
        async with asyncio.TaskGroup() as tasks:
            for replica in running:
                tasks.create_task(replica.run(over))
            try:
                async with asyncio.TaskGroup() as trouble:
                    trouble.create_task(_plant(wiring, books, rng=random.Random(seed), seconds=seconds, rate=rate))
                    trouble.create_task(_kill(running, books, random.Random(seed), seconds=seconds, kills=kills))
                    trouble.create_task(_vary(aws, service, schedule(rng), seconds=seconds, phase_s=phase_s, say=say))
                aws.faults, service.mood = (), "well"
                say("all is well; settling")
                books.left = await _settled(wiring, books)
                books.dead_letters = await wiring.dead_letters()
            finally:
                over.set()
        books.injected = aws.injected.total()
    books.seconds = time.monotonic() - began
    return books


async def _make_table(emulator: Emulator) -> None:
    async with get_session().create_client(
        "dynamodb",
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ) as dynamodb:
        await dynamodb.create_table(
            TableName=_TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


async def _plant(wiring: Wiring, books: Books, *, rng: random.Random, seconds: float, rate: float) -> None:
    """Log files with one alert each, some of them announced twice, some out of order."""
    until = time.monotonic() + seconds
    for number in count():
        if time.monotonic() >= until:
            return
        event_id = f"event-{number}"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = stop_logging(event_id, eventTime=now, userIdentity={"type": "IAMUser", "userName": f"u{number}"})
        books.planted.add(event_id)
        key = f"{FOLDER}{rng.randrange(10**9):09}-{number}.json.gz"
        content = log_file(record)
        await wiring.put("s3", key, content)
        if rng.random() < 0.1:
            await wiring.put("s3", key, content)
        await asyncio.sleep(1 / rate)


async def _kill(running: list[Replica], books: Books, rng: random.Random, *, seconds: float, kills: int) -> None:
    until = time.monotonic() + seconds
    while books.kills < kills and time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.5, 1.5) * seconds / (kills + 1))
        number = signal.SIGKILL if rng.random() < 2 / 3 else signal.SIGTERM
        books.kills += running[rng.randrange(len(running))].kill(number)


async def _vary(
    aws: FaultyAws,
    service: Service,
    phases: Iterator[Phase],
    *,
    seconds: float,
    phase_s: float,
    say: Callable[[str], None],
) -> None:
    until = time.monotonic() + seconds
    for phase in phases:
        if time.monotonic() >= until:
            return
        say(phase.name)
        aws.faults, service.mood = phase.faults, phase.mood
        await asyncio.sleep(min(phase_s, max(until - time.monotonic(), 0.0)))


async def _settled(wiring: Wiring, books: Books) -> int:
    """Messages that are left when no more goes on, or when that takes too long."""
    until = time.monotonic() + _DRAIN_S
    while True:
        left = (await wiring.depth()).total
        if (not left and not books.lost) or time.monotonic() > until:
            return left
        await asyncio.sleep(0.2)
