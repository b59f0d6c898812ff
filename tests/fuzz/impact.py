"""Records of any shape: every rule, and what the change means, is told without an error, and can be sent."""

import json
from typing import Any, Final

from stream.alert import Alert
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet, packs
from stream.detect.surroundings import Surroundings
from stream.severity import SEVERITIES
from tests.detect.records import LOG_FILE, TRAIL, record
from tests.detect.rows import advanced, basic, create, tagged, update
from tests.fuzz.draw import Draw

_DETECTOR: Final = Detector(RuleSet.load(packs(), ()), lambda: Surroundings(buckets=("trail-*",)))
RECORDS: Final[tuple[dict[str, Any], ...]] = (
    record("StopLogging", {"name": TRAIL}),
    create(),
    update(isMultiRegionTrail=False),
    basic({"readWriteType": "WriteOnly", "includeManagementEvents": False, "dataResources": []}),
    advanced({"eventCategory": {"equals": ["Management"]}, "readOnly": {"equals": ["true"]}}),
    tagged("RemoveTags", "protected"),
    record("PutBucketPolicy", {"bucketName": "trail-logs"}, eventSource="s3.amazonaws.com"),
    record("DeleteQueue", {"queueUrl": "https://sqs.example/1/trail"}, eventSource="sqs.amazonaws.com"),
    record("ScheduleKeyDeletion", {"keyId": "k"}, eventSource="kms.amazonaws.com"),
)


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One record that the bytes alter; or one that they make."""
    for alert in alerts(Draw(data)):
        assert alert.severity in SEVERITIES
        assert alert.title
        json.loads(alert.to_json())


def alerts(draw: Draw) -> list[Alert]:
    """What the rules make of the record that is drawn."""
    base = draw.one_of(RECORDS)
    one = draw.altered(base) if draw.byte() % 8 else draw.json()
    if not isinstance(one, dict):
        one = {**base, "requestParameters": one}
    inline = bool(draw.byte() % 2)
    return _DETECTOR.alerts(one, provenance="inline" if inline else "log_file", log_file=None if inline else LOG_FILE)
