"""One object of S3 in chunks: asked for again where it broke off, or a `LogFileError`.

`not_found` and `forbidden` are final for this attempt (the queue's redrive decides about another); 5xx, throttling,
timeouts and cut connections are retried here.
"""

import asyncio
import random
import re
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, Self

import aiohttp
import structlog
from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError

from stream.errors import LogFileError
from stream.http import Response
from stream.intake.notification import ObjectRef

log = structlog.get_logger()

CHUNK_BYTES: Final = 64 * 1024
"""Least size of a chunk, but for the last one."""

WHOLE_BYTES: Final = 256 * 1024
"""What is no larger comes in one chunk: that takes less to decode, and is kept in any case."""

_ATTEMPTS: Final = 6  # in a row without a single byte between them
_REQUESTS: Final = 100  # in all, for one that breaks off again and again
_BACKOFF_CAP_S: Final = 5.0
_MAX_ERROR_BYTES: Final = 64 * 1024
_CODE: Final = re.compile(r"<Code>([\w.]{1,64})</Code>")
_STALE_CREDENTIALS: Final = ("ExpiredToken", "InvalidToken", "RequestTimeTooSkewed")
_MOVED: Final = (301, 307, 400)  # what S3 answers in a region that is not the bucket's
_RETRIED: Final = (408, 425, 429)
UNANSWERED: Final = (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)
"""What a request may raise that got no answer, or none that can be read."""


class Broken(Exception):
    """An attempt that may well succeed next time."""


class Moved(Exception):
    """The bucket does not answer in this region."""


class Source(Protocol):
    """Where objects are had from."""

    async def region_of(self, bucket: str) -> str:
        """A bucket's region.

        Raises:
            Broken: nobody says.
        """

    def moved(self, bucket: str) -> None:
        """Say that a bucket is not where `region_of` says."""

    async def get(
        self, ref: ObjectRef, region: str, *, offset: int, etag: str | None
    ) -> AbstractAsyncContextManager[Response]:
        """A GET of the object from this offset on, not sent yet; of an object with this entity tag.

        Raises:
            Broken: it can't be signed.
        """

    def answered(self, code: str) -> None:
        """Say what a request came to: a status, or `error`."""


