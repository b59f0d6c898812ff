import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from stream.alert import Alert, Change, Links, Resource, RuleInfo
from stream.deliver.channels.ocsf import MAX_BYTES, VERSION, finding_line
from stream.deliver.text import CUT
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, hostile

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
HAPPENED = 1_772_366_400_000


@cache
def _schema() -> Draft202012Validator:
    """OCSF's own schema of the class, which knows every attribute that there may be; none that is deprecated."""
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION)).get_class_schema("detection_finding", ["cloud"])
    for each in (made, *made["$defs"].values()):
        properties = each["properties"]
        each["properties"] = {name: not found.get("deprecated") and found for name, found in properties.items()}
    return Draft202012Validator(made)


def _empty(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_empty(each) for each in value.values()) or not value
    if isinstance(value, list):
        return any(_empty(each) for each in value) or not value
    return value is None or value == ""


def _found(made: Any, pointer: str) -> Any:
    for step in re.findall(r"\w+", pointer):
        made = made[int(step)] if step.isdecimal() else made[step]
    return made


def faults(made: dict[str, Any]) -> list[str]:
    """What OCSF's schema has against a finding, and what we have."""
    found = [f"{error.json_path}: {error.message[:200]}" for error in _schema().iter_errors(made)]
    checks = {
        "type_uid": made["type_uid"] == made["class_uid"] * 100 + made["activity_id"],
        "observables": all(_found(made, each["name"]) == each["value"] for each in made.get("observables", [])),
        "nothing unknown": not _empty({**made, "unmapped": {**made["unmapped"], "changes": 1, "calls": 1}}),
    }
    return found + [name for name, kept in checks.items() if not kept]


def _read(alert: Alert, *, minimal: bool = False) -> dict[str, Any]:
    line = finding_line(alert, NOW, minimal=minimal)
    assert len(line) <= MAX_BYTES
    assert line.decode().splitlines() == [line[:-1].decode()]
    made: dict[str, Any] = orjson.loads(line)
    return made


def test_an_alert_is_a_detection_finding() -> None:
    made = _read(
        make_alert(
            rule=RuleInfo("ct-013", "Trail changes", "high", ("attack.defense-evasion", "attack.t1562.008", "cis.3.5")),
            event_error_code="AccessDenied",
            event_error_message="not authorized",
            links=Links("https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home", "https://runbook.example/"),
            record={"eventName": "StopLogging", "requestID": "r-1"},
        )
    )
    assert faults(made) == []
    assert (made["class_uid"], made["type_uid"], made["severity_id"], made["status_id"]) == (2004, 200401, 5, 1)
    assert made["time"] == made["finding_info"]["created_time"] == HAPPENED
    assert made["metadata"]["version"] == "1.6.0"
    assert made["metadata"]["uid"] == made["finding_info"]["uid"] == "alert-1"
    assert made["metadata"]["event_code"] == "StopLogging"
    assert "is_truncated" not in made["metadata"]
    assert made["finding_info"]["analytic"] == {"type_id": 1, "type": "Rule", "uid": "ct-013", "name": "Trail changes"}
    assert made["finding_info"]["attacks"] == [
        {"tactic": {"name": "Defense Evasion"}},
        {"technique": {"uid": "T1562"}, "sub_technique": {"uid": "T1562.008"}},
    ]
    account = {"uid": "111122223333", "name": "prod", "type_id": 10, "type": "AWS Account"}
    assert made["cloud"] == {"provider": "AWS", "region": "eu-west-1", "account": account}
    (evidence,) = made["evidences"]
    assert evidence["api"] == {
        "operation": "StopLogging",
        "service": {"name": "cloudtrail.amazonaws.com"},
        "request": {"uid": "r-1"},
        "response": {"error": "AccessDenied", "error_message": "not authorized"},
    }
    assert evidence["actor"]["user"]["uid"] == "arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com"
    assert evidence["actor"]["user"]["type"] == "AssumedRole"
    assert evidence["actor"]["session"] == {"uid": "alice@example.com"}
    assert evidence["src_endpoint"] == {"ip": "198.51.100.7"}
    assert evidence["http_request"] == {"user_agent": "aws-cli/2.15.0"}
    assert [resource["uid"] for resource in made["resources"]] == [TRAIL]
    assert {each["type_id"]: each["value"] for each in made["observables"]} == {
        2: "198.51.100.7",
        4: "Admin",
        10: TRAIL,
        16: "aws-cli/2.15.0",
        19: "ASIAEXAMPLE",
        35: "111122223333",
    }
    assert made["remediation"]["references"] == ["https://runbook.example/"]
    assert json.loads(made["raw_data"]) == {"eventName": "StopLogging", "requestID": "r-1"}
    assert made["raw_data_size"] == len(made["raw_data"].encode())
    assert made["unmapped"]["changes"] == [{"field": "name", "value": "main", "effect": "recording stops"}]


