"""CloudTrail log files of any number and size, the same ones for the same seed, and what was planted in them.

Realistic in what a reader notices: members and their order, sizes (1.26 KB a record in the mean, 1 to 400 records a
file, 20 in the median), compression (7-12:1 once a file is large), records out of time order.
"""

import datetime as dt
import gzip
import math
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import orjson

from stream.demo.calls import ORDINARY, Call
from stream.demo.lookalikes import LOOK_ALIKES
from stream.demo.principals import ACCOUNTS, REGIONS, Principal, cast
from stream.demo.story import Step, intrusion

START: Final = dt.datetime(2026, 1, 15, 9, 0, tzinfo=dt.UTC)
_LARGEST_USUAL_FILE: Final = 400
_STEPS_A_FILE: Final = 4  # a story is spread over several deliveries
_STREAMED_RECORDS: Final = 200
_NAME_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Planted:
    """A change to the audit trail that is to be alerted on, once however often it is in a log file."""

    event_id: str
    event_name: str
    denied: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log file as it lies in S3.

    Attributes:
        key: CloudTrail's, with the account and region of all of its records.
        body: gzip.
        records: how many are in it; `json_bytes` their size inflated.
        planted: of these, the ones to be alerted on. One of them may also be in another file, as two trails write it.
    """

    key: str
    body: bytes = field(repr=False)
    records: int
    json_bytes: int
    planted: tuple[Planted, ...]


@dataclass(slots=True)
class _Tale:
    """A story that is being told, a few steps a file; `now` is how far its own time has come."""

    account_id: str
    region: str
    steps: deque[Step]
    now: dt.datetime


class Generator:
    """A source of log files, deterministic by its seed, its clock and the calls made to it."""

    def __init__(
        self,
        seed: int = 13,
        *,
        clock: Callable[[], dt.datetime] | None = None,
        log_bucket: str = "example-audit-logs",
        look_alikes: float = 0.01,
    ) -> None:
        """Make one.

        Args:
            seed: of everything random.
            clock: the time of each file in UTC; unset: each is a few seconds later than the one before.
            log_bucket: the bucket that the trails in the stories log to.
            look_alikes: their part of the ordinary records. Each makes its whole file worth a look, so that a
                benchmark's speed depends on it.
        """
        self._rng = Random(seed)  # noqa: S311 - reproducible traffic, no secrets
        self._clock = clock
        self._now = clock() if clock else START
        self._log_bucket = log_bucket
        self._look_alikes = look_alikes
        self._casts = {account: cast(self._rng, account) for account in ACCOUNTS}
        self._weights = [weight for weight, _ in ORDINARY]
        self._calls = [call for _, call in ORDINARY]
        self._tales: list[_Tale] = []
        self._copies: deque[tuple[str, str, dict[str, Any], Planted]] = deque()

    def begin_story(self) -> None:
        """Let an intrusion begin: its steps come in the next files, one account and region of them."""
        account, region = self._rng.choice(ACCOUNTS), self._rng.choice(REGIONS)
        steps = deque(intrusion(self._rng, account, region, self._log_bucket))
        self._tales.append(_Tale(account, region, steps, self._now))

    @property
    def story_goes_on(self) -> bool:
        """Whether a story that was begun has steps left to tell, or a copy of one to deliver."""
        return bool(self._tales or self._copies)

    def log_file(self, records: int | None = None) -> LogFile:
        """The next log file, with so many ordinary records, or with a usual number of them."""
        rng = self._rng
        if records is None:
            records = max(1, min(_LARGEST_USUAL_FILE, round(math.exp(rng.gauss(math.log(20), 1.2)))))
        self._now = self._clock() if self._clock else self._now + dt.timedelta(seconds=rng.uniform(0.5, 4))
        special, planted, account, region = self._tell()
        found = [self._record(self._ordinary(), account, region) for _ in range(records)]
        for record in special:
            found.insert(rng.randrange(len(found) + 1), record)
        text = orjson.dumps({"Records": found})
        return LogFile(
            key=self._key(account, region),
            body=gzip.compress(text, 6, mtime=0),
            records=len(found),
            json_bytes=len(text),
            planted=planted,
        )

    def log_files(self, count: int, *, stories: int = 1) -> Iterator[LogFile]:
        """So many log files, with the stories spread over them: each is told to its end, in more files if need be."""
        begin_at = [round((index + 0.3) * count / max(1, stories)) for index in range(stories)]
        for index in range(count):
            for _ in range(begin_at.count(index)):
                self.begin_story()
            yield self.log_file()
        while self.story_goes_on:
            yield self.log_file()

    def stream(self, records: int, *, planted_every: int | None = None) -> Iterator[bytes]:
        """The gzip of one log file of any size, in pieces: memory stays the same however many records there are.

        With `planted_every`, each so manieth record is a StopLogging.
        """
        deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
        account, region = ACCOUNTS[0], REGIONS[0]
        stop = Call("cloudtrail", "StopLogging", False, {"name": "management-events"})
        yield deflate.compress(b'{"Records":[')
        for begin in range(0, records, _STREAMED_RECORDS):
            piece = []
            for index in range(begin, min(records, begin + _STREAMED_RECORDS)):
                plant = planted_every is not None and index % planted_every == planted_every - 1
                call = stop if plant else self._ordinary()
                piece.append(orjson.dumps(self._record(call, account, region)))
            yield deflate.compress((b"," if begin else b"") + b",".join(piece))
        yield deflate.compress(b"]}") + deflate.flush()

    def digest_file(self) -> tuple[str, bytes]:
        """Key and body of something that CloudTrail writes beside its log files, and that is none."""
        account, region = self._rng.choice(ACCOUNTS), self._rng.choice(REGIONS)
        stamp = self._now.strftime("%Y%m%dT%H%M%SZ")
        key = (
            f"AWSLogs/{account}/CloudTrail-Digest/{region}/{self._now:%Y/%m/%d}/"
            f"{account}_CloudTrail-Digest_{region}_management-events_{region}_{stamp}.json.gz"
        )
        digest = {"awsAccountId": account, "digestEndTime": f"{self._now:%Y-%m-%dT%H:%M:%SZ}", "logFiles": []}
        return key, gzip.compress(orjson.dumps(digest), 6, mtime=0)

    def _tell(self) -> tuple[list[dict[str, Any]], tuple[Planted, ...], str, str]:
        """The special records of the next file, what of them is planted, and whose file it has to be."""
        rng = self._rng
        if self._copies and (not self._tales or rng.random() < 0.3):
            account, region, record, copied = self._copies.popleft()
            return [record], (copied,), account, region
        if not self._tales or rng.random() < 0.4:
            return [], (), rng.choice(ACCOUNTS), rng.choice(REGIONS)
        tale = rng.choice(self._tales)
        records: list[dict[str, Any]] = []
        planted: list[Planted] = []
        for _ in range(min(len(tale.steps), rng.randint(1, _STEPS_A_FILE))):
            step = tale.steps.popleft()
            # An hour of story in a minute of traffic, never ahead of what came before.
            tale.now = max(tale.now + dt.timedelta(seconds=step.after_s / 60), self._now)
            record = self._record(step.call, tale.account_id, tale.region, step, tale.now)
            records.append(record)
            if step.planted:
                code = step.call.error[0] if step.call.error else ""
                planted.append(
                    Planted(
                        event_id=record["eventID"],
                        event_name=step.call.name,
                        denied=code.startswith("AccessDenied"),
                        failed=bool(code) and not code.startswith("AccessDenied"),
                    )
                )
                if step.call.name == "StopLogging":
                    # A second trail that covers the same account writes the same event to a file of its own.
                    self._copies.append((tale.account_id, tale.region, record, planted[-1]))
        if not tale.steps:
            self._tales.remove(tale)
        return records, tuple(planted), tale.account_id, tale.region

    def _ordinary(self) -> Call:
        rng = self._rng
        if rng.random() < self._look_alikes:
            return rng.choice(LOOK_ALIKES)(rng)
        return rng.choices(self._calls, self._weights)[0](rng)

    def _record(
        self, call: Call, account: str, region: str, step: Step | None = None, at: dt.datetime | None = None
    ) -> dict[str, Any]:
        rng = self._rng
        actor: Principal = step.actor if step else rng.choice(self._casts[account])
        # Records are not in time order: each is from some moment of the minutes before.
        moment = at or self._now - dt.timedelta(seconds=rng.uniform(0, 300))
        record: dict[str, Any] = {
            "eventVersion": "1.11",
            "userIdentity": actor.identity,
            "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{call.service}.amazonaws.com",
            "eventName": call.name,
            "awsRegion": region,
            "sourceIPAddress": actor.source_ip,
            "userAgent": call.user_agent or actor.user_agent,
        }
        if call.error is not None:
            record["errorCode"], record["errorMessage"] = call.error
        record["requestParameters"] = call.request
        record["responseElements"] = call.response
        if call.additional is not None:
            record["additionalEventData"] = call.additional
        record["requestID"] = self._uuid()
        record["eventID"] = self._uuid()
        record["readOnly"] = call.read_only
        if call.resources:
            record["resources"] = call.resources
        record["eventType"] = step.event_type if step else "AwsApiCall"
        record["managementEvent"] = True
        record["recipientAccountId"] = account
        record["eventCategory"] = "Management"
        if actor.identity["type"] != "AWSService":
            record["tlsDetails"] = {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": f"{call.service}.{region}.amazonaws.com",
            }
        if actor.console:
            record["sessionCredentialFromConsole"] = "true"
        return record

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _key(self, account: str, region: str) -> str:
        name = "".join(self._rng.choices(_NAME_LETTERS, k=16))
        return (
            f"AWSLogs/{account}/CloudTrail/{region}/{self._now:%Y/%m/%d}/"
            f"{account}_CloudTrail_{region}_{self._now:%Y%m%dT%H%MZ}_{name}.json.gz"
        )
