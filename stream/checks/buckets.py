"""The buckets: that their log files could be read, found out without knowing any of their names."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.checks.credentials import session_fault
from stream.checks.outcome import AWS_ERRORS, Outcome, allow, error_code, error_status, is_forbidden, partition
from stream.metrics import Metrics
from stream.settings import Settings

_READ = ("s3:GetObject", "s3:GetObjectVersion")


async def check_buckets(aws: Aws, settings: Settings) -> AsyncIterator[Outcome]:
    """Ask each bucket for an object that isn't there."""
    async with aws.client("s3", attempts=2) as s3:
        for name in settings.buckets:
            if any(wildcard in name for wildcard in "*?["):
                yield _unknown(name)
            else:
                yield await _check_bucket(s3, name, aws.region)


def _unknown(glob: str) -> Outcome:
    check = f"bucket {glob}"
    if glob == "*":
        return Outcome(
            check,
            "warn",
            "any bucket is read, so whoever may send to the queue may choose it; which there are can't be checked",
            "Name the buckets in TRAILSTREAM_BUCKETS.",
        )
    return Outcome(check, "ok", "not checked: nobody can say which buckets this stands for")


async def _check_bucket(s3: Any, name: str, here: str) -> Outcome:
    check = f"bucket {name}"
    listable, region = await _head(s3, name)
    where = f" in {region}" if region else ""
    # Where log files are, so that a policy which allows no more than those says yes.
    key = f"AWSLogs/000000000000/CloudTrail/trailstream-check-{secrets.token_hex(8)}"
    try:
        await s3.get_object(Bucket=name, Key=key)
    except AWS_ERRORS as error:
        code, status = error_code(error), error_status(error)
        if code == "NoSuchKey" or (status == 404 and code != "NoSuchBucket"):
            return Outcome(check, "ok", f"readable{where}: a random missing key answers 404")
        if is_forbidden(error):
            return _forbidden(check, name, region or here, where, listable=listable)
        return _fault(check, error, region or here, where, "TRAILSTREAM_BUCKETS")
    return Outcome(
        check,
        "warn",
        f"it has {key}, a name that was made up just now",
        "Look what it is that answers for S3: AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3.",
    )


def _fault(check: str, error: BaseException, region: str, where: str, named_by: str) -> Outcome:
    code = error_code(error)
    if code == "NoSuchBucket" or error_status(error) == 404:
        return Outcome(check, "FAIL", "there is no such bucket", f"Correct {named_by}.")
    if isinstance(error, ClientError):
        return Outcome(check, "FAIL", f"S3 answers {code}{where}", "Look at the credentials and the bucket's policy.")
    return Outcome(
        check,
        "FAIL",
        f"no answer from S3 in {region}: {code}",
        "Allow traffic to S3 there (a NAT gateway or a VPC endpoint).",
    )


def unlistable(error: BaseException, name: str) -> Outcome:
    """Why a bucket that the command line names can't be listed, by one of `AWS_ERRORS` or a `ValueError`."""
    check = f"bucket {name}"
    if is_forbidden(error):
        return Outcome(
            check, "FAIL", f"S3 answers {error_code(error)}", "Listing it takes s3:ListBucket on the bucket."
        )
    if fault := session_fault(error):
        return fault
    return _fault(check, error, Aws(Metrics()).region, "", "its name, and allow s3:ListBucket on it")


def _forbidden(check: str, name: str, region: str, where: str, *, listable: bool) -> Outcome:
    bucket = f"arn:{partition(region)}:s3:::{name}"
    objects = f"{bucket}/*"
    if listable:
        return Outcome(
            check, "FAIL", f"it can be listed{where}, but its objects can't be read: 403", allow((_READ, objects))
        )
    return Outcome(
        check,
        "warn",
        f"a random missing key answers 403{where}: s3:ListBucket is missing (and s3:GetObject may be), so that a log "
        "file that was deleted looks like one that is forbidden",
        allow((("s3:ListBucket",), bucket), (_READ, objects)),
    )


async def _head(s3: Any, name: str) -> tuple[bool, str | None]:
    """Whether the bucket may be listed, and its region, which S3 tells even those that it refuses."""
    try:
        answer = await s3.head_bucket(Bucket=name)
    except ClientError as error:
        headers: dict[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return False, headers.get("x-amz-bucket-region")
    except AWS_ERRORS:
        return False, None
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return True, answer.get("BucketRegion") or headers.get("x-amz-bucket-region")
