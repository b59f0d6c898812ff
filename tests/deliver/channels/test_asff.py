import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Links, Resource, RuleInfo
from stream.deliver.channels.asff import Product, finding, finding_id, minimal_finding, types
from stream.deliver.text import CUT
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.aws import faults_of_parameters
from tests.deliver.channels.attacks import ATTACKS, active, hostile, texts

PRODUCT = Product("arn:aws:securityhub:us-east-1:999999999999:product/999999999999/default", "999999999999")
NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_NAMESPACES = ("Software and Configuration Checks", "TTPs", "Effects", "Unusual Behaviors")


def faults(made: dict[str, Any]) -> list[str]:
    """What the format's documents have against a finding."""
    fields = made["ProductFields"]
    provided = made["FindingProviderFields"]
    call = made.get("Action", {}).get("AwsApiCallAction", {})
    checks = {
        "parameters": faults_of_parameters("securityhub", "BatchImportFindings", {"Findings": [made]}) == "",
        "240 KB": len(json.dumps(made, ensure_ascii=False).encode()) <= 240_000,
        "no empty text": all(text.strip() for text in texts(made)),
        "Id": len(made["Id"]) <= 512,
        "GeneratorId": len(made["GeneratorId"]) <= 512,
        "AwsAccountId": made["AwsAccountId"] in made["ProductArn"],
        "Title": len(made["Title"]) <= 256,
        "Description": len(made["Description"]) <= 1024,
        "Severity": provided["Severity"]["Label"] in ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"),
        "Types": 0 < len(provided["Types"]) <= 50
        and all(kind.split("/")[0] in _NAMESPACES and kind.count("/") <= 2 for kind in provided["Types"]),
        "times": all(_TIME.fullmatch(made[name]) for name in made if name.endswith("At")),
        "ProductFields": len(fields) <= 50
        and all(len(name) <= 128 and len(value) <= 2048 for name, value in fields.items()),
        "Resources": 0 < len(made["Resources"]) <= 32,
        "Region": all(len(resource.get("Region", "x")) <= 16 for resource in made["Resources"]),
        "Api": all(len(call.get(name, "")) <= 128 for name in ("Api", "ServiceName")),
    }
    return [name for name, kept in checks.items() if not kept]


def _finding(alert: Alert) -> dict[str, Any]:
    return finding(alert, PRODUCT, NOW)


def test_an_alert_is_a_finding() -> None:
    links = Links("https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home", "https://runbook.example/")
    made = _finding(make_alert(links=links))
    fields = made.pop("ProductFields")
    assert made == {
        "SchemaVersion": "2018-10-08",
        "Id": "trailstream/alert-1",
        "ProductArn": PRODUCT.arn,
        "GeneratorId": "trailstream/ct-013",
        "AwsAccountId": "999999999999",
        "ProductName": "Trailstream",
        "CompanyName": "Trailstream",
        "RecordState": "ACTIVE",
        "CreatedAt": "2026-03-01T12:00:00Z",
        "UpdatedAt": "2026-03-01T12:00:30Z",
        "FirstObservedAt": "2026-03-01T12:00:00Z",
        "LastObservedAt": "2026-03-01T12:00:00Z",
        "Title": "Logging of trail main was stopped",
        "Description": "StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin (alice@example.com) "
        "from 198.51.100.7. API calls in this account are no longer recorded by trail main.",
        "FindingProviderFields": {
            "Severity": {"Label": "CRITICAL", "Original": "critical"},
            "Types": ["TTPs/Defense Evasion/StopLogging"],
        },
        "Resources": [
            {
                "Type": "AwsCloudTrailTrail",
                "Id": TRAIL,
                "ResourceRole": "Target",
                "Partition": "aws",
                "Region": "eu-west-1",
            }
        ],
        "Action": {
            "ActionType": "AWS_API_CALL",
            "AwsApiCallAction": {
                "Api": "StopLogging",
                "ServiceName": "cloudtrail.amazonaws.com",
                "CallerType": "remoteIp",
                "RemoteIpDetails": {"IpAddressV4": "198.51.100.7"},
                "FirstSeen": "2026-03-01T12:00:00Z",
                "LastSeen": "2026-03-01T12:00:00Z",
            },
        },
        "SourceUrl": links.console,
        "Remediation": {"Recommendation": {"Text": "Follow the runbook.", "Url": links.runbook}},
    }
    assert fields["trailstream/AccountId"] == "111122223333"
    assert fields["trailstream/ActorArn"] == make_alert().actor.arn
    assert fields["trailstream/Changes"] == "name: main (recording stops)"
    assert "trailstream/ErrorCode" not in fields


def test_the_same_alert_has_the_same_id_whenever_it_is_sent() -> None:
    later = finding(make_alert(), PRODUCT, datetime(2026, 4, 1, tzinfo=UTC))
    assert later["Id"] == _finding(make_alert())["Id"]
    assert len({finding_id(make_alert(alert_id)) for alert_id in ("a", "b", "x" * 600, "x" * 601, "\ud800", "")}) == 6


