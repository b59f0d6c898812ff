"""Objects of S3 as streams of chunks: resumed where they break off, or a `LogFileError`.

With requests and signatures of our own, at a fraction of the CPU that aiobotocore takes for a small object.

Credentials, regions and endpoints come from the one AWS session. `not_found` and `forbidden` are final for this
attempt (the queue's redrive decides about another); 5xx, throttling, timeouts and cut connections are retried here.
"""

import asyncio
import random
import re
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import aiohttp
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from stream.aws import Aws
from stream.errors import LogFileError
from stream.http import Origin, Response
from stream.intake.notification import ObjectRef
from stream.signing import NO_PAYLOAD, signed

log = structlog.get_logger()

CHUNK_BYTES: Final = 64 * 1024
"""Least size of a chunk, but for the last one."""

_ATTEMPTS: Final = 6  # in a row without a single byte between them
_REQUESTS: Final = 100  # in all, for one that breaks off again and again
_BACKOFF_BASE_S: Final = 0.2
_BACKOFF_CAP_S: Final = 5.0
_STALL_S: Final = 20.0
_PLACES: Final = 32
_OF_AWS: Final = re.compile(r"\.(amazonaws\.com(\.cn)?|api\.aws)$")
_MAX_ERROR_BYTES: Final = 64 * 1024
_CODE: Final = re.compile(r"<Code>([\w.]{1,64})</Code>")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")
_STALE_CREDENTIALS: Final = ("ExpiredToken", "InvalidToken", "RequestTimeTooSkewed")
_MOVED: Final = (301, 307, 400)  # what S3 answers in a region that is not the bucket's
_RETRIED: Final = (408, 425, 429)
_UNANSWERED: Final = (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)


class Objects:
    """Reads objects."""

    def __init__(self, aws: Aws, *, stall_s: float = _STALL_S, backoff_s: float = _BACKOFF_BASE_S) -> None:
        self._aws = aws
        self._stall_s = stall_s
        self._backoff_s = backoff_s
        self._places: OrderedDict[tuple[str, str], _Place] = OrderedDict()
        self._clients: dict[str, Any] = {}
        self._open_clients = AsyncExitStack()
        # What a message says of a region is believed only if there is such a one: each costs a client, for good.
        self._known_regions: frozenset[str] = frozenset()
        self._regions: OrderedDict[str, str] = OrderedDict()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            self._open_clients = opened
            self._http = await opened.enter_async_context(self._aws.http(stall_s=self._stall_s))
            self._known_regions = await self._aws.regions("s3")
            await self._client(self._aws.region)  # takes a tenth of a second of CPU: not while messages wait
            self._open_clients = opened.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._places.clear()
        self._clients.clear()
        await self._open_clients.aclose()

    async def stream(self, ref: ObjectRef) -> AsyncGenerator[bytes]:
        """The object's bytes, from the version named if there is one.

        Raises:
            LogFileError: `not_found`, `forbidden`, or `unavailable` after all attempts.
        """
        region = ref.region if ref.region in self._known_regions else None
        read = failures = 0
        etag: str | None = None
        moved_from: str | None = None
        for _ in range(_REQUESTS):
            before = read
            try:
                region = region or await self._bucket_region(ref.bucket)
                async with aclosing(self._attempt(ref, region, read, etag)) as chunks:
                    async for tag, chunk in chunks:
                        etag = tag
                        read += len(chunk)
                        yield chunk
                return
            except _Moved as moved:
                if moved_from is not None:
                    raise LogFileError("unavailable", f"S3 answered {moved} in {moved_from} and in {region}") from moved
                moved_from, region = region, None
                self._regions.pop(ref.bucket, None)
            except _Broken as broken:
                failures = 1 if read > before else failures + 1
                if failures >= _ATTEMPTS:
                    raise LogFileError("unavailable", f"{broken}, {failures} times, after {read} bytes") from broken
                log.debug(
                    "reading an object again", bucket=ref.bucket, key=ref.key, offset_bytes=read, cause=str(broken)
                )
                pause_s = min(_BACKOFF_CAP_S, self._backoff_s * 2**failures)
                await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - jitter, no secret
        raise LogFileError("unavailable", f"the connection broke {_REQUESTS} times, after {read} bytes")

    async def _attempt(
        self, ref: ObjectRef, region: str, offset: int, etag: str | None
    ) -> AsyncGenerator[tuple[str | None, bytes]]:
        """One request: the object's entity tag with each chunk from `offset` on."""
        origin, target, headers = await self._request(ref, region, offset, etag)
        try:
            async with self._http.request("GET", origin, target, headers) as answer:
                self._aws.count("s3", "GetObject", str(answer.status))
                if answer.status not in (200, 206):
                    code = _CODE.search((await _told(answer)).decode("utf-8", "replace"))
                    raise _fault(ref, answer.status, code[1] if code else "")
                async for chunk in _chunks(answer):
                    yield answer.header("etag") or None, chunk
        except _UNANSWERED as error:
            self._aws.count("s3", "GetObject", "error")
            raise _Broken(type(error).__name__) from error

    async def _request(
        self, ref: ObjectRef, region: str, offset: int, etag: str | None
    ) -> tuple[Origin, str, dict[str, str]]:
        place = await self._place(ref.bucket, region)
        path = place.folder + quote(ref.key, safe="/~-_.")
        query = f"versionId={quote(ref.version_id, safe='~-_.')}" if ref.version_id else ""
        headers = {}
        if offset:
            headers["range"] = f"bytes={offset}-"
            if etag:
                headers["if-match"] = etag  # never the end of one object after the start of another
        try:
            credentials = await self._aws.credentials()
        except BotoCoreError as error:
            raise _Broken(type(error).__name__) from error
        headers = signed(
            credentials,
            service="s3",
            region=region,
            method="GET",
            host=place.origin.authority,
            path=path,
            query=query,
            headers=headers,
            payload_hash=NO_PAYLOAD,
            now=time.time(),
        )
        return place.origin, f"{path}?{query}" if query else path, headers

    async def _place(self, bucket: str, region: str) -> "_Place":
        place = self._places.get((bucket, region))
        if place is None:
            endpoint = str((await self._client(region)).meta.endpoint_url)
            place = self._places[bucket, region] = _Place.of(endpoint, bucket)
            if len(self._places) > _PLACES:
                self._places.popitem(last=False)
        self._places.move_to_end((bucket, region))
        return place

    async def _client(self, region: str) -> Any:
        """An aiobotocore client: it knows the region's endpoint, and whose bucket is where."""
        client = self._clients.get(region)
        if client is None:
            opening = self._aws.client("s3", region=region, attempts=1)
            client = self._clients[region] = await self._open_clients.enter_async_context(opening)
        return client

    async def _bucket_region(self, bucket: str) -> str:
        """The bucket's region, asked once: HeadBucket says it even to those whom it refuses."""
        region = self._regions.get(bucket)
        if region is None:
            region = await self._head_bucket(bucket)
            self._regions[bucket] = region
            if len(self._regions) > _PLACES:
                self._regions.popitem(last=False)
        return region

    async def _head_bucket(self, bucket: str) -> str:
        client = await self._client(self._aws.region)
        try:
            answer: dict[str, Any] = await client.head_bucket(Bucket=bucket)
        except ClientError as error:
            answer = dict(error.response)
        except _UNANSWERED as error:
            raise _Broken(f"the bucket was not to be asked for its region ({type(error).__name__})") from error
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = str(answer.get("BucketRegion") or headers.get("x-amz-bucket-region") or "")
        return region if _REGION.fullmatch(region) else self._aws.region


