"""An S3 bucket: each alert as one object, an OCSF Detection Finding on one line of JSON, under a key of its own.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, …/ErrorResponses.html (codes); keys as Security Lake
has them (https://docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html; but it takes Parquet only).
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from stream.alert import Alert
from stream.deliver.aws import AwsChannel
from stream.deliver.channel import Answer, Down, Rejected, Retry
from stream.deliver.channels.ocsf import finding_line
from stream.deliver.moment import moment
from stream.settings import ChannelSettings

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; in prefixes only what needs no
# encoding anywhere (…/object-keys.html), and no `.` or `..`, which some programs resolve.
_URL: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?P<prefix>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9!_.*'()=-]+)*)/?",
    re.ASCII,
)
_BUCKET_CHARACTERS: Final = range(3, 64)
_MAX_PREFIX: Final = 512  # of the 1,024 bytes that a key may have
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", re.ASCII)
_KMS_KEY: Final = re.compile(r"[A-Za-z0-9:/_-]{1,2048}", re.ASCII)
_OWNER: Final = re.compile(r"\d{12}", re.ASCII)
_PART: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)

_ERRORS: Final[Mapping[str, Answer]] = {
    "404": Down("not_found"),  # HEAD has no body to say more
    "AccountProblem": Down("forbidden"),
    "AllAccessDisabled": Down("forbidden"),
    "NotSignedUp": Down("forbidden"),
    "EntityTooLarge": Rejected("too_large"),
    # Another region's bucket: botocore goes there by itself, so that this is what came of its second attempt.
    "301": Down("redirect"),
    "AuthorizationHeaderMalformed": Down("redirect"),
    "IllegalLocationConstraintException": Down("redirect"),
    "PermanentRedirect": Down("redirect"),
    # What arrived is not what was sent, or came at a bad moment.
    "BadDigest": Retry("other"),
    "IncompleteBody": Retry("other"),
    "OperationAborted": Retry("other"),
    "TemporaryRedirect": Retry("other"),
    "XAmzContentSHA256Mismatch": Retry("other"),
    "KMS.AccessDeniedException": Down("forbidden"),
    "KMS.NotFoundException": Down("not_found"),
    "KMS.DependencyTimeoutException": Retry("server_error"),
    "KMS.KMSInternalException": Retry("server_error"),
    "KMS.ThrottlingException": Retry("throttled"),
}


def _url(value: str | None) -> str | None:
    if value is not None and _parts(value) is None:
        raise ValueError(
            "must be a bucket and, if wanted, a prefix, such as s3://alerts/trailstream: letters, digits and !_.*'()=-"
        )
    return value


def _parts(url: str) -> tuple[str, str] | None:
    """Bucket, and prefix with a slash at its end or empty; `None` if it is no such URL."""
    found = _URL.fullmatch(url)
    if found is None or len(found["bucket"]) not in _BUCKET_CHARACTERS or len(found["prefix"]) > _MAX_PREFIX:
        return None
    prefix = found["prefix"].removeprefix("/")
    return found["bucket"], f"{prefix}/" if prefix else ""


def _region(value: str | None) -> str | None:
    if value is not None and not _REGION.fullmatch(value):
        raise ValueError("must be a region, such as eu-west-1")
    return value


def _kms_key(value: str | None) -> str | None:
    if value is not None and not _KMS_KEY.fullmatch(value):
        raise ValueError("must be a KMS key's id or ARN, or an alias")
    return value


def _owner(value: str | None) -> str | None:
    if value is not None and not _OWNER.fullmatch(value):
        raise ValueError("must be an account's id, 12 digits")
    return value


class S3Settings(ChannelSettings):
    """Variables of the channel `s3`."""

    env_prefix = "TRAILSTREAM_S3_"

    url: Annotated[str | None, AfterValidator(_url)] = Field(
        None,
        description="Bucket and prefix (`s3://alerts/trailstream`) under which every alert becomes an object, an OCSF "
        "Detection Finding; needs s3:PutObject, and s3:ListBucket if `check` is to notice a missing bucket. Not a "
        "bucket that holds log files: each alert would be announced on the queue as well, to be skipped.",
    )
    region: Annotated[str | None, AfterValidator(_region)] = Field(
        None, description="Region of the bucket. Unset: our own, or wherever S3 says that the bucket is."
    )
    kms_key_id: Annotated[str | None, AfterValidator(_kms_key)] = Field(
        None,
        description="KMS key (id, ARN or alias) to encrypt objects with; needs kms:GenerateDataKey. Unset: as the "
        "bucket does by default.",
    )
    owner: Annotated[str | None, AfterValidator(_owner)] = Field(
        None, description="Account that the bucket must belong to, or nothing is written. Unset: any."
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_S3_URL` is set."""
        return self.url is not None


class S3Channel(AwsChannel):
    """Puts each alert under a key that is the same at every attempt, so that a second one replaces the first."""

    kind = "s3"
    deduplicates = True
    service = "s3"
    errors = _ERRORS
    section = S3Settings
    example = (("url", "s3://alerts/trailstream"),)
    settings: S3Settings

    def region(self) -> str | None:
        """The bucket's, where it is set."""
        return self.settings.region

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Put one object; see `Channel.send`."""
        bucket, prefix = self._place
        return await self.attempt(
            "put_object",
            Bucket=bucket,
            Key=prefix + object_name(alert),
            Body=finding_line(alert, datetime.now(UTC), minimal=minimal),
            ContentType="application/x-ndjson",
            **self._owned(),
            **self._encrypted(),
        )

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.look("head_bucket", Bucket=self._place[0], **self._owned())

    def judge(self, error: Exception) -> Answer:
        """What S3 refuses for another reason than its size is none of this alert's fault: it looks into no object."""
        answer = super().judge(error)
        return Down("other") if isinstance(answer, Rejected) and answer.reason != "too_large" else answer

    @property
    def _place(self) -> tuple[str, str]:
        return _parts(self.settings.url or "") or ("", "")

    def _owned(self) -> dict[str, Any]:
        return {"ExpectedBucketOwner": self.settings.owner} if self.settings.owner else {}

    def _encrypted(self) -> dict[str, Any]:
        key = self.settings.kms_key_id
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}


def object_name(alert: Alert) -> str:
    """Below the prefix: `region=…/accountId=…/eventDay=YYYYMMDD/<alert id>.json`, the day in UTC.

    A part that is no region, account or time by its form is `unknown`: a forged record may hold anything.
    """
    happened = moment(alert.event.time)
    day = happened.strftime("%Y%m%d") if happened is not None else "unknown"
    name = alert.id
    if not _PART.fullmatch(name):
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"region={_part(alert.event.region)}/accountId={_part(alert.event.account_id)}/eventDay={day}/{name}.json"


def _part(text: str) -> str:
    return text if _PART.fullmatch(text) else "unknown"
