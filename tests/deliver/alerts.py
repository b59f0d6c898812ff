"""Makes alerts: a plausible one, with whatever a test wants otherwise."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from stream.alert import Actor, Alert, Change, Event, Links, LogFile, Resource, RuleInfo
from stream.severity import SEVERITIES

TRAIL = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"


def make_alert(alert_id: str = "alert-1", **changes: Any) -> Alert:
    """An alert about a StopLogging; `event_…` and `actor_…` replace a field of those, other names one of its own."""
    event = Event(
        id="11111111-2222-3333-4444-555555555555",
        name="StopLogging",
        source="cloudtrail.amazonaws.com",
        time="2026-03-01T12:00:00Z",
        region="eu-west-1",
        account_id="111122223333",
        account_name="prod",
        type="AwsApiCall",
        outcome="success",
        error_code=None,
        error_message=None,
    )
    actor = Actor(
        type="AssumedRole",
        name="Admin",
        session_name="alice@example.com",
        source_identity=None,
        arn="arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com",
        account_id="111122223333",
        principal_id="AROAEXAMPLE:alice@example.com",
        access_key_id="ASIAEXAMPLE",
        mfa=None,
        source_ip="198.51.100.7",
        location=None,
        user_agent="aws-cli/2.15.0",
        via="cli",
        invoked_by=None,
    )
    parts: dict[str, Any] = {"event": event, "actor": actor}
    own: dict[str, Any] = {}
    for name, value in changes.items():
        part, _, field = name.partition("_")
        if part in parts and field:
            parts[part] = replace(parts[part], **{field: value})
        else:
            own[name] = value
    alert = Alert(
        id=alert_id,
        severity="critical",
        title="Logging of trail main was stopped",
        summary="API calls in this account are no longer recorded by trail main.",
        rule=RuleInfo("ct-013", "CloudTrail configuration changes", "high"),
        event=event,
        actor=actor,
        resources=(Resource("AWS::CloudTrail::Trail", TRAIL, None),),
        changes=(Change("name", "main", "recording stops"),),
        provenance="log_file",
        log_file=LogFile("logs", "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz", "v1"),
        links=Links("https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events", None),
        context=None,
        record={"eventName": "StopLogging", "requestParameters": {"name": "main"}},
    )
    return replace(alert, **parts, **own)


texts = st.text(max_size=400) | st.sampled_from(
    [
        "<!channel> <@U123> <https://evil.example|click> *bold* _it_ ~no~ `code`",
        "&<>" * 2000,
        "\u202egnp.exe\u0000\x1b[31m",
        "\ud800 lone",
        "x" * 5000,
        "",
    ]
)


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """Alerts whose every text an attacker may have typed."""
    maybe = st.none() | texts
    return make_alert(
        severity=draw(st.sampled_from(SEVERITIES)),
        title=draw(texts),
        summary=draw(texts),
        rule=RuleInfo(draw(texts), draw(texts), "high"),
        event_id=draw(texts),
        event_name=draw(texts),
        event_time=draw(texts),
        event_region=draw(texts),
        event_account_id=draw(texts),
        event_account_name=draw(maybe),
        event_error_code=draw(maybe),
        event_error_message=draw(maybe),
        event_outcome=draw(st.sampled_from(["success", "denied", "failed"])),
        actor_type=draw(texts),
        actor_name=draw(texts),
        actor_session_name=draw(maybe),
        actor_source_identity=draw(maybe),
        actor_arn=draw(maybe),
        actor_account_id=draw(maybe),
        actor_access_key_id=draw(maybe),
        actor_mfa=draw(st.none() | st.booleans()),
        actor_source_ip=draw(maybe),
        actor_location=draw(maybe),
        actor_user_agent=draw(maybe),
        actor_invoked_by=draw(maybe),
        resources=tuple(Resource(draw(texts), draw(texts), None) for _ in range(draw(st.integers(0, 7)))),
        changes=tuple(
            Change(draw(texts), draw(texts | st.lists(texts, max_size=3)), draw(texts))
            for _ in range(draw(st.integers(0, 12)))
        ),
        log_file=draw(st.none() | st.builds(LogFile, texts, texts)),
        links=Links(draw(maybe), draw(maybe)),
        context=draw(st.none() | st.fixed_dictionaries({"calls": st.dictionaries(texts, st.integers(), max_size=12)})),
    )
