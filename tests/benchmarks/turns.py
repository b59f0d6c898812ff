"""The event loop's longest turn while giants and storms are worked on, as `/metrics` shows it.

The gauge holds the longest delay since the scrape before. A round has one scrape at its begin and one at its end, and
the best of a few rounds counts: on a machine that others use too, the kernel's turns come on top of ours.
"""

from collections.abc import Sequence

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator
from tests.benchmarks.memory import giant, key
from tests.benchmarks.receiver import receiving
from tests.benchmarks.running import Process, put, queue, running
from tests.benchmarks.subject import Target, say

TARGETS = (
    Target("Event loop's longest turn while log files of 1 GB are worked on", "≤ 20 ms"),
    Target("The same in a storm of 10,000 alerts", "≤ 20 ms"),
)

_ALERTS = 10_000
_FILES = 20
_ROUNDS = 3


async def measure() -> Sequence[str]:
    with Emulator() as emulator:
        giants_s = await _giants(emulator)
        storm_s = await _storm(emulator)
    return f"{giants_s * 1e3:.0f} ms", f"{storm_s * 1e3:.0f} ms"


async def _giants(emulator: Emulator) -> float:
    async with queue(emulator, "turns-giants") as wiring:
        await put(wiring, {key(): giant(1_000_000_000)})
        async with running(emulator, wiring) as process:
            turns = [await _longest(process, [key()]) for _ in range(_ROUNDS)]
    return _best("1 GB", turns)


async def _storm(emulator: Emulator) -> float:
    """Each alert is of an event of its own, and posted to a webhook."""
    return _best("storm", [await _one_storm(emulator, seed) for seed in range(_ROUNDS)])


async def _one_storm(emulator: Emulator, seed: int) -> float:
    generator = Generator(seed=seed, look_alikes=0.0)
    count = _ALERTS // _FILES
    objects = {key(number): b"".join(generator.stream(count, planted_every=1)) for number in range(_FILES)}
    # A queue of its own: the emulator still serves the long polls of a process that has ended, and loses a message so.
    async with queue(emulator, f"turns-storm-{seed}") as wiring, receiving() as receiver:
        await put(wiring, objects)
        async with running(emulator, wiring, {"STDOUT": "false", "WEBHOOK_URL": receiver.url}) as process:
            turn_s = await _longest(process, list(objects))
    if len(receiver.arrived) != _ALERTS:
        raise RuntimeError(f"{len(receiver.arrived)} alerts instead of {_ALERTS}")
    return turn_s


async def _longest(process: Process, keys: Sequence[str]) -> float:
    await process.scrape()
    await process.work(keys)
    return (await process.scrape()).total("event_loop_lag_seconds")


def _best(name: str, turns: Sequence[float]) -> float:
    say(f"  {name}: longest turn of each round " + ", ".join(f"{turn * 1e3:.1f}" for turn in turns) + " ms")
    return min(turns)
