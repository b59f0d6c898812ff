"""The digests and log files of one account and region between two times: objects of S3 in, what is wrong out."""

import asyncio
import hashlib
import math
import time
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.checks.outcome import AWS_ERRORS, error_code
from stream.digest.chain import LATE_S, Fetched, Unreadable, walk
from stream.digest.digest import MOST_BYTES, Digest, Listed, Place
from stream.digest.explaining import DELIVERY_S, MOST_FILES, MOST_READ_BYTES, Causes
from stream.digest.finding import Finding
from stream.digest.listing import Object, digests, logs
from stream.sources.hearing import delivered

_AT_ONCE: Final = 16
_CHUNK_BYTES: Final = 64 * 1024
_WINDOW_BYTES: Final = 1024 * 1024
_BEFORE_S: Final = 3600.0
"""The call that made a hole may stand in the hour before it."""
_SETTLED_S: Final = 3600.0
"""At the end of what is looked at a later digest may list what came late."""

_NEAR_S: Final = 86_400.0
"""So far before and after what is looked at, a trail is known by a digest of its own that was left."""

_UNLISTED: Final = "the digests of its time do not list it: it is not CloudTrail's, or of a trail without digests"

_LATELY_S: Final = 7200.0
"""In the stream no older log file is called one that nobody lists: `verify` has more digests to tell by."""

_ASKED_AGAIN_S: Final = 10.0
"""A key may be new since the last answer; whoever forges digests must not make us ask without end."""

_GONE: Final = ("NoSuchKey", "404", "NoSuchVersion")


@dataclass(frozen=True, slots=True)
class Beside:
    """The log files beside the digests of a folder.

    Attributes:
        until: Unix time up to which was looked for those that no digest lists; 0: that can't be said, since digests
            are missing, or can't be believed.
        unlisted: those.
        listed: those that one does, in a time of their own that ends when no digest is to list more.
        listed_until: Unix time of that end.
    """

    until: float
    unlisted: list[Finding]
    listed: list[Object]
    listed_until: float


@dataclass(slots=True)
class Tally:
    """What was looked at and is as it should be."""

    digests: int = 0
    logs: int = 0


