"""`trailstream routes`: what is in force, where an alert would go and why, and the schema."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.running import Finished, invoke

STOP_LOGGING = {
    "eventVersion": "1.11",
    "eventTime": "2026-03-01T12:00:00Z",
    "eventSource": "cloudtrail.amazonaws.com",
    "eventName": "StopLogging",
    "awsRegion": "eu-west-1",
    "recipientAccountId": "111122223333",
    "eventID": "e1",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/\u202eeve", "userName": "\u202eeve"},
    "requestParameters": {"name": "main"},
}
HARMLESS = {**STOP_LOGGING, "eventName": "DescribeTrails", "eventID": "e2"}

FILE = """
channels:
  soc: {type: slack, webhook_url: "https://hooks.example/hunter2"}
  pager: {type: pagerduty, routing_key: {env: PAGER_KEY}, accounts: ["999*"], fallback: soc}
routes:
  - match: {severity: low}
    channels: soc
  - match: {account: "1111*", not: {actor: "*:user/ci-*"}}
    channels: [pager, soc]
    continue: true
  - channels: [soc]
  - channels: [pager]
"""


@pytest.fixture(autouse=True)
def routes_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "routes.yml"
    file.write_text(FILE)
    monkeypatch.setenv("PAGER_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(file))
    return file


def explained(value: object, *arguments: str) -> Finished:
    done = invoke("routes", "test", "-", *arguments, stdin=json.dumps(value).encode())
    assert (done.out + done.err).replace("\n", "").isprintable()
    return done


def test_a_record_is_followed_through_every_route_that_is_asked() -> None:
    done = explained(STOP_LOGGING)

    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if not line.startswith("  rule ")] == [
        "critical: CloudTrail logging stopped: trail main in account 111122223333 (eu-west-1)",
        "  route 1 (line 6): does not match",
        "    no   severity low: it is critical",
        "  route 2 (line 8): takes it to pager, soc, and the next is asked as well",
        "    yes  account 1111*: it is 111122223333",
        "    yes  not actor *:user/ci-*: it is arn:aws:iam::111122223333:user/\\u202eeve or \\u202eeve",
        "  route 3 (line 11): has no matcher and takes it to soc",
        "  pager does not want it: no   account 999*: it is 111122223333",
        "  => soc",
    ]


def test_json_says_the_same() -> None:
    (found,) = json.loads(explained({"Records": [HARMLESS, STOP_LOGGING]}, "--format", "json").out)

    assert (found["channels"], found["by_default"], found["suppressed_by"]) == (["soc"], False, None)
    assert [(step["route"], step["line"], step["takes"]) for step in found["routes"]] == [
        (1, 6, False),
        (2, 8, True),
        (3, 11, True),
    ]
    assert found["routes"][0]["match"] == [
        {"field": "severity", "wanted": ["low"], "negated": False, "found": ["critical"], "holds": False}
    ]
    assert [(each["channel"], each["because"][0]["field"]) for each in found["kept_off"]] == [("pager", "account")]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(STOP_LOGGING).encode(),
        gzip.compress(json.dumps({"Records": [HARMLESS, STOP_LOGGING]}).encode()),
        json.dumps([STOP_LOGGING]).encode(),
        json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": STOP_LOGGING}).encode(),
    ],
)
def test_a_record_may_come_alone_in_a_log_file_or_in_an_event(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "record").write_bytes(content)
    done = invoke("routes", "test", tmp_path / "record")

    assert done.code == 0
    assert done.out.endswith("  => soc\n")


def test_what_nobody_would_be_told_of_is_exit_code_1(routes_file: Path) -> None:
    harmless = explained(HARMLESS)
    assert (harmless.code, harmless.out) == (1, "")
    assert "no rule matches" in harmless.err

    routes_file.write_text(
        "channels: {soc: {type: stdout}}\nroutes: [{match: {region: us-*}, channels: soc}]\ndefault: []"
    )
    nowhere = explained(STOP_LOGGING)
    assert nowhere.code == 1
    assert nowhere.out.endswith("  default: no route takes it, so it goes nowhere\n  => nowhere\n")


def test_without_a_channel_an_alert_goes_nowhere_for_that_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAILSTREAM_ROUTES")
    nobody = explained(STOP_LOGGING)
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")

    assert nobody.code == 1
    assert nobody.out.endswith("  default: no channel is on, so it goes nowhere\n  => nowhere\n")
    assert "  default: there are no routes, so it goes to stdout\n" in explained(STOP_LOGGING).out


def test_a_suppressed_alert_goes_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "filter.yml").write_text(
        "title: Known\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter: {rules: any, selection: {recipientAccountId: '111122223333'}, condition: not selection}"
    )
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(tmp_path / "filter.yml"))
    done = explained(STOP_LOGGING)

    assert done.code == 1
    assert done.out.endswith("  it is suppressed by the filter known\n  => nowhere\n")


def test_accounts_go_by_their_names_too(routes_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    routes_file.write_text(
        "channels: {soc: {type: stdout}}\nroutes: [{match: {account: prod}, channels: soc}]\ndefault: []"
    )
    monkeypatch.setenv("TRAILSTREAM_ACCOUNTS", "111122223333=Prod")

    assert "yes  account prod: it is 111122223333 or Prod" in explained(STOP_LOGGING).out


@pytest.mark.parametrize("content", [b"", b"{", b"7", b'{"Records": []}', b"\x1f\x8b\x00", b"\xff"])
def test_what_is_no_record_is_exit_code_2(content: bytes) -> None:
    done = invoke("routes", "test", "-", stdin=content)

    assert done.code == 2
    assert "Error: - " in done.err


def test_a_file_that_is_not_there_is_exit_code_2() -> None:
    assert invoke("routes", "test", "/no/such").code == 2
    assert invoke("routes", TRAILSTREAM_ROUTES="/no/such.yml").code == 2


@pytest.mark.parametrize("arguments", [["routes"], ["routes", "list"]])
def test_the_routes_in_force_are_listed_and_what_was_not_meant_is_said(arguments: list[str]) -> None:
    done = invoke(*arguments)
    rows = [line.split() for line in done.out.splitlines()]

    assert done.code == 0
    assert ["2", "8", "account", "1111*;", "not", "actor", "*:user/ci-*", "pager,", "soc", "the"] in [
        r[:10] for r in rows
    ]
    assert ["default", "what", "no", "route", "takes", "soc,", "pager"] in rows
    assert ["pager", "pagerduty", "severity", ">=informational;", "account", "999*", "soc"] in [row[:7] for row in rows]
    assert done.err == (
        "trailstream: route 4 (line 12) never gets an alert: route 3 (line 11) takes them all and has no `continue`\n"
    )
    assert "hunter2" not in done.out


def test_routes_that_variables_make_are_listed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAILSTREAM_ROUTES")
    listed: dict[str, Any] = json.loads(
        invoke(
            "routes", "list", "--format", "json", TRAILSTREAM_STDOUT="true", TRAILSTREAM_STDOUT_RULES="ct-*"
        ).out
    )  # fmt: skip

    assert (listed["routes"], listed["default"], listed["warnings"]) == ([], ["stdout"], [])
    (channel,) = listed["channels"]
    assert (channel["name"], channel["type"], channel["set_by"]) == ("stdout", "stdout", "TRAILSTREAM_STDOUT_*")
    assert [(each["field"], each["wanted"]) for each in channel["only"]] == [
        ("severity", [">=informational"]),
        ("rule", ["ct-*"]),
    ]


def test_channels_of_the_file_are_listed_with_their_types() -> None:
    listed = {each["name"]: each for each in json.loads(invoke("channels", "list", "--format", "json").out)}

    assert (listed["pager"]["type"], listed["pager"]["state"]) == ("pagerduty", "on")
    assert "pager  " in invoke("channels").out


def test_the_schema_is_json() -> None:
    done = invoke("routes", "schema")

    assert done.code == 0
    assert json.loads(done.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_units_and_tags_of_accounts_are_matched_as_the_file_of_accounts_tells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, routes, record = (tmp_path / name for name in ("accounts.yml", "routes.yml", "record.json"))
    accounts.write_text('"111122223333": {name: shop, ou: Root/Workloads/Prod, tags: {env: prod}}\n')
    routes.write_text(
        "channels: {a: {type: webhook, url: 'https://a.example'}}\n"
        "routes: [{match: {ou: 'Root/W*', tag: env=prod}, channels: a}]\n"
        "default: []\n"
    )
    record.write_text(json.dumps(STOP_LOGGING))
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(routes))
    monkeypatch.setenv("TRAILSTREAM_ACCOUNTS", str(accounts))
    done = invoke("routes", "test", str(record))

    assert done.code == 0, done.err
    assert "yes  ou Root/W*: it is Root/Workloads/Prod" in done.out
    assert "yes  tag env=prod: it is env=prod" in done.out
