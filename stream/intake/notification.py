"""The body of a queue message in, a `Notification` out: which log files to read, which objects to skip, or a record.

The bodies are told apart by shape alone; each shape is one function in `_BODIES`. Whatever comes in, nothing is raised
but `PoisonMessage`, and no message is half understood: one unreadable entry makes all of it poison.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from stream.errors import PoisonMessage
from stream.intake.keys import log_file_account, skip_reason

_VALIDATION: Final = "CloudTrail validation message."  # what CloudTrail publishes when a topic is set up
_CONFIRMATIONS: Final = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_MAX_ENVELOPES: Final = 2
_MAX_OBJECTS: Final = 1000
"""AWS announces one to a few; a forged message of 1 MiB could name thousands, and keep its worker busy for hours."""
_MAX_KEY_BYTES: Final = 1024  # of UTF-8: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
# Wider than today's rules, since old buckets may be named after older ones; but it can't change a URL's meaning.
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")

_Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A log file that was announced.

    Attributes:
        key: decoded, as S3 knows it.
        version_id: `None` where the notification names none; then the newest version is meant.
        region: of the bucket; `None` where the notification names none that could be a region's name.
        size: compressed bytes, as announced.
        account_id: whose log file it is, by its key.
    """

    bucket: str
    key: str
    version_id: str | None
    region: str | None
    size: int | None
    account_id: str

    @classmethod
    def newest(cls, bucket: str, key: str, *, size: int | None = None) -> "ObjectRef":
        """An object's newest version, of which no notification tells; `size` if it is known."""
        return cls(bucket, key, None, None, size, log_file_account(key) or "")


@dataclass(frozen=True, slots=True)
class Notification:
    """What one queue message says.

    Attributes:
        envelope: one of `stream.metrics.ENVELOPES`, but never `poison`.
        objects: log files to read.
        record: the CloudTrail record itself, where `envelope` is `inline`.
        skipped: bucket, key and one of `stream.metrics.SKIP_REASONS` of each other object announced.
        topic_arn: the SNS topic that it came through, if the body says.
    """

    envelope: str
    objects: tuple[ObjectRef, ...] = ()
    record: dict[str, Any] | None = None
    skipped: tuple[tuple[str, str, str], ...] = ()
    topic_arn: str | None = None


@dataclass(frozen=True, slots=True)
class _Sns:
    """The SNS envelopes around a body, so far."""

    depth: int = 0
    topic_arn: str | None = None

    def unwrapped(self, envelope: _Document) -> "_Sns":
        """The same, with one more; the outermost topic is the one that our queue is subscribed to."""
        topic_arn = envelope.get("TopicArn")
        if topic_arn is not None and not isinstance(topic_arn, str):
            raise PoisonMessage("an SNS envelope's TopicArn is no text")
        if self.depth == _MAX_ENVELOPES:
            raise PoisonMessage("SNS envelopes nested too deeply")
        return _Sns(self.depth + 1, self.topic_arn or topic_arn)

    def name(self, shape: str) -> str:
        return f"sns_{shape}" if self.depth else shape


class _NotJson(PoisonMessage):
    """Text that is no JSON at all."""


def parse(body: str | bytes) -> Notification:
    """Understand the body of a queue message.

    Raises:
        PoisonMessage: it is none of the bodies that Trailstream knows, or part of it can't be read. Its text is one
            of a few and quotes nothing of the body.
    """
    try:
        text = body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError:
        raise PoisonMessage("not UTF-8") from None
    sns = _Sns()
    while True:
        if text.strip() == _VALIDATION:
            return Notification("test", topic_arn=sns.topic_arn)
        try:
            document = _load(text)
        except _NotJson:
            if sns.depth:
                return Notification("unrelated", topic_arn=sns.topic_arn)
            raise
        if not (isinstance(document, dict) and document.get("Type") == "Notification" and "Message" in document):
            return _read(document, sns)
        if not isinstance(document["Message"], str):
            raise PoisonMessage("an SNS envelope's Message is no text")
        sns = sns.unwrapped(document)
        text = document["Message"]


def _read(document: object, sns: _Sns) -> Notification:
    if isinstance(document, dict):
        for body in _BODIES:
            notification = body(document, sns)
            if notification is not None:
                return notification
    if sns.depth:  # a shared topic, such as Control Tower's, carries much else
        return Notification("unrelated", topic_arn=sns.topic_arn)
    raise PoisonMessage("JSON of an unknown shape")


