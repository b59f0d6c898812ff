"""An alert that says of itself, wherever it is read, that it is a test; and one as it would really be, to be shown."""

import secrets
from datetime import UTC, datetime
from typing import Any, Final

from stream.alert import Actor, Alert, Change, Event, Links, LogFile, Resource, RuleInfo

_ACCOUNT: Final = "111122223333"  # AWS keeps it for documentation
_BUCKET: Final = "acme-cloudtrail"
_TRAIL: Final = f"arn:aws:cloudtrail:us-east-1:{_ACCOUNT}:trail/trailstream-test"


def sample_alert() -> Alert:
    """A new test alert: no two have the same id, or the second would pass for a repeat of the first."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = secrets.token_hex(16)
    return Alert(
        id=identity,
        severity="informational",
        title="TEST: Trailstream can reach you; nothing has happened",
        summary="This is a test alert, sent by somebody who wanted to see whether it arrives. No trail was changed.",
        rule=RuleInfo(id="trailstream-test", title="Test alert", level="informational"),
        event=Event(
            id=identity,
            name="TrailstreamTest",
            source="cloudtrail.amazonaws.com",
            time=now,
            region="us-east-1",
            account_id=_ACCOUNT,
            account_name=None,
            type="AwsApiCall",
            outcome="success",
            error_code=None,
            error_message=None,
        ),
        actor=Actor(
            type="AWSService",
            name="trailstream check",
            session_name=None,
            source_identity=None,
            arn=None,
            account_id=_ACCOUNT,
            principal_id=None,
            access_key_id=None,
            mfa=None,
            source_ip=None,
            location=None,
            user_agent="trailstream",
            via="cli",
            invoked_by=None,
        ),
        resources=(Resource("AWS::CloudTrail::Trail", _TRAIL, protected=None),),
        changes=(Change("test", value=True, effect="nothing was changed: this is a test"),),
        provenance="inline",
        log_file=None,
        links=Links(console=None, runbook=None),
        context=None,
        record=_record(identity, now),
    )


def example_alert() -> Alert:
    """What the rules make of somebody's StopLogging; always the same, and never to be sent to anybody."""
    from stream.detect.detector import Detector
    from stream.detect.rules import RuleSet
    from stream.detect.surroundings import Surroundings

    around = Surroundings(buckets=(_BUCKET,))
    detector = Detector(RuleSet.load(("ct-013",), ()), lambda: around, account_name={_ACCOUNT: "prod"}.get)
    key = f"AWSLogs/{_ACCOUNT}/CloudTrail/eu-west-1/2026/03/01/{_ACCOUNT}_CloudTrail_eu-west-1_20260301T1200Z_x.json.gz"
    (alert,) = detector.alerts(_stop_logging(), provenance="log_file", log_file=LogFile(_BUCKET, key))
    return alert


def _stop_logging() -> dict[str, Any]:
    user = f"arn:aws:iam::{_ACCOUNT}:user/alice"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDACKCEVSQ6C2EXAMPLE",
            "arn": user,
            "accountId": _ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "alice",
        },
        "eventTime": "2026-03-01T11:57:03Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15.0 Python/3.11.6 Linux/6.5.0",
        "requestParameters": {"name": f"arn:aws:cloudtrail:eu-west-1:{_ACCOUNT}:trail/management-events"},
        "responseElements": None,
        "requestID": "cf2b9f3e-5d0c-4f0b-8a8f-6f3d7c1f0001",
        "eventID": "0f8e2a41-3b77-4c59-9d0e-1c5a4b6d0002",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": _ACCOUNT,
        "eventCategory": "Management",
    }


def _record(identity: str, now: str) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "eventTime": now,
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "TrailstreamTest",
        "awsRegion": "us-east-1",
        "recipientAccountId": _ACCOUNT,
        "eventID": identity,
        "eventType": "AwsApiCall",
    }