class _Broken(Exception):
    """An attempt that may well succeed next time."""


class _Moved(Exception):
    """The bucket does not answer in this region."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the objects of one bucket are.

    Attributes:
        origin: its server.
        folder: what comes before the key.
    """

    origin: Origin
    folder: str

    @classmethod
    def of(cls, endpoint: str, bucket: str) -> "_Place":
        """By AWS's virtual hosts; under an endpoint of somebody else's, or where a name has a dot, by path.

        A dot in the name does not fit AWS's wildcard certificate:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
        """
        address = urlsplit(endpoint)
        if _OF_AWS.search(address.hostname or "") and "." not in bucket:
            return cls(Origin.of(f"{address.scheme}://{bucket}.{address.netloc}"), "/")
        return cls(Origin.of(endpoint), f"{address.path.rstrip('/')}/{bucket}/")


async def _chunks(answer: Response) -> AsyncGenerator[bytes]:
    """The body in chunks of some size, or as one; what has come before a fault is given first."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := await answer.read():
            parts.append(part)
            size += len(part)
            if size >= CHUNK_BYTES:
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, size = [], 0
    except _UNANSWERED:
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield parts[0] if len(parts) == 1 else b"".join(parts)


async def _told(answer: Response) -> bytes:
    """The beginning of an answer that is no object."""
    told = b""
    while len(told) < _MAX_ERROR_BYTES and (part := await answer.read()):
        told += part
    return told


def _fault(ref: ObjectRef, status: int, code: str) -> Exception:
    """What an answer of S3 means for the log file: an error to raise."""
    if status >= 500 or status == 0 or status in _RETRIED or code in _STALE_CREDENTIALS:
        return _Broken(f"S3 answered {status}" if status else "the connection broke")
    if status == 404:
        version = f", version {ref.version_id}" if ref.version_id else ""
        return LogFileError("not_found", f"S3 has no such object{version}")
    if status in (401, 403) or code.startswith("KMS."):
        return LogFileError(
            "forbidden", f"S3 answered {status}: reading takes s3:GetObject, and kms:Decrypt on its key"
        )
    if status in _MOVED:
        return _Moved(str(status))
    return LogFileError("unavailable", f"S3 answered {status}")