def test_an_event_ahead_of_our_clock_is_not_updated_before_it_was_created() -> None:
    made = _finding(make_alert(event_time="2026-03-01T12:05:00Z"))
    assert made["CreatedAt"] == made["UpdatedAt"] == "2026-03-01T12:05:00Z"
    assert _finding(make_alert(event_time="yesterday"))["CreatedAt"] == "2026-03-01T12:00:30Z"


@pytest.mark.parametrize(
    ("tags", "kinds"),
    [
        ((), ["TTPs/Defense Evasion/StopLogging"]),
        (("attack.defense-evasion", "attack.t1562.008"), ["TTPs/Defense Evasion/StopLogging"]),
        (("attack.defense_evasion", "attack.stealth"), ["TTPs/Defense Evasion/StopLogging"]),
        (("attack.impact", "attack.persistence"), ["Effects", "TTPs/Persistence/StopLogging"]),
        (("cve.2024.1", "attack.g0001"), ["TTPs/Defense Evasion/StopLogging"]),
    ],
)
def test_types_are_the_tactics_of_the_rule(tags: tuple[str, ...], kinds: list[str]) -> None:
    assert types(make_alert(rule=RuleInfo("x", "x", "high", tags))) == kinds


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("cloudtrail.amazonaws.com", {"CallerType": "domain", "DomainDetails": {"Domain": "cloudtrail.amazonaws.com"}}),
        ("2001:db8::1", {}),
        ("AWS Internal", {}),
        ("198.51.100.7 or 1=1", {}),
        (None, {}),
    ],
)
def test_where_a_call_came_from_is_said_if_the_format_can(address: str | None, origin: dict[str, Any]) -> None:
    call = _finding(make_alert(actor_source_ip=address))["Action"]["AwsApiCallAction"]
    assert {name: call[name] for name in call if name.startswith(("Caller", "Domain", "Remote"))} == origin


def test_what_is_no_api_call_has_no_action() -> None:
    assert "Action" not in _finding(make_alert(event_type="AwsServiceEvent"))


def test_resources_of_no_type_of_theirs_are_others_and_an_alert_about_none_is_about_the_account() -> None:
    bucket = Resource("AWS::S3::Bucket", "arn:aws-cn:s3:::logs", None)
    made = _finding(make_alert(resources=(bucket, Resource("AWS::X::Y", "x", None)), event_region="global"))
    assert made["Resources"] == [
        {"Type": "AwsS3Bucket", "Id": "arn:aws-cn:s3:::logs", "ResourceRole": "Target", "Partition": "aws-cn"},
        {"Type": "Other", "Id": "x", "ResourceRole": "Target"},
    ]
    (account,) = _finding(make_alert(resources=()))["Resources"]
    assert account == {"Type": "AwsAccount", "Id": "AWS::::Account:111122223333", "Region": "eu-west-1"}


def test_the_longest_texts_are_cut_and_no_id_is() -> None:
    arns = [f"arn:aws:s3:::{'b' * 1000}{n}" for n in range(20)]
    alert = make_alert(
        summary="s" * 5000,
        actor_user_agent="\u00fc" * 5000,
        event_error_message="\U0001f600" * 5000,
        actor_arn="arn:aws:iam::111122223333:user/" + "a" * 1500,
        resources=tuple(Resource("AWS::S3::Bucket", arn, None) for arn in arns),
        changes=tuple(Change(f"field{n}", "v" * 5000, "e" * 5000) for n in range(20)),
    )
    made = _finding(alert)
    assert faults(made) == []
    assert [resource["Id"] for resource in made["Resources"]] == arns
    assert made["ProductFields"]["trailstream/ActorArn"] == alert.actor.arn
    for said in (
        made["Description"],
        *(made["ProductFields"][f"trailstream/{name}"] for name in ("UserAgent", "Changes")),
    ):
        assert said.endswith(CUT)


def test_the_minimal_finding_has_what_is_required_and_the_ids() -> None:
    made = minimal_finding(make_alert(), PRODUCT, NOW)
    assert faults(made) == []
    assert made["ProductFields"] == {
        "trailstream/AlertId": "alert-1",
        "trailstream/EventId": "11111111-2222-3333-4444-555555555555",
        "trailstream/Minimal": "true",
    }
    assert "Action" not in made


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert(name: str) -> None:
    alert = hostile(ATTACKS[name], items=40)
    for made in (_finding(alert), minimal_finding(alert, PRODUCT, NOW)):
        assert faults(made) == []
        for link in ("SourceUrl", "Remediation"):
            made.pop(link, None)
        assert [text for text in texts(made) if active(text)] == []


@given(alerts())
@settings(max_examples=15, deadline=None)
def test_any_alert_makes_a_valid_finding(alert: Alert) -> None:
    assert faults(_finding(alert)) == faults(minimal_finding(alert, PRODUCT, NOW)) == []
