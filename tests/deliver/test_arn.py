import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.deliver.arn import Arn, parse_arn
from tests.deliver.alerts import TRAIL


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (TRAIL, Arn("aws", "cloudtrail", "eu-west-1", "111122223333", "trail/main")),
        ("arn:aws-cn:s3:::logs", Arn("aws-cn", "s3", "", "", "logs")),
        ("arn:aws:iam::aws:policy/AdministratorAccess", Arn("aws", "iam", "", "aws", "policy/AdministratorAccess")),
        (
            "arn:aws:logs:us-east-1:111122223333:log-group:a:*",
            Arn("aws", "logs", "us-east-1", "111122223333", "log-group:a:*"),
        ),
    ],
)
def test_an_arn_is_taken_apart(text: str, parts: Arn) -> None:
    assert parse_arn(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", "main", "arn:aws:s3:::", "arn:gcp:s3:::logs", "arn:aws:sns:eu-west-1:1:x", TRAIL + "\n", TRAIL + "x" * 2048],
)
def test_what_is_none_is_none(text: str) -> None:
    assert parse_arn(text) is None


@given(st.text() | st.builds("arn:aws:{}:{}:{}:{}".format, st.text(), st.text(), st.text(), st.text()))
@settings(max_examples=30, deadline=None)
def test_any_text_is_one_or_none(text: str) -> None:
    arn = parse_arn(text)
    assert arn is None or text == f"arn:{arn.partition}:{arn.service}:{arn.region}:{arn.account}:{arn.resource}"
