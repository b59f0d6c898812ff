"""Digest files as they are announced: each is held against the chain since the last one; what is wrong becomes notices.

How far a chain was looked at is shared by replicas, and written down when people have been told of what was found. What
lies between that and a digest that comes is looked at, and what is missing is looked for in the bucket before that is
said. Whatever was found at one digest is found again at the next: what people were told of is not told twice.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import astuple, dataclass, replace
from typing import Any, Final, Self
from weakref import WeakValueDictionary

import structlog

from stream.aws import Aws
from stream.checks.outcome import AWS_ERRORS, error_code
from stream.digest.announced import KEPT_S, Announcements, Known
from stream.digest.chain import HOUR_S
from stream.digest.digest import Place
from stream.digest.finding import Finding
from stream.digest.listing import Object
from stream.digest.strangers import BESIDE_S, UNKNOWN, Strangers
from stream.digest.telling import notice_of
from stream.digest.verifying import Beside, PublicKeys, Tally, Verifier, written
from stream.errors import LogFileError
from stream.ledger.interface import Notes
from stream.metrics import Metrics
from stream.notice import Notice

log = structlog.get_logger()

_LONGEST_S: Final = 7 * 24 * HOUR_S  # that is looked back; `trailstream verify` looks further
_MOST_CHAINS: Final = 50_000  # names of trails may be made up, by whoever may write to the bucket
_MOST_FORGED: Final = 20  # told of one hour
_OF_LOG_FILES: Final = ("log_altered", "log_missing")
_APART_S: Final = 180.0
"""Whatever makes replicas forget an announcement is no longer than that; of less nobody is told, but it is read."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a look at a digest takes us along its chain; see `_Looked`."""

    name: str
    end: float
    since: float
    clean: bool
    strangers: Strangers


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at a digest.

    Attributes:
        notices: what is to be told.
        unread: log files that were never announced, or of which that can't be said: their keys.
        folder: bucket and root of those that were looked for.
        until: Unix time up to which they were; 0: they were not.
        step: that is made when people were told; `None`: nothing of it can be believed, it is nothing new, or how far
            was looked before can't be said now.
    """

    notices: list[Notice]
    unread: list[str]
    folder: tuple[str, str] = ("", "")
    until: float = 0.0
    step: Step | None = None


class DigestWatch:
    """Looks at digests that are announced; to be entered with `async with`.

    Args:
        aws: the session.
        metrics: counts what was looked at.
        account_name: the name of an account by its id, if it is known.
        notes: what replicas share; `None`: this process is alone.
        announcements: tells which log files were announced; `None`: nobody knows that of all replicas.
    """

    def __init__(
        self,
        aws: Aws,
        metrics: Metrics,
        *,
        account_name: Callable[[str], str | None],
        notes: Notes | None,
        announcements: Announcements | None = None,
    ) -> None:
        self._aws = aws
        self._metrics = metrics
        self._account_name = account_name
        self._notes = notes
        self._announcements = announcements
        self._public_keys = PublicKeys(aws)
        self._own: OrderedDict[str, _Looked] = OrderedDict()
        self._opened = AsyncExitStack()
        self._s3: Any = None
        self._looking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        self._s3 = await self._opened.enter_async_context(self._aws.client("s3"))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._announcements is not None:
            await self._announcements.write(leaves=True)
        await self._opened.aclose()

    async def run(self) -> None:
        """Share what is announced with the other replicas, until cancelled."""
        if self._announcements is not None:
            await self._announcements.run()

    def hear(self, bucket: str, key: str) -> None:
        """A log file was announced."""
        if self._announcements is not None:
            self._announcements.hear(bucket, key)

    async def read(self, looked: Looked) -> None:
        """Say that people were told and that the log files were read: the next look begins behind them."""
        if self._announcements is not None and looked.until:
            await self._announcements.advance(*looked.folder, looked.until)
        step = looked.step
        if step is not None:
            await self._revise(step.name, lambda state: state.after(step))

    async def look(self, bucket: str, key: str, now: float) -> Looked:
        """What is wrong with a digest that was announced, its log files, and those since the last one.

        Raises:
            LogFileError: something could not be looked at; it is to be tried again.
        """
        place = Place.of(key)
        if place is None:
            return Looked([], [])
        name = _note_name(bucket, place)
        async with self._looking.setdefault(name, asyncio.Lock()):  # gone when nobody looks any more
            sure, state = await self._revise(name, lambda state: state)
            if place.end < state.latest:
                return Looked([], [])
            since = state.since_for(place.end)
            verifier = Verifier(
                self._s3,
                bucket,
                self._public_keys,
                since=max(since, place.end - _LONGEST_S) if since else place.end - HOUR_S + 1.0,
                until=place.end,
                tally=Tally(),
                advance=lambda _: None,
            )
            beside: Beside | None = None
            listed_after: float | None = None
            step: Step | None = None
            try:
                findings = [one async for one in verifier.look_at_chain(place, logs_after=since)]
            except AWS_ERRORS as error:
                raise LogFileError("unavailable", f"the digests can't be listed ({error_code(error)})") from error
            if unreadable := next((one for one in findings if one.kind == "unreadable"), None):
                raise LogFileError("unavailable", unreadable.detail)
            # What can't be believed takes nobody further: dated ahead, it would hide the real ones behind it.
            if not any(finding.key == place.key for finding in findings):
                clean, strangers = not findings, state.strangers_for(place.end)
                # Log files that were tampered with are no reason not to look for others; lists of them that were, are.
                if not place.backfill and all(finding.kind in _OF_LOG_FILES for finding in findings):
                    listed_after = await self._listed_after(bucket, place)
                    beside = await self._beside(bucket, place, strangers.until, listed_after)
                    strangers, forged = self._forged(beside, strangers, bucket)
                    findings += forged
                # Where nobody says how far was looked, this digest was, and nothing before it: the next one goes back.
                step = Step(name, place.end, since, clean, strangers) if sure else None
        self._metrics.digests.labels("wrong" if findings else "valid").inc()
        notices = [notice_of(finding, place, self._account_name(place.account), now) for finding in findings]
        if beside is None or listed_after is None:
            return Looked(notices, [], step=step)
        known = await self._announcements.known(listed_after) if self._announcements is not None else None
        if known is None:  # now: at the next digest it may be
            return Looked(notices, [], step=step)
        told, unread = await self._unread(bucket, beside, known)
        if told:
            finding = Finding("log_unannounced", bucket, told[0].key, f"{len(told)} log files")
            notices.append(notice_of(finding, place, self._account_name(place.account), now))
        return Looked(notices, [one.key for one in unread], (bucket, place.root), beside.listed_until, step)

    async def _listed_after(self, bucket: str, place: Place) -> float | None:
        """From when on to look for log files that were not announced; `None`: that can't be said now."""
        if self._announcements is None:
            return None
        until = await self._announcements.until(bucket, place.root)
        earliest = place.end - KEPT_S
        if until and until < earliest:
            self._metrics.errors.labels("digest", "unchecked").inc()
            log.warning(
                "it is not known any more whether log files were announced",
                reason="unchecked",
                bucket=bucket,
                key=place.key,
                hours=round((earliest - until) / HOUR_S, 1),
            )
        return None if until is None else max(until, earliest) if until else place.end - 2 * HOUR_S

    async def _beside(self, bucket: str, place: Place, after: float, listed_after: float | None) -> Beside:
        """The log files beside the digests."""
        since = place.end - BESIDE_S
        verifier = Verifier(
            self._s3,
            bucket,
            self._public_keys,
            since=since if listed_after is None else min(since, listed_after - HOUR_S),
            until=place.end,
            tally=Tally(),
            advance=lambda _: None,
        )
        try:
            return await verifier.beside(
                place.root, after=after, listed_after=place.end if listed_after is None else listed_after
            )
        except AWS_ERRORS as error:
            raise LogFileError("unavailable", f"the log files can't be listed ({error_code(error)})") from error

    def _forged(self, beside: Beside, known: Strangers, bucket: str) -> tuple[Strangers, list[Finding]]:
        """What is known now of log files that no digest lists, and those to tell of."""
        if beside.until <= known.until:
            return known, []
        found, usual = beside.unlisted, known.usual(beside.until)
        if found and usual:
            log.info(
                "log files that no digest lists, as before: a trail without validation writes there",
                bucket=bucket,
                key=found[0].key,
                log_files=len(found),
            )
        return known.after(beside.until, found=bool(found)), [] if usual else found[:_MOST_FORGED]

    async def _unread(self, bucket: str, beside: Beside, known: Known) -> tuple[list[Object], list[Object]]:
        """The log files that are listed and were never announced, to tell of; and those that are to be read.

        Whatever may not have been announced is read; a change that was told is not told twice.
        """
        never, perhaps = [], []
        for one in beside.listed:
            at = written(one)
            announced = known.includes(bucket, one.key, at)
            if announced is False:
                never.append(one)
            elif announced is None and known.was_listened_to(at):
                perhaps.append(one)
            await asyncio.sleep(0)  # there may be thousands, at some milliseconds each
        if perhaps:
            log.info(
                "log files that may not have been announced are read",
                bucket=bucket,
                key=perhaps[0].key,
                log_files=len(perhaps),
            )
        if never:
            self._metrics.errors.labels("digest", "unannounced").inc(len(never))
            log.warning(
                "log files were never announced, and are read now",
                reason="unannounced",
                bucket=bucket,
                key=never[0].key,
                log_files=len(never),
            )
        times = [written(one) for one in never]
        return never if times and max(times) - min(times) > _APART_S else [], never + perhaps

    async def _revise(self, name: str, change: Callable[["_Looked"], "_Looked"]) -> tuple[bool, "_Looked"]:
        """Change what is known of a chain: whether that can be said, and what is so then."""
        if self._notes is None:
            self._remember(name, change(self._own.get(name, _Looked())))
            return True, self._own[name]

        def revised(text: str | None) -> str:
            known = _Looked.read(text)
            mine = self._own.get(name, known)
            self._remember(name, change(mine if mine.latest > known.latest else known))
            return json.dumps(astuple(self._own[name]))

        shared = await self._notes.revise(name, revised)
        return shared or name in self._own, self._own.get(name, _Looked())

    def _remember(self, name: str, looked: "_Looked") -> None:
        self._own[name] = looked
        self._own.move_to_end(name)
        if len(self._own) > _MOST_CHAINS:
            self._own.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Looked:
    """How far a chain was looked at.

    Attributes:
        latest: end of the last digest that was; Unix time.
        since: from where on that was; 0: of it alone.
        before: end of the last one before it.
        clean: whether nothing was wrong with it.
        strangers: what is known of log files beside it that no digest lists; `strangers_before`: before that digest.
    """

    latest: float = 0.0
    since: float = 0.0
    before: float = 0.0
    clean: bool = True
    strangers: Strangers = UNKNOWN
    strangers_before: Strangers = UNKNOWN

    @classmethod
    def read(cls, text: str | None) -> "_Looked":
        """What a replica wrote; nothing, if that can't be read."""
        try:
            latest, since, before, clean, *strangers = json.loads(text or "")
            known = [Strangers(float(until), float(seen)) for until, seen in strangers]
            return cls(float(latest), float(since), float(before), bool(clean), *known)
        except (ValueError, TypeError):
            return cls()

    def since_for(self, end: float) -> float:
        """From where on to look when a digest comes: the last one again, or one after it."""
        if end == self.latest:
            return self.since
        return self.latest if self.clean else self.before

    def strangers_for(self, end: float) -> Strangers:
        """What was known of them before this digest."""
        return self.strangers_before if end == self.latest else self.strangers

    def after(self, step: Step) -> "_Looked":
        """When people were told of one more digest, or of the last one again."""
        if step.end > self.latest:
            return _Looked(step.end, step.since, self.latest, step.clean, step.strangers, self.strangers)
        if step.end == self.latest:
            return replace(self, clean=step.clean, strangers=step.strangers)
        return self  # a later one, of which they were told first, began as far back


def _note_name(bucket: str, place: Place) -> str:
    identity = f"{bucket}\n{place.root}\n{place.chain}"
    return f"digest-{hashlib.sha256(identity.encode()).hexdigest()[:40]}"