class PublicKeys:
    """CloudTrail's public keys; each region is asked again for one that is not known, but not all the time.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._known: dict[tuple[str, str], bytes] = {}
        self._asked: dict[tuple[str, int], tuple[float, Unreadable | None]] = {}
        self._asking = asyncio.Lock()

    async def get(self, region: str, fingerprint: str, at: float) -> bytes | None:
        """A key by its fingerprint; `None`: CloudTrail has none that was valid then.

        Raises:
            Unreadable: they can't be had.
        """
        async with self._asking:
            if (region, fingerprint) not in self._known:
                asked, now = (region, int(at // 86_400)), time.monotonic()
                when, fault = self._asked.get(asked, (-math.inf, None))
                if now - when >= _ASKED_AGAIN_S:
                    fault = await self._ask(region, at)
                    self._asked[asked] = (time.monotonic(), fault)
                if fault is not None:
                    raise fault
        return self._known.get((region, fingerprint))

    async def _ask(self, region: str, at: float) -> Unreadable | None:
        try:
            async with self._aws.client("cloudtrail", region=region) as client:
                token: dict[str, str] = {}
                while True:
                    answer = await client.list_public_keys(StartTime=at - 86_400, EndTime=at + 86_400, **token)
                    for key in answer.get("PublicKeyList", ()):
                        self._known[region, str(key["Fingerprint"])] = bytes(key["Value"])
                    if not answer.get("NextToken"):
                        return None
                    token = {"NextToken": answer["NextToken"]}
        except AWS_ERRORS as error:
            why = f"({error_code(error)}): that takes cloudtrail:ListPublicKeys"
            return Unreadable(f"the public keys of {region} can't be had now {why}")


class Verifier:
    """Looks at one folder after the other.

    Args:
        s3: aiobotocore's client.
        bucket: whose objects.
        public_keys: of CloudTrail.
        since: Unix time.
        until: likewise.
        tally: is kept up to date.
        advance: is told of each object that was looked at.
    """

    def __init__(
        self,
        s3: Any,
        bucket: str,
        public_keys: PublicKeys,
        *,
        since: float,
        until: float,
        tally: Tally,
        advance: Callable[[str], None],
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._public_keys = public_keys
        self._since = since
        self._until = until
        self._tally = tally
        self._advance = advance
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._causes: dict[tuple[str, tuple[float, float]], str] = {}

    async def look(self, root: str) -> AsyncIterator[Finding]:
        """What is wrong with the files of one account and region.

        Raises:
            ClientError, BotoCoreError, OSError: the bucket can't be listed.
        """
        chains: dict[str, list[Place]] = defaultdict(list)
        near: dict[str, list[Place]] = defaultdict(list)
        for place in await digests(self._s3, self._bucket, root, self._since - _NEAR_S, self._until + _NEAR_S):
            (chains if self._since <= place.end <= self._until else near)[place.chain].append(place)
        told = False
        for chain in sorted(near.keys() - chains.keys()):
            async for finding in self._absent(near[chain]):
                told = True
                yield finding
        if not chains and not told and self._until - self._since > LATE_S:
            detail = (
                "none is of that time, though others are there: logging or validation was off, or they were deleted"
            )
            yield Finding("digest_missing", self._bucket, root, detail)
        listed: set[str] = set()
        covered: list[tuple[float, float]] = []
        for _, places in sorted(chains.items()):
            async for found in self._walk(places):
                if isinstance(found, Finding):
                    yield await self._explained(found, places[0])
                    continue
                self._tally.digests += 1
                self._advance(found.key)
                covered.append((found.start, found.end))
                listed.update(log.key for log in found.logs)
                for finding in await self._look_at_logs(found):
                    yield finding
        async for finding in self._unlisted(root, listed, covered):
            yield finding

    async def look_at_chain(self, newest: Place, *, logs_after: float) -> AsyncIterator[Finding]:
        """What is wrong with the digests of one chain up to this one, and with the log files of its later ones.

        Args:
            newest: the last one to look at.
            logs_after: log files that earlier digests list were looked at before; Unix time.

        Raises:
            ClientError, BotoCoreError, OSError: the bucket can't be listed.
        """
        found = await digests(self._s3, self._bucket, newest.root, self._since, self._until)
        places = {place.key: place for place in found if place.chain == newest.chain} | {newest.key: newest}
        async for one in self._walk(list(places.values())):
            if isinstance(one, Finding):
                yield await self._explained(one, newest)
            elif one.end > logs_after:
                for finding in await self._look_at_logs(one):
                    yield finding

    async def beside(self, root: str, *, after: float, listed_after: float) -> Beside:
        """The log files of a folder.

        Args:
            root: of the folder's digests.
            after: Unix time; log files before were looked at. 0: those of the last hour are.
            listed_after: the same for those that are listed.

        Raises:
            ClientError, BotoCoreError, OSError: the bucket can't be listed.
        """
        chains: dict[str, list[Place]] = defaultdict(list)
        for place in await digests(self._s3, self._bucket, root, self._since, self._until):
            chains[place.chain].append(place)
        listed: set[str] = set()
        whole, first, end = True, 0.0, math.inf
        for places in chains.values():
            walked = [
                one
                async for one in walk(
                    self._bucket, places, self._fetch, self._public_keys.get, since=self._since, until=places[0].end
                )
            ]
            for one in walked:
                if isinstance(one, Finding):
                    whole = False
                else:
                    listed.update(log.key for log in one.logs)
            hours = [one for one in walked if isinstance(one, Digest)] if not places[0].backfill else []
            if hours:  # what any trail delivered, any trail's digest may have to list
                first = max(first, min(one.start for one in hours))
                end = min(end, max(one.end for one in hours) - _SETTLED_S)
        settled = self._until - _SETTLED_S
        until = end if whole and first < end < math.inf else 0.0
        begin = max(first, after or end - _SETTLED_S, end - _LATELY_S) if until else settled
        found = logs(self._s3, self._bucket, root, min(begin, listed_after), max(until, settled))
        times = [(one, written(one)) async for one in found]
        return Beside(
            until,
            [
                Finding("log_unlisted", self._bucket, one.key, _UNLISTED)
                for one, at in times
                if one.key not in listed and begin <= at < until
            ],
            [one for one, at in times if one.key in listed and listed_after <= at < settled],
            settled,
        )

    async def _absent(self, near: list[Place]) -> AsyncIterator[Finding]:
        """What a chain's last digest before this time, and its first one after, tell of those that are not there."""
        ordered = sorted(near, key=lambda place: place.end)
        ends = [place for place in ordered if place.end < self._since][-1:]
        ends += [place for place in ordered if place.end > self._until][:1]
        async for found in self._walk(ends):
            if isinstance(found, Finding):
                yield await self._explained(found, ends[0])

    def _walk(self, places: list[Place]) -> AsyncIterator[Digest | Finding]:
        return walk(self._bucket, places, self._fetch, self._public_keys.get, since=self._since, until=self._until)

    async def _explained(self, finding: Finding, place: Place) -> Finding:
        """A hole in a chain, with what was done to the trail about then, if log files say that."""
        if finding.gap is None:
            return finding
        asked = (place.chain, finding.gap)
        if asked not in self._causes:
            self._causes[asked] = await self._cause(place, finding.gap)
        cause = self._causes[asked]
        told = f"log files say: {cause}" if cause else "no log file tells of a call that would explain it"
        return replace(finding, detail=f"{finding.detail}; {told}")

    async def _cause(self, place: Place, gap: tuple[float, float]) -> str:
        causes, since, until = Causes(place), gap[0] - _BEFORE_S, gap[1] + DELIVERY_S
        home = f"{place.root.removesuffix(f'{place.region}/')}{place.home}/"
        near = [one async for one in logs(self._s3, self._bucket, home, since, until) if since <= written(one) <= until]
        near.sort(key=written)
        half = MOST_FILES // 2
        left = MOST_READ_BYTES
        for one in near if len(near) <= MOST_FILES else near[:half] + near[-half:]:
            left -= one.size
            if left < 0:
                break
            with suppress(Unreadable):  # it may tell nothing; that the file can't be read is told elsewhere
                await causes.read(self._chunks(one.key))
        return causes.told()

    async def _chunks(self, key: str) -> AsyncIterator[bytes]:
        answer = await self._get(self._bucket, key)
        if answer is None:
            return
        try:
            async with answer["Body"] as stream:
                while chunk := await stream.read(_CHUNK_BYTES):
                    yield chunk
        except AWS_ERRORS as error:
            raise Unreadable(f"it could not be read to its end ({error_code(error)})") from error

    async def _look_at_logs(self, digest: Digest) -> list[Finding]:
        async with asyncio.TaskGroup() as tasks:
            looks = [tasks.create_task(self._look_at_log(log)) for log in digest.logs]
        return [finding for look in looks if (finding := look.result()) is not None]

    async def _look_at_log(self, log: Listed) -> Finding | None:
        async with self._slots:
            try:
                found = await self._sha256(log)
            except Unreadable as error:
                return Finding("unreadable", log.bucket, log.key, str(error))
        self._advance(log.key)
        if found is None:
            return Finding("log_missing", log.bucket, log.key, "a digest lists it, and it is not there")
        if found != log.sha256:
            return Finding("log_altered", log.bucket, log.key, "its content is not what CloudTrail delivered")
        self._tally.logs += 1
        return None

    async def _unlisted(
        self, root: str, listed: set[str], covered: list[tuple[float, float]]
    ) -> AsyncIterator[Finding]:
        """Log files of hours of which the digests are there, and do not know them."""
        spans = settled(covered)
        async for one in logs(self._s3, self._bucket, root, self._since, self._until):
            at = written(one)
            if one.key not in listed and any(first <= at < last for first, last in spans):
                yield Finding("log_unlisted", self._bucket, one.key, _UNLISTED)

    async def _fetch(self, key: str) -> Fetched | None:
        answer = await self._get(self._bucket, key)
        if answer is None:
            return None
        body = b""
        try:
            async with answer["Body"] as stream:
                while chunk := await stream.read(_CHUNK_BYTES):
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise Unreadable("it is too large")
        except AWS_ERRORS as error:
            raise Unreadable(f"it could not be read to its end ({error_code(error)})") from error
        return Fetched(body, str(answer.get("Metadata", {}).get("signature", "")))

    async def _sha256(self, log: Listed) -> str | None:
        """Of a log file's JSON; of one that is damaged, of nothing that could fit. `None`: it is gone."""
        answer = await self._get(log.bucket, log.key)
        if answer is None:
            return None
        found, inflater = hashlib.sha256(), zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            async with answer["Body"] as stream:
                while chunk := await stream.read(_CHUNK_BYTES):
                    full = True
                    while full:  # a bomb is inflated in windows, and hashed
                        window = inflater.decompress(chunk, _WINDOW_BYTES)
                        found.update(window)
                        chunk, full = inflater.unconsumed_tail, len(window) == _WINDOW_BYTES
                        await asyncio.sleep(0)
                    if inflater.unused_data:
                        return ""
        except zlib.error:
            return ""
        except AWS_ERRORS as error:
            raise Unreadable(f"it could not be read to its end ({error_code(error)})") from error
        return found.hexdigest() if inflater.eof else ""

    async def _get(self, bucket: str, key: str) -> Any | None:
        try:
            return await self._s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise Unreadable(f"S3 answers {error_code(error)}: reading takes s3:GetObject, and kms:Decrypt") from error
        except AWS_ERRORS as error:
            raise Unreadable(f"no answer from S3 ({error_code(error)})") from error


def written(log: Object) -> float:
    """When a log file was delivered, by its name or, if that does not say, by the bucket; Unix time."""
    minute = delivered(log.key)
    return log.at if minute is None else minute * 60.0


def settled(covered: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of the spans that digests cover those parts of which any log file would be listed by now."""
    spans: list[tuple[float, float]] = []
    for first, last in sorted(covered):
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], last))
        else:
            spans.append((first, last))
    end = max((last for _, last in spans), default=0.0) - _SETTLED_S
    return [(first, min(last - DELIVERY_S, end)) for first, last in spans]
