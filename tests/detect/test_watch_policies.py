"""Of a policy, who it lets in and whom it keeps out."""

from dataclasses import replace
from typing import Any, Final

import pytest

from stream.alert import LogFile
from tests.detect.records import ACCOUNT, LOG_FILE, OTHER_ACCOUNT, TRAIL
from tests.detect.test_watch import ALLOW, KEY, LOGS, OURS, TLS_ONLY, told

OTHER_TRAIL: Final = TRAIL.replace(ACCOUNT, OTHER_ACCOUNT)
IN_ORGANIZATION: Final = LogFile("trail-logs", LOG_FILE.key.replace("AWSLogs/", "AWSLogs/o-a1b2c3/"))
BUCKET: Final = "arn:aws:s3:::trail-logs"


def put(*statements: Any, **more: Any) -> str:
    """The severity of a bucket's new policy."""
    found = told("s3", "PutBucketPolicy", LOGS | {"bucketPolicy": {"Statement": list(statements)}}, **more)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("condition", "severity"),
    [
        ({"Bool": {"aws:SecureTransport": False}}, "informational"),
        ({"BoolIfExists": {"AWS:securetransport": ["false"]}}, "informational"),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, "informational"),
        ({"NumericLessThan": {"s3:TlsVersion": [1.2]}, "Bool": {"aws:SecureTransport": "false"}}, "informational"),
        ({"Bool": {"aws:SecureTransport": "true"}}, "critical"),
        ({"Bool": {"aws:SecureTransport": ["false", "true"]}}, "critical"),
        ({"Bool": {"aws:SecureTransport": []}}, "critical"),
        ({"Null": {"aws:SecureTransport": "false"}}, "critical"),
        ({"StringNotEquals": {"aws:SecureTransport": "false"}}, "critical"),
        ({"NumericGreaterThan": {"s3:TlsVersion": "1.0"}}, "critical"),
        ({"NumericLessThan": {"s3:TlsVersion": "9"}}, "critical"),
        ({"NumericLessThan": {"s3:TlsVersion": {"1.2": 10**400}}}, "critical"),
        ({"NumericLessThan": {"s3:TlsVersion": 10**400}}, "critical"),
        ({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"a:b": "c"}}, "critical"),
        ({"NumericLessThanIfExists": {"s3:TlsVersion": "1.2"}}, "informational"),
        ({}, "critical"),
    ],
)
def test_a_deny_is_harmless_only_if_it_is_for_who_does_not_encrypt(condition: Any, severity: str) -> None:
    assert put(ALLOW, TLS_ONLY | {"Condition": condition}) == severity


def writes(*resources: str, **condition: Any) -> dict[str, Any]:
    """The statement by which CloudTrail may write, as AWS's documentation and console make it."""
    acl = {"s3:x-amz-acl": "bucket-owner-full-control"}
    return ALLOW | {"Resource": list(resources), "Condition": {"StringEquals": acl | condition}}


@pytest.mark.parametrize(
    ("resource", "severity", "inline"),
    [
        (f"{BUCKET}/logs/AWSLogs/{ACCOUNT}/*", "informational", "informational"),
        (f"{BUCKET}/logs/AWSLogs/o-a1b2c3/*", "informational", "informational"),
        (f"{BUCKET}/logs/AWSLogs/*/CloudTrail/*.json.gz", "informational", "informational"),
        (f"{BUCKET}/logs/*", "informational", "informational"),
        (f"{BUCKET}/${{aws:x}}/*", "informational", "informational"),
        (f"{BUCKET}/*", "informational", "informational"),
        ("arn:aws:s3:::trail-*", "informational", "informational"),
        ("*", "informational", "informational"),
        (f"{BUCKET}/AWSLogs/{ACCOUNT}/*", "critical", "informational"),
        (f"{BUCKET}/nowhere/*", "critical", "informational"),
        (f"{BUCKET}/logs/AWSLogs/000000000000/*", "critical", "informational"),
        (f"{BUCKET}/logs/AWSLogs/{ACCOUNT}/*.txt", "critical", "critical"),
        (f"{BUCKET}2/logs/AWSLogs/{ACCOUNT}/*", "critical", "critical"),
        (BUCKET, "critical", "critical"),
    ],
)
def test_cloudtrail_has_to_be_let_in_where_it_writes(resource: str, severity: str, inline: str) -> None:
    assert put(writes(resource)) == severity
    assert put(writes(resource), log_file=None) == inline
    assert put(writes(f"{BUCKET}/nowhere/*"), writes(f"{BUCKET}/tmp/*", f"{BUCKET}/*")) == "informational"


