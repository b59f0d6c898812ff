"""Objects of S3: where each one is, and signed requests for it.

With requests and signatures of our own, at a fraction of the CPU that aiobotocore takes for a small object.
Credentials, regions and endpoints come from the one AWS session.
"""

import re
import time
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from stream.aws import Aws
from stream.http import Origin, Response
from stream.intake.download import UNANSWERED, Broken, Download
from stream.intake.notification import ObjectRef
from stream.signing import NO_PAYLOAD, signed

_BACKOFF_BASE_S: Final = 0.2
_STALL_S: Final = 20.0
_PLACES: Final = 32
_OF_AWS: Final = re.compile(r"\.(amazonaws\.com(\.cn)?|api\.aws)$")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")


class Objects:
    """Reads objects."""

    def __init__(self, aws: Aws, *, stall_s: float = _STALL_S, backoff_s: float = _BACKOFF_BASE_S) -> None:
        self._aws = aws
        self._stall_s = stall_s
        self._backoff_s = backoff_s
        self._places: OrderedDict[tuple[str, str], _Place] = OrderedDict()
        self._endpoints: dict[str, str] = {}
        self._client: Any = None
        self._open_clients = AsyncExitStack()
        # What a message says of a region is believed only if there is such a one: each may cost a client.
        self._known_regions: frozenset[str] = frozenset()
        self._regions: OrderedDict[str, str] = OrderedDict()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            self._open_clients = opened
            self._http = await opened.enter_async_context(self._aws.http(stall_s=self._stall_s))
            self._known_regions = self._aws.regions()
            await self._endpoint(self._aws.region)  # may take a tenth of a second of CPU: not while messages wait
            self._open_clients = opened.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._places.clear()
        self._client = None
        await self._open_clients.aclose()

    def open(self, ref: ObjectRef) -> Download:
        """The object's bytes, from the version named if there is one; to be opened with `async with`."""
        region = ref.region if ref.region in self._known_regions else None
        return Download(self, ref, region, backoff_s=self._backoff_s)

    def moved(self, bucket: str) -> None:
        """See `Source`."""
        self._regions.pop(bucket, None)

    def answered(self, code: str) -> None:
        """See `Source`."""
        self._aws.count("s3", "GetObject", code)

    async def get(
        self, ref: ObjectRef, region: str, *, offset: int, etag: str | None
    ) -> AbstractAsyncContextManager[Response]:
        """See `Source`."""
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
            raise Broken(type(error).__name__) from error
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
        return self._http.request("GET", place.origin, f"{path}?{query}" if query else path, headers)

    async def _place(self, bucket: str, region: str) -> "_Place":
        place = self._places.get((bucket, region))
        if place is None:
            place = self._places[bucket, region] = _Place.of(await self._endpoint(region), bucket)
            if len(self._places) > _PLACES:
                self._places.popitem(last=False)
        self._places.move_to_end((bucket, region))
        return place

    async def _endpoint(self, region: str) -> str:
        endpoint = self._endpoints.get(region)
        if endpoint is None:
            endpoint = self._endpoints[region] = await self._aws.endpoint("s3", region)
        return endpoint

    async def region_of(self, bucket: str) -> str:
        """See `Source`; asked once: HeadBucket says it even to those whom it refuses."""
        region = self._regions.get(bucket)
        if region is None:
            region = await self._head_bucket(bucket)
            self._regions[bucket] = region
            if len(self._regions) > _PLACES:
                self._regions.popitem(last=False)
        return region

    async def _head_bucket(self, bucket: str) -> str:
        if self._client is None:
            self._client = await self._open_clients.enter_async_context(self._aws.client("s3", attempts=1))
        try:
            answer: dict[str, Any] = await self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            answer = dict(error.response)
        except UNANSWERED as error:
            raise Broken(f"the bucket was not to be asked for its region ({type(error).__name__})") from error
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = str(answer.get("BucketRegion") or headers.get("x-amz-bucket-region") or "")
        return region if _REGION.fullmatch(region) else self._aws.region


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