def _s3_event(document: _Document, sns: _Sns) -> Notification | None:
    """S3's own event notification: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    if "Records" not in document:
        return None
    entries = document["Records"]
    if not isinstance(entries, list) or not entries:
        raise PoisonMessage("an S3 event without entries")
    _bounded(entries)
    announced = _Announced(sns.name("s3"), sns)
    for entry in entries:
        described = _member(entry, "s3", dict)
        bucket = _bucket(_member(described, "bucket", dict).get("name"))
        item = _member(described, "object", dict)
        key = _key(_url_decoded(_member(item, "key", str)))
        if not _member(entry, "eventName", str).removeprefix("s3:").startswith("ObjectCreated:"):
            announced.skip(bucket, key, "not_created")
        else:
            announced.add(
                bucket, key, version=item.get("versionId"), region=entry.get("awsRegion"), size=item.get("size")
            )
    return announced.notification()


def _eventbridge(document: _Document, sns: _Sns) -> Notification | None:
    """An event of EventBridge: an object created in S3, or a record from CloudTrail.

    Only AWS itself can send an event whose source begins with `aws.`; PutEvents refuses that to everybody else.
    """
    detail_type, source = document.get("detail-type"), document.get("source")
    if not isinstance(detail_type, str) or not isinstance(source, str) or not source.startswith("aws."):
        return None
    if detail_type.endswith("via CloudTrail"):
        return Notification("inline", record=_member(document, "detail", dict), topic_arn=sns.topic_arn)
    if source != "aws.s3":
        return None
    detail = _member(document, "detail", dict)
    bucket = _bucket(_member(detail, "bucket", dict).get("name"))
    item = _member(detail, "object", dict)
    key = _key(_member(item, "key", str))
    announced = _Announced(sns.name("eventbridge"), sns)
    if detail_type != "Object Created":
        announced.skip(bucket, key, "not_created")
    else:
        announced.add(bucket, key, version=item.get("version-id"), region=document.get("region"), size=item.get("size"))
    return announced.notification()


def _cloudtrail_sns(document: _Document, sns: _Sns) -> Notification | None:
    """CloudTrail's own message, with or without its SNS envelope; it names no region, version or size."""
    if "s3Bucket" not in document and "s3ObjectKey" not in document:
        return None
    if "messageType" in document:  # AWS Config's, which tells of its own files alike, on Control Tower's topic
        return None
    bucket = _bucket(document.get("s3Bucket"))
    keys = _member(document, "s3ObjectKey", list)
    if not keys:
        raise PoisonMessage("CloudTrail's message without keys")
    _bounded(keys)
    announced = _Announced("cloudtrail_sns", sns)
    for key in keys:
        announced.add(bucket, _key(key))
    return announced.notification()


def _test(document: _Document, sns: _Sns) -> Notification | None:
    """What S3 sends when a notification is configured, and SNS when a subscription changes."""
    if document.get("Event") == "s3:TestEvent" or document.get("Type") in _CONFIRMATIONS:
        return Notification("test", topic_arn=sns.topic_arn)
    return None


_BODIES: Final = (_s3_event, _eventbridge, _cloudtrail_sns, _test)


class _Announced:
    """Sorts announced objects into log files and others."""

    def __init__(self, envelope: str, sns: _Sns) -> None:
        self._envelope = envelope
        self._sns = sns
        self._objects: list[ObjectRef] = []
        self._skipped: list[tuple[str, str, str]] = []

    def add(self, bucket: str, key: str, *, version: object = None, region: object = None, size: object = None) -> None:
        if version is not None and not isinstance(version, str):
            raise PoisonMessage("an object's version is no text")
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            raise PoisonMessage("an object's size is no number of bytes")
        account_id = log_file_account(key)
        if account_id is None:
            self.skip(bucket, key, skip_reason(key))
            return
        self._objects.append(
            ObjectRef(
                bucket,
                key,
                None if version in (None, "", "null") else version,
                region if isinstance(region, str) and _REGION.fullmatch(region) else None,
                size,
                account_id,
            )
        )

    def skip(self, bucket: str, key: str, reason: str) -> None:
        self._skipped.append((bucket, key, reason))

    def notification(self) -> Notification:
        return Notification(
            self._envelope,
            objects=tuple(self._objects),
            skipped=tuple(self._skipped),
            topic_arn=self._sns.topic_arn,
        )


def _load(text: str) -> object:
    """Parse JSON; what orjson refuses but Python's own parser reads (a lone surrogate in a record) is read too."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise _NotJson("not JSON") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits; brackets in brackets
        raise PoisonMessage("JSON beyond all limits") from None


def _member(document: object, name: str, kind: type) -> Any:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise PoisonMessage(f"{name} is missing, or of the wrong type")
    return value


def _bounded(announced: list[Any]) -> None:
    if len(announced) > _MAX_OBJECTS:
        raise PoisonMessage(f"more than {_MAX_OBJECTS:,} objects in one message")


def _bucket(name: object) -> str:
    if not isinstance(name, str) or not _BUCKET.fullmatch(name):
        raise PoisonMessage("not the name of a bucket")
    return name


def _key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise PoisonMessage("an object without a key")
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        raise PoisonMessage("an object's key is not Unicode") from None
    if size_bytes > _MAX_KEY_BYTES:
        raise PoisonMessage("an object's key is too long")
    return key


def _url_decoded(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeError:
        raise PoisonMessage("an object's key is not UTF-8") from None