@pytest.mark.parametrize(
    ("condition", "severity", "of_key"),
    [
        ({"aws:SourceArn": TRAIL}, "informational", "informational"),
        ({"aws:SourceArn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"}, "informational", "informational"),
        ({"aws:SourceArn": [OTHER_TRAIL, TRAIL]}, "informational", "informational"),
        ({"aws:SourceArn": "arn:aws:cloudtrail:*"}, "informational", "informational"),
        ({"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:${aws:x}:trail/y"}, "informational", "informational"),
        ({"aws:SourceAccount": ACCOUNT}, "informational", "informational"),
        ({"aws:SourceOrgID": "o-a1b2c3"}, "informational", "informational"),
        ({"aws:SourceArn": OTHER_TRAIL}, "critical", "high"),
        ({"aws:sourceArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:x"}, "critical", "critical"),
        ({"AWS:SourceAccount": [OTHER_ACCOUNT]}, "critical", "high"),
        ({"aws:SourceAccount": int(OTHER_ACCOUNT)}, "critical", "high"),
    ],
)
def test_cloudtrail_has_to_be_let_in_for_the_accounts_trail(
    condition: dict[str, Any], severity: str, of_key: str
) -> None:
    key = {"Effect": "Allow", "Principal": ALLOW["Principal"], "Action": "kms:GenerateDataKey*", "Resource": "*"}
    root = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    policy = {"Statement": [root, key | {"Condition": {"StringLike": condition}}]}
    found = told("kms", "PutKeyPolicy", {"keyId": KEY, "policy": policy})

    assert put(writes(f"{BUCKET}/logs/AWSLogs/{ACCOUNT}/*", **condition)) == severity
    assert put(ALLOW | {"Condition": {"ForAnyValue:ArnLikeIfExists": condition}}) == severity
    assert found is not None
    assert found[0] == of_key, "an organization's key is often in another account than its trail"


def test_an_organizations_trail_is_of_another_account_than_its_bucket() -> None:
    statement = writes(f"{BUCKET}/logs/*", **{"aws:SourceArn": OTHER_TRAIL})
    folder = writes(f"{BUCKET}/logs/AWSLogs/o-a1b2c3/*", **{"aws:SourceArn": OTHER_TRAIL})

    assert put(statement) == "critical"
    assert put(statement, log_file=IN_ORGANIZATION) == "informational"
    assert put(statement, log_file=None) == "informational", "whose trail writes there nobody knows"
    assert put(folder, log_file=None) == "informational"


def test_a_record_by_another_bucket_tells_nothing_of_who_writes_to_this_one() -> None:
    statement = writes(f"{BUCKET}/AWSLogs/{OTHER_ACCOUNT}/*", **{"aws:SourceArn": OTHER_TRAIL})

    assert put(statement) == "critical"
    assert put(statement, log_file=LogFile("trail-more", LOG_FILE.key)) == "informational"


@pytest.mark.parametrize(
    ("condition", "severity"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}}, "critical"),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/*"}}, "critical"),
        ({"StringEquals": {"aws:SourceAccount": OTHER_ACCOUNT}}, "critical"),
        ({"StringEqualsIfExists": {"aws:PrincipalAccount": OTHER_ACCOUNT}}, "informational"),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, "informational"),
    ],
)
def test_everybody_of_another_account_is_not_cloudtrail(condition: dict[str, Any], severity: str) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition}

    assert put(everybody) == severity
    assert put(everybody, log_file=IN_ORGANIZATION) == (
        "informational" if "aws:SourceAccount" in str(condition) else severity
    )


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"Action": "s3:*"}, "high"),
        ({"Action": ["s3:ListBucket", "s3:GetObject"]}, "high"),
        ({"Action": "s3:PutObject", "Principal": {"AWS": ["*"]}}, "high"),
        ({"Action": "s3:Delete*", "Condition": {}}, "high"),
        ({"Action": "s3:ListBucket"}, "informational"),
        ({"Action": "s3:GetObject", "Effect": "Deny"}, "critical"),
        ({"Action": "s3:GetObject", "Principal": {"AWS": OTHER_ACCOUNT}}, "informational"),
        ({"Action": "s3:GetObject", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1"}}}, "informational"),
    ],
)
def test_a_policy_opens_a_bucket_to_everybody_as_an_access_list_does(more: dict[str, Any], severity: str) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Resource": f"{BUCKET}/*"}

    assert put(ALLOW, everybody | more) == severity


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, "informational"),
        ({"Principal": {"AWS": [OTHER_ACCOUNT, ACCOUNT]}}, "informational"),
        ({"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}}, "informational"),
        ({"Principal": {"AWS": "AIDACKCEVSQ6C2EXAMPLE"}}, "informational"),
        ({"Principal": {"AWS": OTHER_ACCOUNT, "Service": "x.amazonaws.com"}}, "informational"),
        ({"Principal": "*"}, "informational"),
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}}, "critical"),
        ({"Principal": {"AWS": [OTHER_ACCOUNT, f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/x/y"]}}, "critical"),
        ({"Principal": "*", "Condition": {"StringEquals": {"kms:CallerAccount": OTHER_ACCOUNT}}}, "critical"),
    ],
)
def test_who_decrypts_for_another_account_is_no_reader_of_ours(more: dict[str, Any], severity: str) -> None:
    writer = {"Effect": "Allow", "Principal": ALLOW["Principal"], "Action": "kms:GenerateDataKey*", "Resource": "*"}
    reader = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"} | more
    parameters = {"keyId": KEY, "policy": {"Statement": [writer, reader]}}
    abroad = replace(OURS, roles=(f"arn:aws:iam::{OTHER_ACCOUNT}:role/reader", "reader"))
    ours, theirs = told("kms", "PutKeyPolicy", parameters), told("kms", "PutKeyPolicy", parameters, around=abroad)

    assert ours is not None
    assert ours[0] == severity
    assert theirs is not None
    assert theirs[0] == "informational"