def test_the_schema_knows_a_bad_finding_from_a_good_one() -> None:
    made = _read(make_alert())
    assert faults(made) == []
    bad: list[dict[str, Any]] = [
        {**made, "severity_id": 7},
        {**made, "invented": "x"},
        {**made, "time": "2026-03-01T12:00:00Z"},
        {name: value for name, value in made.items() if name != "cloud"},
        {**made, "evidences": [{"src_endpoint": {"ip": "evil.example"}}]},
        {**made, "evidences": [{"actor": {"invoked_by": "cloudtrail.amazonaws.com"}}]},
        {**made, "finding_info": {"uid": "x", "attacks": [{}]}},
    ]
    assert all(next(_schema().iter_errors(each), None) for each in bad)


@pytest.mark.parametrize(
    ("source", "endpoint"),
    [
        ("2001:DB8:0::1", {"ip": "2001:db8::1"}),
        ("cloudtrail.amazonaws.com", {"domain": "cloudtrail.amazonaws.com"}),
        ("AWS Internal", {"name": "AWS Internal"}),
        ("fe80::1%eth0", {"name": "fe80::1%eth0"}),
        ("198.51.100.7\n", {"name": "198.51.100.7\n"}),
    ],
)
def test_where_a_call_came_from_is_an_address_or_a_name(source: str, endpoint: dict[str, str]) -> None:
    made = _read(make_alert(actor_source_ip=source))
    assert made["evidences"][0]["src_endpoint"] == endpoint
    assert [each["value"] for each in made["observables"] if each["type_id"] == 2] == [
        endpoint["ip"] for _ in range("ip" in endpoint)
    ]
    assert faults(made) == []


def test_what_is_known_of_a_session_and_a_resource_is_said() -> None:
    resources = (
        Resource("AWS::CloudTrail::Trail", TRAIL, True),
        Resource("AWS::S3::Bucket", "arn:aws-cn:s3:::b", None),
    )
    made = _read(make_alert(actor_mfa=False, actor_invoked_by="cloudformation.amazonaws.com", resources=resources))
    actor = made["evidences"][0]["actor"]
    assert (actor["session"]["is_mfa"], actor["app_name"]) == (False, "cloudformation.amazonaws.com")
    assert (made["resources"][0]["region"], made["resources"][0]["labels"]) == ("eu-west-1", ["protected"])
    assert made["resources"][1]["cloud_partition"] == "aws-cn"
    assert "region" not in made["resources"][1]


def test_an_event_without_a_time_has_the_moment_of_the_telling() -> None:
    made = _read(make_alert(event_time="yesterday"))
    assert made["time"] == HAPPENED + 30_000
    assert made["metadata"]["original_time"] == "yesterday"


def test_the_same_alert_makes_the_same_line() -> None:
    assert finding_line(make_alert(), NOW) == finding_line(make_alert(), datetime.now(UTC))


def test_a_record_that_is_too_long_is_left_out_and_this_is_said() -> None:
    long = {"x": "y" * MAX_BYTES}
    made = _read(make_alert(record=long, actor_user_agent="u" * 10_000))
    assert "raw_data" not in made
    assert made["metadata"]["is_truncated"] is True
    assert made["unmapped"]["omitted"] == ["record"]
    assert made["evidences"][0]["http_request"]["user_agent"] == "u" * 10_000  # there is room for it
    assert faults(made) == []


def test_then_texts_are_cut_but_never_an_id() -> None:
    made = _read(
        make_alert("a" * 64, actor_user_agent="u" * MAX_BYTES, changes=(Change("x", "v" * MAX_BYTES, ""),) * 2)
    )
    assert made["evidences"][0]["http_request"]["user_agent"].endswith(CUT)
    assert made["unmapped"]["changes"][0]["value"].endswith(CUT)
    assert (made["finding_info"]["uid"], made["resources"][0]["uid"]) == ("a" * 64, TRAIL)
    assert faults(made) == []


def test_the_minimal_finding_has_no_record() -> None:
    made = _read(make_alert(), minimal=True)
    assert "raw_data" not in made
    assert made["unmapped"]["omitted"] == ["record"]
    assert faults(made) == []


def test_a_record_that_strict_readers_refuse_is_kept_as_text() -> None:
    record: dict[str, Any] = {"lone": "\ud800", "big": 2**70, "deep": []}
    for _ in range(5000):
        record["deep"] = [record["deep"]]
    kept = json.loads(_read(make_alert(record=record))["raw_data"])
    assert (kept["lone"], kept["big"]) == ("?", 2**70)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_make_valid_findings(name: str) -> None:
    alert = hostile(ATTACKS[name], items=2)
    assert faults(_read(alert)) == faults(_read(alert, minimal=True)) == []


@given(alerts())
@settings(max_examples=20, deadline=None)
def test_any_alert_makes_a_valid_finding(alert: Alert) -> None:
    made = _read(alert)
    assert faults(made) == []
    assert made["finding_info"]["uid"] == alert.id
