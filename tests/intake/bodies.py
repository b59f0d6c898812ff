"""Bodies of queue messages, as S3, SNS, EventBridge and CloudTrail write them."""

import json
from typing import Any
from urllib.parse import quote_plus

TOPIC = "arn:aws:sns:eu-west-1:111122223333:trail"
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/"
KEY = f"{FOLDER}111122223333_CloudTrail_eu-west-1_20260301T0005Z_Mu0KsOhtH1ar15ZZ.json.gz"
DIGEST = KEY.replace("/CloudTrail/", "/CloudTrail-Digest/")
VALIDATION = "CloudTrail validation message."


def s3_entry(key: str = KEY, *, event: str = "ObjectCreated:Put", **item: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T00:05:00.000Z",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "trail-bucket", "arn": "arn:aws:s3:::trail-bucket"},
            "object": {"key": quote_plus(key, safe="/"), "size": 4096, "eTag": "e", "sequencer": "0C"} | item,
        },
    }


def s3_event(*entries: dict[str, Any]) -> str:
    return json.dumps({"Records": list(entries or (s3_entry(),))})


def eventbridge(
    key: str = KEY, *, detail_type: str = "Object Created", source: str = "aws.s3", **item: Any
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": source,
        "account": "111122223333",
        "time": "2026-03-01T00:05:00Z",
        "region": "ca-central-1",
        "resources": ["arn:aws:s3:::trail-bucket"],
        "detail": {
            "version": "0",
            "bucket": {"name": "trail-bucket"},
            "object": {"key": key, "size": 5, "etag": "e", "sequencer": "61"} | item,
            "reason": "PutObject",
        },
    }


def in_sns(message: str, **fields: Any) -> str:
    return json.dumps(
        {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": message, "Timestamp": "t"} | fields
    )


RECORD = {"eventVersion": "1.11", "eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com"}
INLINE = json.dumps(
    {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.cloudtrail",
        "region": "eu-west-1",
        "detail": RECORD,
    }
)
