import dataclasses
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.alert import Alert
from stream.decode.beginning import MOST_BYTES, Beginning
from stream.detect.context import LogFileContext, principal
from stream.json_value import shown, text_at
from tests.decode.logs import RECORDS, compressed, giant, log_file
from tests.detect.records import ACCOUNT, ROLE, ROOT, alert_of, record

CI: dict[str, Any] = ROLE | {"principalId": "AROAEXAMPLE:ci"}
SOMEBODY: dict[str, Any] = {"type": "IAMUser", "principalId": "AIDAOTHER", "userName": "ci"}


def call(name: str, source: str = "ec2.amazonaws.com", **fields: Any) -> dict[str, Any]:
    return record(name, **({"eventSource": source, "userIdentity": CI} | fields))


STOP = call("StopLogging", "cloudtrail.amazonaws.com", requestParameters={"name": "main"})


def seen(body: bytes, chunk_bytes: int = 1 << 20) -> LogFileContext:
    """A file of which all was read."""
    beginning = Beginning()
    context = LogFileContext(beginning, max_record_bytes=1 << 20)
    for start in range(0, len(body), chunk_bytes):
        beginning.add(body[start : start + chunk_bytes])
    context.ended()
    return context


def told(body: bytes, one: dict[str, Any] = STOP) -> dict[str, Any] | None:
    """The context of the alert of a record, in a file of which all was read."""
    context = seen(body)
    context.add(context.look([one]))
    return context.with_context(alert_of(one)).context


def test_what_else_a_principal_did_is_told_the_most_telling_first() -> None:
    body = log_file(
        call("DescribeInstances", readOnly=True, eventTime="2025-01-02T03:00:00Z", sourceIPAddress="192.0.2.8"),
        call("DescribeInstances", readOnly=True),
        call("ListRoles", "iam.amazonaws.com", readOnly=True),
        call("GetObject", readOnly=True, errorCode="AccessDenied", errorMessage="no"),
        call("CreateUser", "iam.amazonaws.com"),
        call("StopLogging", "cloudtrail.amazonaws.com", errorCode="TrailNotFoundException"),
        STOP,
        call("TerminateInstances", userIdentity=SOMEBODY),
        call("TerminateInstances", userIdentity=ROOT),
        call("RunInstances", eventTime="2025-01-02T04:00:00Z", awsRegion="eu-west-1"),
    )

    context = told(body)

    assert context == {
        "scope": "this log file",
        "records": 8,
        "calls": {
            "StopLogging": 2,
            "CreateUser": 1,
            "RunInstances": 1,
            "GetObject": 1,
            "ListRoles": 1,
            "DescribeInstances": 2,
        },
        "other_calls": 0,
        "errors": 2,
        "denied": 1,
        "first": "2025-01-02T03:00:00Z",
        "last": "2025-01-02T04:00:00Z",
        "regions": ["us-east-1", "eu-west-1"],
        "source_ips": ["192.0.2.8", "192.0.2.7"],
    }
    assert list((context or {})["calls"])[:4] == ["StopLogging", "CreateUser", "RunInstances", "GetObject"]


def test_two_sessions_of_a_role_are_two_principals_and_two_keys_of_a_session_are_one() -> None:
    other = CI | {"principalId": "AROAEXAMPLE:other"}
    again = CI | {"accessKeyId": "ASIAANOTHER"}
    context = told(log_file(STOP, call("A", userIdentity=other), call("B", userIdentity=again)))

    assert (context or {})["calls"] == {"StopLogging": 1, "B": 1}


@pytest.mark.parametrize(
    ("identity", "known"),
    [
        (CI, True),
        ({"type": "IAMUser", "userName": "alice"}, True),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}, True),
        ({"type": "AWSService", "invokedBy": "controltower.amazonaws.com"}, True),
        ({"type": "Unknown"}, False),
        ({"principalId": {"of": "no use"}}, False),
        (None, False),
        ([], False),
    ],
)
def test_who_can_not_be_told_from_others_has_no_context(identity: Any, known: bool) -> None:
    one = STOP | {"userIdentity": identity}

    assert (principal(one) is not None) is known
    assert (told(log_file(one), one) is not None) is known


def test_of_a_long_list_the_rest_is_counted_and_names_and_places_are_cut() -> None:
    names = [f"Call{number}" for number in range(300)]
    calls = [call(name, sourceIPAddress=f"192.0.2.{number % 99}", readOnly=True) for number, name in enumerate(names)]
    context = (
        told(log_file(STOP, call("\u202ePut\n" + "x" * 500), call(""), call("x") | {"eventName": None}, *calls)) or {}
    )

    assert context["records"] == 304
    assert len(context["calls"]) == 20
    assert sum(context["calls"].values()) + context["other_calls"] == 304
    assert all(len(name) <= 64 and name.isprintable() for name in context["calls"])
    assert len(context["source_ips"]) == 5


def test_of_a_large_file_the_first_records_are_told_and_it_says_so() -> None:
    filler = json.dumps(call("DescribeInstances", userIdentity=SOMEBODY, readOnly=True, x="x" * 1000)).encode()
    context = told(giant(json.dumps(STOP).encode() + b"," + filler, 20_000)) or {}

    count = context["records"]
    assert 2000 < count < 10_000
    assert context["scope"] in [f"the first {2 * count - more} records of this log file" for more in (0, 1)]


