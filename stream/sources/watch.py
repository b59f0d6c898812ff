"""The watch for silence: once a minute what was heard is put together, judged by one replica, and told.

Nothing is judged while any replica is behind with the queue, can't reach it, or is missed: what has not been read yet
would look like what was never delivered.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from stream.deliver.clock import Clock
from stream.ledger.interface import Notes
from stream.metrics import Metrics
from stream.notice import Notice
from stream.sources.hearing import MINUTE, Hearing
from stream.sources.sharing import Exchange, Report
from stream.sources.silences import EVERYTHING, Silences
from stream.sources.telling import Bulletin, Telling

log = structlog.get_logger()

_RECENT: Final = 30  # minutes
_SAVED: Final = 60
_LEAVING_S: Final = 3.0


class Watch:
    """Watches the sources of log files.

    Args:
        hearing: what this process hears.
        tell: brings a notice to people; whether they have it.
        metrics: shows how many sources there are.
        clock: tells the time.
        notes: what replicas share; `None`: this process judges by what it has heard itself.
        account_name: the name of an account by its id, `None` if none is known.
        by_source: how many sources have a metric of their own, at most.
    """

    def __init__(
        self,
        hearing: Hearing,
        tell: Callable[[Notice], Awaitable[bool]],
        metrics: Metrics,
        *,
        clock: Clock,
        notes: Notes | None = None,
        account_name: Callable[[str], str | None] = lambda _: None,
        by_source: int = 0,
    ) -> None:
        self.hearing = hearing
        self._tell = tell
        self._metrics = metrics
        self._clock = clock
        self._exchange = None if notes is None else Exchange(notes)
        self._silences: Silences | None = Silences() if notes is None else None
        self._telling = Telling(account_name)
        self._by_source = by_source
        self._shown: set[str] = set()
        self._saved_at = 0
        self._unsaved = False
        self._on_its_way: set[str] = set()

    async def run(self) -> None:
        """Look once a minute, for ever."""
        try:
            async with asyncio.TaskGroup() as deliveries:
                while True:
                    await self.look(deliveries)
                    await self._clock.sleep(MINUTE)
        finally:
            await self._leave()

    def quiet(self) -> list[str]:
        """Sources that are silent now, as far as this replica is the one that judges."""
        silences = self._silences
        if silences is None:
            return []
        return ["nothing at all arrives" if source == EVERYTHING else source for source in silences.silent]

    async def look(self, deliveries: asyncio.TaskGroup) -> None:
        """Do what is to be done in this minute; notices are delivered by tasks of the group."""
        now = self.hearing.minute()
        own = Report(now, self.hearing.settled(), self.hearing.recent(_RECENT), tuple(self.hearing.unread))
        reports = [own] if self._exchange is None else await self._reports(self._exchange, own)
        silences = self._silences
        if silences is None:
            self._show(None, now)
            return
        heard: dict[str, int] = {}
        for report in reports:
            for source, minute in report.heard.items():
                heard[source] = max(minute, heard.get(source, 0))
        before = self._state(silences)
        silences.hear(heard)
        if reports and all(report.settled for report in reports):
            silences.judge(now, unread=frozenset().union(*(report.unread for report in reports)))
            for bulletin in self._telling.due(silences, now):
                self._deliver(bulletin, silences, deliveries)
        silences.forget(now)
        self._unsaved = self._unsaved or self._state(silences) != before
        if self._exchange is not None and (self._unsaved or now - self._saved_at >= _SAVED):
            self._unsaved, self._saved_at = False, now
            await self._exchange.save(silences)
        self._show(silences, now)

    async def _reports(self, exchange: Exchange, own: Report) -> list[Report]:
        """Everybody's reports, if it is this replica that judges; it then knows what was known before."""
        if not await exchange.report(own) or not await exchange.holds_lease(own.at):
            self._silences = None
            return []
        if self._silences is None:
            self._silences = await exchange.load()
            self._saved_at = own.at
            log.info("watching for silence", sources=self._silences.tracked if self._silences else None)
        return await exchange.reports(own.at)

    def _deliver(self, bulletin: Bulletin, silences: Silences, deliveries: asyncio.TaskGroup) -> None:
        """Have a notice told, which may take as long as a channel's deadline; what is not told comes up again."""
        alert_id = bulletin.notice.alert().id
        if alert_id not in self._on_its_way:
            self._on_its_way.add(alert_id)
            bulletin.is_sent()
            deliveries.create_task(self._told(bulletin, silences, alert_id))

    async def _told(self, bulletin: Bulletin, silences: Silences, alert_id: str) -> None:
        told = False
        try:
            told = await self._tell(bulletin.notice)
        finally:
            bulletin.is_done(silences, told=told)
            self._unsaved = self._unsaved or told
            self._on_its_way.discard(alert_id)

    def _show(self, silences: Silences | None, now: int) -> None:
        metrics = self._metrics
        metrics.sources_tracked.set(math.nan if silences is None else silences.tracked)
        metrics.sources_silent.set(math.nan if silences is None else len(silences.silent))
        metrics.oldest_source_age.set(math.nan if silences is None else silences.oldest_age(now) * MINUTE)
        if self._by_source:
            self._show_each(silences, now)

    def _show_each(self, silences: Silences | None, now: int) -> None:
        rhythms = {} if silences is None else silences.rhythms
        for source in list(self._shown):
            if source not in rhythms:
                self._shown.discard(source)
                self._metrics.source_age.remove(*source.split("/"))
        for source, rhythm in rhythms.items():
            if "/" in source and (source in self._shown or len(self._shown) < self._by_source):
                self._shown.add(source)
                self._metrics.source_age.labels(*source.split("/")).set((now - rhythm.last) * MINUTE)

    async def _leave(self) -> None:
        """Let another replica go on where this one ends."""
        if self._exchange is None:
            return
        try:
            async with asyncio.timeout(_LEAVING_S):
                if self._silences is not None:
                    await self._exchange.save(self._silences)
                await self._exchange.leave(self.hearing.minute())
        except TimeoutError:
            log.info("left without a word to the other replicas", reason="timeout")

    @staticmethod
    def _state(silences: Silences) -> list[tuple[str, int, int]]:
        return [(source, silence.since, silence.ended) for source, silence in silences.current.items()]
