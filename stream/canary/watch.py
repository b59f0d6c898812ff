"""Calls sts:GetCallerIdentity every quarter of an hour, and says so when its record does not come back.

What an intruder does to the trail beside all that we know of shows in this: a call that must be recorded, and is not.
Replicas share what was sent and what came back, since any of them may read the log file; without a ledger that they
share, this is for a single replica.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from stream.canary.mark import Heard, fresh
from stream.deliver.clock import Clock
from stream.deliver.gaps import duration
from stream.ledger.interface import Notes
from stream.metrics import Metrics
from stream.notice import Notice

log = structlog.get_logger()

KIND: Final = "trailstream-canary"
EVERY_S: Final = 900.0
MISSING_S: Final = 2700.0
"""CloudTrail delivers within about five minutes on average, "not guaranteed", and says nothing of the longest:

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
"""

_LOOK_S: Final = 60.0
_REUNITED_S: Final = 180.0  # until every replica has said what it heard while the ledger was out of reach
_KEPT: Final = 64  # calls, of sixteen hours
_NOTE: Final = "canary"


@dataclass(slots=True)
class State:
    """What is known of the calls; times are Unix time.

    Attributes:
        sent: when each call was made, by its token.
        seen: when the newest of those was made that came back; 0: none did.
        told: when the oldest was made of those whose absence people know of; 0: none is missing.
        account: where they were made.
    """

    sent: dict[str, float] = field(default_factory=dict)
    seen: float = 0.0
    told: float = 0.0
    account: str = ""

    @classmethod
    def read(cls, text: str | None) -> "State":
        """What a replica wrote; nothing, if that can't be read."""
        try:
            data = json.loads(text or "{}")
            return cls(
                {str(token): float(at) for token, at in data["sent"].items()},
                float(data["seen"]),
                float(data["told"]),
                str(data["account"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def written(self) -> str:
        """For `read`."""
        return json.dumps(asdict(self))

    def hear(self, tokens: set[str]) -> float:
        """Take in what came back; when the newest of that was sent, 0 if a later one came back before."""
        newest = max((at for token, at in self.sent.items() if token in tokens), default=0.0)
        if newest <= self.seen:
            return 0.0
        self.seen = newest
        return newest

    def join(self, own: "State") -> None:
        """Take in what a replica knows that could not say so; what people know is known to all, or to none."""
        self.sent |= own.sent
        self.sent = dict(sorted(self.sent.items(), key=lambda item: item[1])[-_KEPT:])
        self.seen = max(self.seen, own.seen)
        self.account = self.account or own.account

    def send(self, token: str, now: float, account: str) -> None:
        """A call was made."""
        self.join(State({token: now}))
        self.account = account

    @property
    def last(self) -> float:
        """When the last call was made."""
        return max(self.sent.values(), default=0.0)

    @property
    def waiting_since(self) -> float:
        """When the first was made of the calls that have not come back, nor a later one; 0: there is none."""
        return min((at for at in self.sent.values() if at > self.seen), default=0.0)

    def missing_since(self, now: float) -> float:
        """When the first was made of the calls that did not come back in time, nor a later one; 0: none is missing."""
        waiting = self.waiting_since
        return waiting if waiting and now - waiting > MISSING_S else 0.0


class Canary:
    """Sends, waits, and tells.

    Args:
        call: makes the call with this token; gives the account; raises `CanaryError`.
        heard: what this process has read.
        settled: whether this process keeps up with the queue: what is not read yet is not missing.
        tell: brings a notice to people; whether they have it.
        metrics: shows when a call last came back.
        clock: tells the time.
        notes: what replicas share; `None`: this process is alone.
    """

    def __init__(
        self,
        call: Callable[[str], Awaitable[str]],
        heard: Heard,
        settled: Callable[[], bool],
        tell: Callable[[Notice], Awaitable[bool]],
        metrics: Metrics,
        *,
        clock: Clock,
        notes: Notes | None = None,
    ) -> None:
        self._call = call
        self._heard = heard
        self._settled = settled
        self._tell = tell
        self._metrics = metrics
        self._clock = clock
        self._notes = notes
        self._own = State()
        self._alone_at = -math.inf
        self._on_its_way: set[str] = set()
        self._fails = False

    async def run(self) -> None:
        """Look once a minute, for ever."""
        async with asyncio.TaskGroup() as deliveries:
            while True:
                await self.look(deliveries)
                await self._clock.sleep(_LOOK_S)

    async def look(self, deliveries: asyncio.TaskGroup) -> None:
        """Do what is to be done now; notices are delivered by tasks of the group."""
        now = self._clock.unix()
        tokens = self._heard.take()
        shared = await self._revise(lambda state: self._came_back(state, tokens, now))
        if not shared:
            self._heard.give_back(tokens)  # of other replicas' calls, which we can't know yet
            self._alone_at = now
        if now - self._own.last >= EVERY_S:
            await self._send(now)
        state = self._own
        self._metrics.canary_waiting_since.set(state.waiting_since if shared else math.nan)
        if not self._settled() or now - self._alone_at < _REUNITED_S:
            return
        missing = state.missing_since(now)
        if missing and not state.told:
            self._deliver(_missing(state, missing, now), missing, deliveries)
        elif state.told and not missing and state.seen >= state.told:
            self._deliver(_back(state, now), 0.0, deliveries)

    def _came_back(self, state: State, tokens: set[str], now: float) -> None:
        newest = state.hear(tokens)
        if newest:
            self._metrics.canary_round_trip.set(now - newest)
        if state.seen:
            self._metrics.canary_last_seen.set(state.seen)

    async def _send(self, now: float) -> None:
        token = fresh()
        try:
            account = await self._call(token)
        except CanaryError as error:
            self._metrics.errors.labels("canary", error.reason).inc()
            if not self._fails:
                log.warning("canary not sent", reason=error.reason)
            self._fails = True
            return
        self._fails = False
        await self._revise(lambda state: state.send(token, now, account))

    def _deliver(self, notice: Notice, told: float, deliveries: asyncio.TaskGroup) -> None:
        alert_id = notice.alert().id
        if alert_id not in self._on_its_way:
            self._on_its_way.add(alert_id)
            deliveries.create_task(self._told(notice, told, alert_id))

    async def _told(self, notice: Notice, told: float, alert_id: str) -> None:
        def note(state: State) -> None:
            state.told = told

        try:
            if await self._tell(notice):
                while not await self._revise(note):
                    await self._clock.sleep(_LOOK_S)
        finally:
            self._on_its_way.discard(alert_id)

    async def _revise(self, change: Callable[[State], None]) -> bool:
        """Change what is known; whether all replicas know it: if not, they do once another change reaches them."""
        if self._notes is None:
            change(self._own)
            return True
        state = State()

        def revised(text: str | None) -> str:
            nonlocal state
            state = State.read(text)
            state.join(self._own)
            change(state)
            return state.written()

        if await self._notes.revise(_NOTE, revised):
            self._own = state
            return True
        change(self._own)
        return False


class CanaryError(Exception):
    """The call could not be made; `reason` is one of those that `errors_total{stage="canary"}` counts."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _missing(state: State, since: float, now: float) -> Notice:
    minutes = duration(int(now - since)).removesuffix(" 0 s")
    if state.seen:
        known = f"The last that came back was of {_time(state.seen)}."
        look = (
            "Look at the trail: is it stopped or deleted, does it leave read events or this region out, is its bucket "
            "unhooked?"
        )
    else:
        known = "None ever has."
        look = (
            "Does a trail that Trailstream reads record this account, in this region, and read events (ReadWriteType "
            "All)? If it shall not, unset TRAILSTREAM_CANARY."
        )
    return Notice(
        kind=KIND,
        event_name="CanaryMissing",
        incident=f"{since:.0f}",
        state="missing",
        severity="high",
        title="A call that has to be recorded was not",
        summary=f"Trailstream called sts:GetCallerIdentity at {_time(since)}, and {minutes} later no log file has "
        f"brought its record, nor that of a later call. {known} {look}",
        time=now,
        account_id=state.account or None,
        facts={"calledAt": _time(since), "lastSeen": _time(state.seen) if state.seen else None},
    )


def _back(state: State, now: float) -> Notice:
    return Notice(
        kind=KIND,
        event_name="CanaryBack",
        incident=f"{state.told:.0f}",
        state="back",
        severity="low",
        title="Calls of ours are recorded again",
        summary=f"The call of {_time(state.seen)} has come back in a log file. Those from {_time(state.told)} on had "
        "not: what else was not recorded meanwhile is not known.",
        time=now,
        account_id=state.account or None,
    )


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