def test_of_bytes_that_are_not_kept_nothing_is_told() -> None:
    noise = "".join(chr(33 + (number * number * 7919 >> 5) % 90) for number in range(2_000_000)).replace('"', "")
    body = json.dumps({"Records": [STOP, call("A", x=noise.replace("\\", ""))]}).encode()
    context = seen(body, 64 * 1024)
    context.add(context.look([STOP]))

    assert sum(map(len, context._beginning.chunks)) == MOST_BYTES < len(body)
    found = context.with_context(alert_of(STOP)).context
    assert found is None or (found["records"], found["scope"]) == (1, "the first 1 records of this log file")


@pytest.mark.parametrize("cut", [-1, -9, -200])
def test_of_a_damaged_file_what_stands_before_the_damage_is_told(cut: int) -> None:
    context = told(log_file(*([STOP] * 500))[:cut]) or {}

    assert context["scope"] == f"the first {context['records']} records of this log file"
    assert context["records"] > 0


def test_of_two_arrays_of_records_the_last_counts() -> None:
    text = json.dumps({"Records": [STOP, call("A")]})[:-1] + "," + json.dumps({"Records": [STOP]})[1:]

    assert (told(gzip.compress(text.encode())) or {})["calls"] == {"StopLogging": 1}


def test_a_record_that_a_strict_parser_refuses_counts_too() -> None:
    odd = json.dumps(call("CreateUser")).replace("192.0.2.7", "\\ud800")
    body = b'{"Records":[%s,%s,3,[]]}' % (json.dumps(STOP).encode(), odd.encode())

    assert (told(body) or {})["calls"] == {"StopLogging": 1, "CreateUser": 1}


def test_a_file_is_looked_at_again_only_for_other_principals_and_a_few_times_at_most() -> None:
    context = seen(log_file(STOP))
    assert context.lacks(STOP)
    context.add(context.look([STOP]))
    assert not context.lacks(STOP)
    passes = 1
    for number in range(100):
        one = STOP | {"userIdentity": {"principalId": f"p{number}"}}
        if context.lacks(one):
            context.add(context.look([one]))
            passes += 1
    assert passes == 4
    assert context.with_context(alert_of(STOP)).context is not None


def failed(*names: str, identity: Any = CI) -> Alert:
    calls = [
        call(name, "cloudtrail.amazonaws.com", errorCode="TrailNotFoundException", userIdentity=identity)
        for name in names
    ]
    reads = call("DescribeTrails", "cloudtrail.amazonaws.com", readOnly=True, userIdentity=identity)
    context = seen(log_file(*calls, reads))
    context.add(context.look(calls))
    return context.with_context(alert_of(calls[0]))


def test_a_failed_call_is_graver_as_one_of_many_kinds() -> None:
    assert failed("StopLogging", "StopLogging", "DeleteTrail").severity == "low"
    many = failed("StopLogging", "DeleteTrail", "UpdateTrail")
    assert many.severity == "medium"
    assert many.summary.endswith("It is one of 3 kinds of CloudTrail call by the same actor.")
    assert failed("StopLogging", "DeleteTrail", "UpdateTrail", identity=ROOT | {"principalId": ACCOUNT}).severity == (
        "high"
    )


def test_many_kinds_make_nothing_else_graver() -> None:
    calls = [call(name, "cloudtrail.amazonaws.com") for name in ("StartLogging", "DeleteTrail", "UpdateTrail")]
    context = seen(log_file(*calls))
    context.add(context.look(calls))
    before = alert_of(calls[0])

    assert dataclasses.replace(context.with_context(before), context=None) == before


GITHUB = {
    "type": "WebIdentityUser",
    "principalId": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:a/b",
}
WHO = [
    CI,
    SOMEBODY,
    GITHUB,
    {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/deploy/ci"},
    {"type": "SAMLUser", "principalId": "c2Ft+bA/bmFtZQ==:ops"},
    {"type": "IAMUser", "userName": 'quo"ted'},
    {"type": "IAMUser", "userName": "back\\slash"},
    {"type": "IAMUser", "userName": "Jürgen"},
    {"type": "IAMUser", "principalId": 123},
    {"type": "AWSService", "invokedBy": " backup.amazonaws.com", "accountId": "111122223333"},
]


@given(
    st.sampled_from(WHO),
    st.lists(st.tuples(RECORDS, st.sampled_from([*WHO, ROOT, None, [CI], "AROAEXAMPLE:ci"])), max_size=12),
    st.data(),
)
def test_counts_are_those_of_a_plain_reading(
    who: dict[str, Any], made: list[tuple[dict[str, Any], Any]], data: st.DataObject
) -> None:
    stop = STOP | {"userIdentity": who}
    records = [each | {"userIdentity": identity} for each, identity in made]
    mine = [each for each in [*records, stop] if principal(each) == principal(stop)]
    texts = [json.dumps(each) for each in [*records, stop]]
    spelt = [_spelt(text, data.draw(st.sampled_from("|AE"))) for text in texts]
    body = data.draw(compressed(f'{{"Records": [{",".join(spelt)}]}}'.encode()))

    context = told(body, stop) or {}

    assert context["scope"] == "this log file"
    assert context["records"] == len(mine) >= 1
    assert sum(context["calls"].values()) + context["other_calls"] == len(mine)
    assert set(context["calls"]) == {shown(text_at(each, "eventName") or "", 64) for each in mine} - {""}


def _spelt(text: str, character: str) -> str:
    """JSON with a character spelt as an escape, where it has none."""
    return text if "\\" in text else text.replace(character, f"\\u{ord(character):04x}")
