import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.detect.test_sigma import matches


def test_dotted_fields_reach_into_objects_and_any_element_of_arrays() -> None:
    selection = {"requestParameters.rules.port": "22"}

    assert matches(selection, {"requestParameters": {"rules": {"port": 22}}})
    assert matches(selection, {"requestParameters": {"rules": [{"port": 80}, [{"port": [23, 22]}]]}})
    assert not matches(selection, {"requestParameters": {"rules": [{"port": 80}, "port"]}})
    assert not matches(selection, {"requestParameters": "rules.port"})


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"a.b.c": "x"}, True),
        ({"a": {"b.c": "x"}}, True),
        ({"a.b": [{"c": "x"}]}, True),
        ({"a": {"b": {"c": "y"}, "b.c": "x"}}, True),
        ({"a": {"b": {"c": "y"}}, "a.b.c": "z"}, False),
        ({"a": {"b": {}}, "b.c": "x"}, False),
    ],
)
def test_the_names_of_members_may_hold_dots(record: dict[str, Any], expected: bool) -> None:
    assert matches({"a.b.c": "x"}, record) is expected


POLICY = {"Statement": [{"Effect": "Allow", "Action": ["s3:*", "iam:PassRole"], "Condition": {"Bool": {"a.b": 1}}}]}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"requestParameters.policyDocument.Statement.Effect": "allow"}, True),
        ({"requestParameters.policyDocument.Statement.Action|startswith": "IAM:"}, True),
        ({"requestParameters.policyDocument.Statement.Action": r"s3:\*"}, True),
        ({"requestParameters.policyDocument.Statement.Effect": "Deny"}, False),
        ({"requestParameters.policyDocument.Statement.Condition.Bool.a.b": 1}, True),
        ({"requestParameters.policyDocument.Statement.Condition|exists": True}, True),
        ({"requestParameters.policyDocument.Statement.Principal|exists": False}, True),
        ({"requestParameters.policyDocument.Statement.Principal": None}, True),
        ({"requestParameters.policyDocument|contains": '"effect": "allow"'}, True),
    ],
)
def test_a_document_in_a_text_is_entered(selection: Any, expected: bool) -> None:
    texts = [json.dumps(POLICY), "\n" + json.dumps(POLICY, indent=1).replace("A", r"\u0041"), json.dumps([POLICY])]
    for text in texts if "requestParameters.policyDocument|contains" not in selection else texts[::2]:
        assert matches(selection, {"requestParameters": {"policyDocument": text}}) is expected
        assert matches(selection, {"requestParameters": [{"policyDocument": ["", text]}]}) is expected


def test_a_document_may_be_percent_encoded_as_iam_answers() -> None:
    answer = {"role": {"assumeRolePolicyDocument": quote(json.dumps(POLICY))}}

    assert matches(
        {"responseElements.role.assumeRolePolicyDocument.Statement.Action": "iam:passrole"},
        {"responseElements": answer},
    )


def test_documents_may_lie_in_documents() -> None:
    inner = json.dumps({"c": json.dumps({"d": [1, "x"]})})

    assert matches({"a.b.c.d": "x"}, {"a": {"b": inner}})


def test_what_cloudtrail_writes_itself_is_never_a_document() -> None:
    assert not matches({"userIdentity.sessionContext.a": "x"}, {"userIdentity": {"sessionContext": '{"a": "x"}'}})
    assert not matches({"a.b.c": "x"}, {"a": '{"b": {"c": "x"}}'})


@pytest.mark.parametrize(
    "text",
    [
        '{"c": "x"',
        '{"c": "x"}}',
        '"c": "x"',
        "{" * 100_000,
        '{"c":' * 100_000,
        "[" * 100_000,
        '{"c": "x", "d": "' + "x" * 300_000 + '"}',
        "%7B%",
        "",
        "\ud800{",
        '{"c": NaN}',
    ],
)
def test_what_is_no_document_or_too_long_is_a_text(text: str) -> None:
    assert not matches({"a.b.c": "x"}, {"a": {"b": text}})


def test_a_number_that_python_will_not_read_hides_no_document() -> None:
    assert matches({"a.b.c": "x"}, {"a": {"b": '{"n": ' + "1" * 5000 + ', "c": "x"}'}})
