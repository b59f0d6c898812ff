"""From the moment at which the emulator hands a notification out to the webhook's post, idle and under load."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import orjson

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator
from stream.demo.wiring import Wiring
from tests.benchmarks.memory import giant, key
from tests.benchmarks.receiver import receiving
from tests.benchmarks.running import Process, announce, put, queue, running
from tests.benchmarks.subject import Target, say
from tests.benchmarks.tap import tapped

TARGETS = (
    Target("Notification to webhook post over the emulator's own time, idle", "p50 ≤ 15 ms, p99 ≤ 50 ms"),
    Target("The same under 80 % load", "p99 ≤ 250 ms"),
)

_SAMPLES = 200
_WARM_UP = 10
_PATIENCE_S = 60
_LOAD = 0.8  # of one CPU
_LOAD_BYTES = 10_000_000  # large, so that the emulator has little to do for much of our work
_LOAD_KEY = key(10**9)
_LOAD_PERIOD_S = 0.1


@dataclass(frozen=True, slots=True)
class _Quantiles:
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "_Quantiles":
        ordered = sorted(seconds)
        return cls(ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)])

    @property
    def text(self) -> str:
        return f"p50 {self.p50 * 1e3:.0f} ms, p99 {self.p99 * 1e3:.0f} ms"


async def measure() -> Sequence[str]:
    with Emulator() as emulator:
        idle = await _quantiles(emulator, "idle", loaded=False)
        loaded = await _quantiles(emulator, "loaded", loaded=True)
    return idle.text, loaded.text


async def _quantiles(emulator: Emulator, name: str, *, loaded: bool) -> _Quantiles:
    generator = Generator(seed=1, look_alikes=0.0)
    bodies = {key(number): b"".join(generator.stream(20, planted_every=20)) for number in range(_WARM_UP + _SAMPLES)}
    async with (
        queue(emulator, f"latency-{name}") as wiring,
        receiving() as receiver,
        tapped(emulator.endpoint) as tap,
        running(emulator, wiring, {"STDOUT": "false", "WEBHOOK_URL": receiver.url}, sqs=tap.url) as process,
    ):
        await put(wiring, bodies | {_LOAD_KEY: giant(_LOAD_BYTES)})
        around = _load(process) if loaded else nullcontext()
        async with around:
            for object_key in bodies:
                await announce(wiring, [object_key])
                await receiver.until(len(receiver.arrived) + 1, patience_s=_PATIENCE_S)
    seconds = [receiver.arrived[_event_id(body)] - tap.handed_out[object_key] for object_key, body in bodies.items()]
    say(f"  {name}: {_Quantiles.of(seconds[_WARM_UP:]).text}")
    return _Quantiles.of(seconds[_WARM_UP:])


def _event_id(body: bytes) -> str:
    """Of the last record, which is the one to be alerted on."""
    return str(orjson.loads(gzip.decompress(body))["Records"][-1]["eventID"])


@asynccontextmanager
async def _load(process: Process) -> AsyncIterator[None]:
    """Log files without alerts, as many as take so much of a CPU; says how much it was."""
    each_s = await process.work([_LOAD_KEY] * 100) / 100
    before_s, began = process.cpu_seconds, time.monotonic()
    load = asyncio.create_task(_announce_steadily(process.wiring, _LOAD / each_s))
    try:
        yield
        if load.done():
            load.result()  # it has failed
        took_s = time.monotonic() - began
        say(f"  load: {(process.cpu_seconds - before_s) / took_s:.0%} of a CPU, {each_s * 1e3:.1f} ms a file")
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)


async def _announce_steadily(wiring: Wiring, rate: float) -> None:
    began, announced = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * rate)
        await announce(wiring, [_LOAD_KEY] * (due - announced))
        announced = due
        await asyncio.sleep(_LOAD_PERIOD_S)
