import json
from dataclasses import replace
from typing import Any

import pytest

from stream.alert import Change
from tests.detect.records import alert_of, record
from tests.detect.strategies import nested

DESIGNED = {
    "id": None,
    "severity": None,
    "title": None,
    "summary": None,
    "rule": {"id", "title", "level", "tags", "compliance", "references"},
    "event": {
        *{"id", "name", "source", "time", "region", "account_id", "account_name", "type", "outcome"},
        *{"error_code", "error_message"},
    },
    "actor": {
        *{"type", "name", "session_name", "source_identity", "arn", "account_id", "principal_id", "access_key_id"},
        *{"mfa", "source_ip", "location", "user_agent", "via", "invoked_by"},
        *{"issuer", "provider", "on_behalf_of", "credential_id", "assumed_root"},
    },
    "resources": None,
    "changes": None,
    "provenance": None,
    "log_file": {"bucket", "key", "version_id"},
    "links": {"console", "runbook", "lookup_events", "athena"},
    "context": None,
    "record": None,
}


def test_the_json_has_the_designed_fields() -> None:
    told = json.loads(alert_of(record("UpdateTrail", {"name": "main", "recursiveLogging": False})).to_json())

    assert list(told) == list(DESIGNED)
    assert {name: set(told[name]) for name, members in DESIGNED.items() if members} == {
        name: members for name, members in DESIGNED.items() if members
    }
    assert set(told["resources"][0]) == {"type", "arn", "protected"}
    assert set(told["changes"][0]) == {"field", "value", "effect"}


def test_it_is_one_line_to_whoever_reads_it() -> None:
    odd = "a\x85b\u2028c\u2029d\ufffee\uffff"
    several: list[dict[str, Any]] = [{}, {"big": 2**70}]
    for more in several:
        text = alert_of(record("StopLogging", {"name": "main", "odd": odd, **more})).to_json().decode()
        assert len(text.splitlines()) == 1
        assert not {"\ufffe", "\uffff"} & set(text)
        assert json.loads(text)["record"]["requestParameters"]["odd"] == odd


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("\ud800", "?"),
        (2**70, 2**70),
        (2**20_000, "(a huge number)"),
        ({"\ud800": 1}, {"?": 1}),
        ([float("nan"), 2**70], [None, 2**70]),
    ],
    ids=["a lone surrogate", "65 bits", "more digits than Python prints", "a name with one", "not a number"],
)
def test_what_orjson_refuses_is_written_all_the_same(value: Any, told: Any) -> None:
    alert = alert_of(record("StopLogging", {"name": "main", "odd": value}))
    alert = replace(alert, changes=(Change("odd", value, "x"),))

    text = alert.to_json()
    written = json.loads(text)

    assert b"\\ud800" not in text, "strict readers would refuse all of it"
    assert written["record"]["requestParameters"]["odd"] == told
    assert written["changes"] == [{"field": "odd", "value": told, "effect": "x"}]
    assert written["resources"][0]["protected"] is True


@pytest.mark.parametrize("kind", ["list", "object"])
@pytest.mark.parametrize("depth", [300, 5000])
def test_what_is_nested_too_deep_is_cut(kind: str, depth: int) -> None:
    text = alert_of(record("StopLogging", {"name": "main", "deep": nested(kind, depth)})).to_json()

    assert json.loads(text)["record"]["requestParameters"]["name"] == "main"
    assert b"(too deep to show)" in text
