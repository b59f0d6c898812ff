"""Bodies of queue messages: understood, or poison; nothing else, and nothing beyond the limits."""

import json
from typing import Any, Final

from stream.errors import PoisonMessage
from stream.intake.notification import Notification, parse
from stream.metrics import ENVELOPES, SKIP_REASONS
from tests.fuzz.draw import Draw
from tests.intake.bodies import INLINE, KEY, eventbridge, in_sns, s3_event

BODIES: Final[tuple[Any, ...]] = (
    json.loads(s3_event()),
    eventbridge(),
    {"s3Bucket": "trail-bucket", "s3ObjectKey": [KEY]},
    json.loads(INLINE),
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail-bucket"},
    {"Type": "SubscriptionConfirmation"},
)


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One body: the bytes themselves, or a known one that the bytes alter."""
    body: str | bytes = data
    if data[:1] == b"\0":
        draw = Draw(data[1:])
        body = json.dumps(draw.altered(draw.one_of(BODIES)))
        for _ in range(draw.byte() % 4):
            body = json.dumps(draw.altered(json.loads(in_sns(body))))
    try:
        found = parse(body)
    except PoisonMessage:
        return
    _check(found)


def _check(found: Notification) -> None:
    assert found.envelope in ENVELOPES
    assert found.envelope != "poison"
    assert len(found.objects) + len(found.skipped) <= 1000
    for ref in found.objects:
        assert 1 <= len(ref.key.encode()) <= 1024
        assert "/" not in ref.bucket
        assert ref.account_id.isdecimal()
        assert ref.size is None or ref.size >= 0
    for _, _, reason in found.skipped:
        assert reason in SKIP_REASONS
