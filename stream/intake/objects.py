"""Objects of S3 as streams of chunks, through obstore: resumed where they break off, or a `LogFileError`.

Credentials, regions and endpoints come from the one AWS session. `not_found` and `forbidden` are final for this
attempt (the queue's redrive decides about another); 5xx, throttling, timeouts and cut connections are retried here.
"""

import asyncio
import os
import random
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from obstore.exceptions import BaseError
from obstore.store import S3Store

from stream.aws import Aws
from stream.errors import LogFileError
from stream.intake.notification import ObjectRef

if TYPE_CHECKING:  # obstore has these for type checkers only
    from obstore import GetOptions
    from obstore.store import ClientConfig

log = structlog.get_logger()

CHUNK_BYTES: Final = 64 * 1024
"""Least size of a chunk, but for the last one."""

_ATTEMPTS: Final = 6  # in a row without a single byte between them
_REQUESTS: Final = 100  # in all, for one that breaks off again and again
_BACKOFF_BASE_S: Final = 0.2
_BACKOFF_CAP_S: Final = 5.0
_STALL_S: Final = 20.0
_STORES: Final = 32
_TOTAL_TIMEOUT: Final = timedelta(hours=2)  # a giant over a slow line; a stall is noticed by the read timeout
_STATUS: Final = re.compile(r"status code: (\d{3})|\bstatus: (\d{3})\b")
_CODE: Final = re.compile(r"<Code>([\w.]{1,64})</Code>")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")
_STALE_CREDENTIALS: Final = ("ExpiredToken", "InvalidToken", "RequestTimeTooSkewed")
_MOVED: Final = (301, 307, 400)  # what S3 answers in a region that is not the bucket's
_RETRIED: Final = (408, 425, 429)
_UNANSWERED: Final = (BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)


class Objects:
    """Reads objects; one store for each bucket and region, kept."""

    def __init__(self, aws: Aws, *, stall_s: float = _STALL_S, backoff_s: float = _BACKOFF_BASE_S) -> None:
        self._aws = aws
        self._stall_s = stall_s
        self._backoff_s = backoff_s
        self._stores: OrderedDict[tuple[str, str], S3Store] = OrderedDict()
        self._clients: dict[str, Any] = {}
        self._open_clients = AsyncExitStack()
        # What a message says of a region is believed only if there is such a one: each costs a client, for good.
        self._known_regions: frozenset[str] = frozenset()
        self._regions: OrderedDict[str, str] = OrderedDict()

    async def __aenter__(self) -> Self:
        self._known_regions = await self._aws.regions("s3")
        await self._client(self._aws.region)  # takes a tenth of a second of CPU: not while messages wait
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._stores.clear()
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
            attempt = self._by_obstore if _is_plain(ref.key) else self._by_botocore
            before = read
            try:
                region = region or await self._bucket_region(ref.bucket)
                async with aclosing(attempt(ref, region, read, etag)) as chunks:
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

    async def _by_obstore(
        self, ref: ObjectRef, region: str, offset: int, etag: str | None
    ) -> AsyncGenerator[tuple[str | None, bytes]]:
        """One request: the object's entity tag with each chunk from `offset` on."""
        store = await self._store(ref.bucket, region)
        options: GetOptions = {}
        if ref.version_id:
            options["version"] = ref.version_id
        if offset:
            options["range"] = {"offset": offset}
            if etag:
                options["if_match"] = etag  # never the end of one object after the start of another
        try:
            found = await store.get_async(ref.key, options=options)
            self._aws.count("s3", "GetObject", "206" if offset else "200")
            etag = found.meta.get("e_tag")
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield etag, bytes(chunk)
        except (BaseError, OSError) as error:
            raise self._classify(ref, error) from error

    async def _by_botocore(
        self, ref: ObjectRef, region: str, offset: int, etag: str | None
    ) -> AsyncGenerator[tuple[str | None, bytes]]:
        """The same for keys that obstore would rewrite (`//`, `.`, `..`): a trail's prefix may end with a slash."""
        options: dict[str, str] = {"VersionId": ref.version_id} if ref.version_id else {}
        if offset:
            options["Range"] = f"bytes={offset}-"
            if etag:
                options["IfMatch"] = etag
        client = await self._client(region)
        try:
            found = await client.get_object(Bucket=ref.bucket, Key=ref.key, **options)
            with closing(found["Body"]) as body:  # gives the connection back, also when the rest is not wanted
                async for chunk in body.iter_chunks(CHUNK_BYTES):
                    yield found.get("ETag"), chunk
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise _fault(ref, status, str(error.response.get("Error", {}).get("Code", ""))) from error
        except _UNANSWERED as error:
            raise _Broken(type(error).__name__) from error

    def _classify(self, ref: ObjectRef, error: Exception) -> Exception:
        """What obstore's error means; its text holds the answer's status and body, which stay out of ours."""
        text = str(error)
        code = _CODE.search(text)
        found = _STATUS.search(text)
        status = int(found[1] or found[2]) if found else 404 if isinstance(error, FileNotFoundError) else 0
        if "redirect" in text and not status:  # S3's names no Location, and obstore gives no status for it
            status = 301
        self._aws.count("s3", "GetObject", str(status) if status else "error")
        return _fault(ref, status, code[1] if code else "")

    async def _store(self, bucket: str, region: str) -> S3Store:
        store = self._stores.get((bucket, region))
        if store is None:
            store = self._stores[bucket, region] = await self._open(bucket, region)
            if len(self._stores) > _STORES:
                self._stores.popitem(last=False)
        self._stores.move_to_end((bucket, region))
        return store

    async def _open(self, bucket: str, region: str) -> S3Store:
        endpoint = str((await self._client(region)).meta.endpoint_url)
        address = urlsplit(endpoint)
        of_aws = bool(re.search(r"\.(amazonaws\.com(\.cn)?|api\.aws)$", address.hostname or ""))
        virtual = of_aws and "." not in bucket  # a dot in the name does not fit AWS's wildcard certificate
        options: ClientConfig = {
            "allow_http": address.scheme == "http",
            "connect_timeout": timedelta(seconds=5),
            "read_timeout": timedelta(seconds=self._stall_s),
            "timeout": _TOTAL_TIMEOUT,
        }
        if authorities := os.environ.get("AWS_CA_BUNDLE"):
            options["root_certificate"] = await asyncio.to_thread(Path(authorities).read_bytes)
        return S3Store(
            bucket,
            endpoint=f"https://{bucket}.{address.netloc}" if virtual else endpoint,
            virtual_hosted_style_request=virtual,
            region=region,
            client_options=options,
            # Attempts are ours: they resume where the last one broke off, and each is counted.
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
            credential_provider=self._aws.s3_credentials,
        )

    async def _client(self, region: str) -> Any:
        """An aiobotocore client: it knows the region's endpoint, and reads what obstore can't."""
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
            if len(self._regions) > _STORES:
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


def _is_plain(key: str) -> bool:
    """Whether obstore asks for this very key: it drops empty path segments and refuses `.` and `..`."""
    return not any(segment in ("", ".", "..") for segment in key.split("/"))


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
