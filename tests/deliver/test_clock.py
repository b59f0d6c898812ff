import asyncio
import math
import time

import pytest

from stream.deliver.clock import Alarm, SystemClock
from tests.deliver.fakes import FakeClock


async def test_a_sleeper_wakes_when_its_moment_has_come() -> None:
    clock = FakeClock()
    await clock.run(Alarm(clock).wait_until(1030.0))
    assert clock.moment == 1030.0


async def test_a_ring_cuts_even_an_endless_sleep_short() -> None:
    clock = FakeClock()
    alarm = Alarm(clock)
    sleeper = asyncio.create_task(alarm.wait_until(math.inf))
    await clock.settle()
    assert not sleeper.done()
    alarm.ring()
    await clock.settle()
    assert sleeper.done()
    assert clock.moment == 1000.0


async def test_a_ring_before_falling_asleep_is_not_lost_and_counts_once() -> None:
    clock = FakeClock()
    alarm = Alarm(clock)
    alarm.ring()
    await asyncio.wait_for(alarm.wait_until(math.inf), 5)
    again = asyncio.create_task(alarm.wait_until(1001.0))
    await clock.settle()
    assert not again.done()
    await clock.advance(1.0)
    assert again.done()


async def test_a_sleeper_that_is_cancelled_leaves_no_sleep_behind() -> None:
    alarm = Alarm(SystemClock())
    before = asyncio.all_tasks()
    sleeper = asyncio.create_task(alarm.wait_until(math.inf))
    await asyncio.sleep(0.001)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_alarm_that_is_stopped_leaves_no_timer_behind() -> None:
    alarm = Alarm(SystemClock())
    before = asyncio.all_tasks()
    sleeper = asyncio.create_task(alarm.wait_until(math.inf))
    await asyncio.sleep(0.001)
    alarm.ring()
    await sleeper
    assert len(asyncio.all_tasks()) == len(before) + 1
    alarm.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_ring_is_not_lost_on_a_sleeper_that_is_cancelled_at_that_moment() -> None:
    alarm = Alarm(SystemClock())
    sleeper = asyncio.create_task(alarm.wait_until(math.inf))
    await asyncio.sleep(0.001)
    alarm.ring()
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    await asyncio.wait_for(alarm.wait_until(math.inf), 5)
    alarm.stop()


async def test_of_many_sleeps_until_ever_later_moments_one_timer_is_left() -> None:
    clock = FakeClock()
    alarm = Alarm(clock)
    for moment in (1005.0, 1010.0, 1020.0, 1030.0):
        sleeper = asyncio.create_task(alarm.wait_until(moment))
        await clock.settle()
        alarm.ring()
        await sleeper
    assert clock.sleeping == 1

    sleeper = asyncio.create_task(alarm.wait_until(1040.0))
    await clock.advance(39.0)
    assert not sleeper.done()
    await clock.advance(1.0)
    assert sleeper.done()

    sleeper = asyncio.create_task(alarm.wait_until(1100.0))
    await clock.settle()
    alarm.ring()
    await sleeper
    await clock.run(alarm.wait_until(1050.0))  # an earlier one than the timer's
    assert clock.moment == 1050.0


async def test_the_systems_clock_tells_monotonic_and_unix_time() -> None:
    clock = SystemClock()
    began = clock.now()
    await clock.sleep(0.001)
    assert began <= time.monotonic() - 0.001
    assert abs(clock.unix() - time.time()) < 5