class Download(AbstractAsyncContextManager["Download"]):
    """One object while it is read, to be used within its `async with` only.

    Args:
        source: where it is had from.
        ref: which.
        region: where its bucket is, if that is known.
        backoff_s: between two attempts, at first.
    """

    def __init__(self, source: Source, ref: ObjectRef, region: str | None, *, backoff_s: float) -> None:
        self._source = source
        self._ref = ref
        self._backoff_s = backoff_s
        self._region = region
        self._asked_elsewhere: str | None = None
        self._exchange: AbstractAsyncContextManager[Response] | None = None
        self._answer: Response | None = None
        self._broken: Broken | None = None
        self._etag: str | None = None
        self._bytes = self._failures = self._requests = 0
        self._known = 0  # bytes at the beginning of this answer that have been read before
        self._least = CHUNK_BYTES

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._hang_up()

    async def read(self) -> bytes:
        """Some more of it, in chunks of some size; nothing at its end. What has come before a fault is given first.

        Raises:
            LogFileError: `not_found`, `forbidden`, or `unavailable` after all attempts.
        """
        while True:
            try:
                if self._answer is None:
                    self._answer = await self._ask()
                chunk = await self._chunk(self._answer)
            except (Moved, Broken) as fault:
                await self._hang_up()
                if isinstance(fault, Moved):
                    self._move(fault)
                else:
                    await self._bear(fault)
            else:
                if chunk:
                    self._failures = 0
                    self._bytes += len(chunk)
                return chunk

    async def _ask(self) -> Response:
        """The beginning of an answer that goes on where the last one broke off."""
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        if self._requests >= _REQUESTS:
            raise LogFileError("unavailable", f"the connection broke {_REQUESTS} times, after {self._bytes} bytes")
        self._requests += 1
        if self._region is None:
            self._region = await self._source.region_of(self._ref.bucket)
        exchange = await self._source.get(self._ref, self._region, offset=self._bytes, etag=self._etag)
        try:
            answer = await exchange.__aenter__()
            self._exchange = exchange  # as an `async with` that spans several calls: `_hang_up` is its end
            self._source.answered(str(answer.status))
            if answer.status not in (200, 206):
                code = _CODE.search((await _told(answer)).decode("utf-8", "replace"))
                raise _fault(self._ref, answer.status, code[1] if code else "")
        except UNANSWERED as error:
            self._source.answered("error")
            raise Broken(type(error).__name__) from error
        self._etag = self._etag or answer.header("etag") or None
        self._known = self._known_of(answer)
        length = answer.header("content-length")
        small = length.isdecimal() and len(length) <= 6 and int(length) <= WHOLE_BYTES
        self._least = WHOLE_BYTES if small else CHUNK_BYTES
        return answer

    def _known_of(self, answer: Response) -> int:
        """How many bytes of an answer have been read before: all that were, where a server knows no ranges."""
        if not self._bytes:
            return 0
        if self._etag and answer.header("etag") not in ("", self._etag):
            raise Broken("another object's rest")
        if answer.status == 206 and not answer.header("content-range").startswith(f"bytes {self._bytes}-"):
            raise Broken("another range than was asked for")
        return self._bytes if answer.status == 200 else 0

    async def _part(self, answer: Response) -> bytes:
        """Some bytes that have not been read before; nothing at the end."""
        part = await answer.read()
        while self._known:
            if not part:
                raise Broken("the object is shorter than before")
            part, self._known = part[self._known :], max(0, self._known - len(part))
            part = part or await answer.read()
        return part

    async def _chunk(self, answer: Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while size < self._least and (part := await self._part(answer)):
                parts.append(part)
                size += len(part)
        except UNANSWERED as error:
            self._source.answered("error")
            broken = Broken(type(error).__name__)
            if not parts:
                raise broken from error
            await self._hang_up()
            self._broken = broken
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _hang_up(self) -> None:
        exchange, self._exchange, self._answer = self._exchange, None, None
        if exchange is not None:
            await exchange.__aexit__(None, None, None)

    def _move(self, moved: Moved) -> None:
        if self._asked_elsewhere is not None:
            raise LogFileError(
                "unavailable", f"S3 answered {moved} in {self._asked_elsewhere} and in {self._region}"
            ) from moved
        self._asked_elsewhere, self._region = self._region, None
        self._source.moved(self._ref.bucket)

    async def _bear(self, broken: Broken) -> None:
        """Wait for the next attempt, if there is to be one."""
        self._failures += 1
        if self._failures >= _ATTEMPTS:
            raise LogFileError("unavailable", f"{broken}, {_ATTEMPTS} times, after {self._bytes} bytes") from broken
        log.debug(
            "reading an object again",
            bucket=self._ref.bucket,
            key=self._ref.key,
            offset_bytes=self._bytes,
            cause=str(broken),
        )
        pause_s = min(_BACKOFF_CAP_S, self._backoff_s * 2**self._failures)
        await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - jitter, no secret


async def _told(answer: Response) -> bytes:
    """The beginning of an answer that is no object."""
    told = b""
    while len(told) < _MAX_ERROR_BYTES and (part := await answer.read()):
        told += part
    return told


def _fault(ref: ObjectRef, status: int, code: str) -> Exception:
    """What an answer of S3 means for the log file: an error to raise."""
    if status >= 500 or status == 0 or status in _RETRIED or code in _STALE_CREDENTIALS:
        return Broken(f"S3 answered {status}" if status else "the connection broke")
    if status == 404:
        version = f", version {ref.version_id}" if ref.version_id else ""
        return LogFileError("not_found", f"S3 has no such object{version}")
    if status in (401, 403) or code.startswith("KMS."):
        return LogFileError(
            "forbidden", f"S3 answered {status}: reading takes s3:GetObject, and kms:Decrypt on its key"
        )
    if status in _MOVED:
        return Moved(str(status))
    return LogFileError("unavailable", f"S3 answered {status}")
