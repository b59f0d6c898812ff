"""Our signatures are botocore's."""

import hashlib
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from stream.signing import NO_PAYLOAD, Credentials, signed

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24FF), min_size=1, max_size=40)
TOKENS = st.none() | st.text("abcABC/+=0189", min_size=1, max_size=40)


def by_botocore(signer: type[SigV4Auth], service: str, request: AWSRequest, ours: Credentials) -> str:
    """The `Authorization` that botocore would send at that time."""
    credentials = BotoCredentials(ours.access_key, ours.secret_key, ours.token)
    with patch("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC)):
        signer(credentials, service, "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


@given(KEYS, TOKENS, st.none() | st.integers(1, 9**9), st.none() | st.text("abAB01._-", min_size=1, max_size=20))
def test_a_get_of_s3_is_signed_as_botocore_signs_it(
    key: str, token: str | None, offset: int | None, version: str | None
) -> None:
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token)
    headers = {} if offset is None else {"range": f"bytes={offset}-", "if-match": '"etag"'}
    path = "/" + quote(key, safe="/~-_.")
    query = f"versionId={quote(version, safe='~-_.')}" if version else ""
    request = AWSRequest(
        "GET", f"https://b.s3.eu-west-1.amazonaws.com{path}{'?' + query if query else ''}", dict(headers)
    )
    request.headers["x-amz-content-sha256"] = NO_PAYLOAD

    sent = signed(
        credentials,
        service="s3",
        region="eu-west-1",
        method="GET",
        host="b.s3.eu-west-1.amazonaws.com",
        path=path,
        query=query,
        headers=headers,
        payload_hash=NO_PAYLOAD,
        now=NOW,
    )

    assert sent["authorization"] == by_botocore(S3SigV4Auth, "s3", request, credentials)


@pytest.mark.parametrize("token", [None, "session/token+=="])
def test_a_call_of_sqs_is_signed_as_botocore_signs_it(token: str | None) -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", token)
    body = b'{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/q"}'
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage"}
    request = AWSRequest("POST", "http://127.0.0.1:4566/", dict(headers), body)

    sent = signed(
        credentials,
        service="sqs",
        region="eu-west-1",
        method="POST",
        host="127.0.0.1:4566",
        path="/",
        query="",
        headers=headers,
        payload_hash=hashlib.sha256(body).hexdigest(),
        now=NOW,
    )

    assert sent["authorization"] == by_botocore(SigV4Auth, "sqs", request, credentials)
    assert sent.get("x-amz-security-token") == token
