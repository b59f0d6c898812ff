"""A channel that stays out of order is itself an alert on the others: once when it has lasted, once when it is over."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, Literal

from stream.alert import Alert
from stream.deliver.clock import Clock
from stream.notice import Notice
from stream.severity import Severity
from stream.terminal import inert

DEAD_AFTER_S: Final = 300.0
"""A channel that is back within so many seconds is nobody's business: its alerts have only waited."""

RULE_ID: Final = "trailstream-channel-outage"
_HOUR_S: Final = 3600

State = Literal["down", "recovered"]


class Outages:
    """Watches the outboxes of one dispatcher.

    Args:
        tell: brings an alert to every channel but the one named.
        clock: tells the time.
    """

    def __init__(self, tell: Callable[[Alert, str], Coroutine[Any, Any, None]], clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._tasks: asyncio.TaskGroup | None = None
        self._since: dict[str, float] = {}  # Unix time
        self._told: set[str] = set()
        self._waiting: set[asyncio.Task[None]] = set()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Give it the group that its waiting belongs to."""
        self._tasks = tasks

    def stop(self) -> None:
        """Wait no more."""
        for task in self._waiting:
            task.cancel()

    def began(self, channel: str, reason: str) -> None:
        """A channel's circuit breaker has opened; it may have been half-open before."""
        if channel not in self._since:
            since = self._since[channel] = self._clock.unix()
            self._run(self._wait(channel, reason, since))

    def ended(self, channel: str) -> None:
        """A channel answers well again."""
        since = self._since.pop(channel, None)
        if channel in self._told and since is not None:
            self._told.discard(channel)
            self._run(self._tell(outage_alert(channel, "recovered", "", since, self._clock.unix()), channel))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is not None:
            task = self._tasks.create_task(work)
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _wait(self, channel: str, reason: str, since: float) -> None:
        await self._clock.sleep(DEAD_AFTER_S)
        if self._since.get(channel) == since:
            self._told.add(channel)
            await self._tell(outage_alert(channel, "down", reason, since, self._clock.unix()), channel)


def outage_alert(channel: str, state: State, reason: str, since: float, now: float) -> Alert:
    """The alert of a channel's outage, or of its end; its id is the same on every replica within the hour.

    Args:
        channel: its name.
        state: whether it is down or has recovered.
        reason: why it is down, of the reasons of `Down` and `Retry`.
        since: when it went out of order, in Unix time.
        now: Unix time.
    """
    began, name = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), inert(channel)
    if state == "down":
        severity: Severity = "high"
        title = f"Trailstream can't deliver to {name}"
        summary = (
            f"The channel {name} has taken no alert since {began} ({reason}). Its alerts wait and are not lost, "
            "but nobody reads them there. `trailstream check` says what to repair."
        )
    else:
        severity = "informational"
        title = f"Trailstream delivers to {name} again"
        summary = f"The channel {name} had taken no alert since {began}; what waited for it is being delivered."
    return Notice(
        kind=RULE_ID,
        event_name="ChannelDown" if state == "down" else "ChannelRecovered",
        incident=f"{channel} {int(since) // _HOUR_S}",
        state=state,
        severity=severity,
        title=title,
        summary=summary,
        time=now,
        facts={"channel": channel},
    ).alert()
