"""`s3://bucket/prefix` in; the log files below it out, a page of the listing at a time."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.checks.buckets import unlistable
from stream.checks.outcome import AWS_ERRORS
from stream.metrics import Metrics
from stream.scan.sources import Found, Missing, Skipped, Source, is_log, is_other

_PAGE_KEYS: Final = 1000  # as many as S3 gives at once
_REASONS: Final = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "forbidden: listing it takes s3:ListBucket on the bucket",
}


def find_objects(url: str) -> Iterator[Found]:
    """Every log file whose key begins with the prefix; a prefix that no key has is missing."""
    bucket, _, prefix = url[len("s3://") :].partition("/")
    if not bucket:
        yield Missing(url, "it names no bucket: s3://bucket/prefix")
        return
    any_key = False
    with asyncio.Runner() as runner:  # the caller is no coroutine: one step of the loop for each page
        pages = list_pages(bucket, prefix)
        try:
            while page := runner.run(anext(pages, None)):
                for entry in page:
                    any_key = True
                    yield from _judge(bucket, entry["Key"], entry.get("Size", 0))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            yield Missing(url, _REASONS.get(code, f"S3 answers {code[:80]}"))
            return
        except (*AWS_ERRORS, ValueError) as error:
            yield Missing(url, f"no answer from S3: {type(error).__name__}", str(unlistable(error, bucket)))
            return
        finally:
            runner.run(pages.aclose())
    if not any_key:
        yield Missing(url, "no object's key begins with that")


def _judge(bucket: str, key: str, size_bytes: int) -> Iterator[Found]:
    if not is_log(key):
        return
    source = Source(bucket, key, size_bytes)
    yield Skipped(source.name) if is_other(key) else source


async def list_pages(bucket: str, prefix: str, after: str = "") -> AsyncGenerator[list[dict[str, Any]]]:
    """The objects whose keys begin with the prefix, in the order of their keys, a page of ListObjectsV2 at a time.

    Args:
        bucket: its name.
        prefix: of the keys; empty: all.
        after: the key after which to begin.

    Raises:
        ClientError, BotoCoreError, aiohttp.ClientError, OSError: they can't be listed.
    """
    # Not obstore's listing: it rewrites keys that hold `//`.
    async with Aws(Metrics()).client("s3") as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket,
            Prefix=prefix,
            PaginationConfig={"PageSize": _PAGE_KEYS},
            **({"StartAfter": after} if after else {}),
        )
        async for page in pages:
            if contents := page.get("Contents"):
                yield contents
