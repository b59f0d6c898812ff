"""An alert that says of itself, wherever it is read, that it is a test."""

import secrets
from datetime import UTC, datetime
from typing import Any, Final

from stream.alert import Actor, Alert, Change, Event, Links, Resource, RuleInfo

_ACCOUNT: Final = "111122223333"  # AWS keeps it for documentation
_TRAIL: Final = f"arn:aws:cloudtrail:us-east-1:{_ACCOUNT}:trail/trailstream-test"


def sample_alert() -> Alert:
    """A new test alert: no two have the same id, or the second would pass for a repeat of the first."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = secrets.token_hex(16)
    return Alert(
        id=identity,
        severity="informational",
        title="TEST: Trailstream can reach you; nothing has happened",
        summary="This is a test alert, sent by `trailstream check --send-test-alert`. No trail was changed.",
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
