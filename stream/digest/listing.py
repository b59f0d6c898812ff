"""Where digest files and log files are: a bucket and a prefix in, folders and their objects by day out."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stream.digest.digest import Place

_ROOT: Final = re.compile(r"(?P<root>(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?\d{12}/CloudTrail-Digest/[a-z0-9-]+/)")
_BELOW: Final = re.compile(r"o-[a-z0-9]+|\d{12}|CloudTrail-Digest|[a-z]{2}(-[a-z]+)+-\d")
"""What leads to digests below `AWSLogs/`."""

_MOST_FOLDERS: Final = 100_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Object:
    """An object that is there; `at`: Unix time of when it was written; `size`: in bytes."""

    key: str
    at: float
    size: int


async def roots(s3: Any, bucket: str, prefix: str) -> AsyncIterator[str]:
    """The folders of digests, one for each account and region, that begin so or that the prefix lies in.

    Raises:
        ClientError, BotoCoreError, OSError: the bucket can't be listed.
    """
    if found := _ROOT.match(prefix):
        yield found["root"]
        return
    waiting, seen = [prefix], 0
    while waiting and seen < _MOST_FOLDERS:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=waiting.pop(), Delimiter="/")
        async for page in pages:
            for folder in (entry["Prefix"] for entry in page.get("CommonPrefixes", ())):
                seen += 1
                if _ROOT.fullmatch(folder):
                    yield folder
                elif _leads_there(folder):
                    waiting.append(folder)


def _leads_there(folder: str) -> bool:
    _, named, below = folder.rpartition("AWSLogs/")
    if not named:
        return True
    return not below or all(_BELOW.fullmatch(part) for part in below.rstrip("/").split("/"))


async def digests(s3: Any, bucket: str, root: str, since: float, until: float) -> list[Place]:
    """The digests of a folder whose time ends between these two; the first digest after it is not among them."""
    found = []
    for day in _days(since, until):
        async for one in _objects(s3, bucket, f"{root}{day}/"):
            place = Place.of(one.key)
            if place is not None and place.root == root and since <= place.end <= until:
                found.append(place)
    return found


async def logs(s3: Any, bucket: str, root: str, since: float, until: float) -> AsyncIterator[Object]:
    """Log files that lie beside the digests of a folder, under the days between these two."""
    folder = root.replace("/CloudTrail-Digest/", "/CloudTrail/")
    for day in _days(since, until):
        async for one in _objects(s3, bucket, f"{folder}{day}/"):
            if one.key.endswith((".json.gz", ".json")):
                yield one


async def _objects(s3: Any, bucket: str, prefix: str) -> AsyncIterator[Object]:
    async for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            yield Object(entry["Key"], entry["LastModified"].timestamp(), entry["Size"])


def _days(since: float, until: float) -> Iterator[str]:
    day = datetime.fromtimestamp(since, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.timestamp() <= until:
        yield day.strftime("%Y/%m/%d")
        day += _DAY
