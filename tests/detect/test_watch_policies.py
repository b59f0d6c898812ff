"""Of a policy, who it lets in and whom it keeps out."""

from typing import Any

import pytest

from tests.detect.test_watch import ALLOW, LOGS, TLS_ONLY, told


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
        ({}, "critical"),
    ],
)
def test_a_deny_is_harmless_only_if_it_is_for_who_does_not_encrypt(condition: Any, severity: str) -> None:
    assert put(ALLOW, TLS_ONLY | {"Condition": condition}) == severity
