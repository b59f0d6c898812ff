"""What is no digest is none, whatever it is; and which parts of a time its log files are known of."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.digest.digest import Digest, DigestError, Place
from stream.digest.listing import _leads_there
from stream.digest.verifying import settled

DOCUMENT: dict[str, Any] = {
    "digestStartTime": "2026-01-01T00:00:00Z",
    "digestEndTime": "2026-01-01T01:00:00Z",
    "digestS3Bucket": "b",
    "digestS3Object": "k",
    "digestPublicKeyFingerprint": "f",
    "digestSignatureAlgorithm": "SHA256withRSA",
    "previousDigestS3Object": None,
    "logFiles": [],
}
JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
)


@given(st.binary())
def test_any_bytes_are_a_digest_or_named_as_none(body: bytes) -> None:
    for each in (body, gzip.compress(body)):
        with pytest.raises(DigestError):
            Digest.parse(each)


@given(st.sampled_from(list(DOCUMENT)), JSON)
def test_any_member_may_be_anything(name: str, value: object) -> None:
    try:
        digest = Digest.parse(gzip.compress(json.dumps(DOCUMENT | {name: value}).encode()))
    except DigestError:
        return
    with pytest.raises(DigestError):
        digest.prove("00", b"no key")


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"{}", mtime=0) + b"more",
        gzip.compress(b"{}", mtime=0)[:-3],
        gzip.compress(b"\0" * (65 << 20), 1, mtime=0),
    ],
    ids=["longer", "shorter", "bomb"],
)
def test_a_gzip_that_is_damaged_longer_or_a_bomb_is_none(body: bytes) -> None:
    with pytest.raises(DigestError):
        Digest.parse(body)


@pytest.mark.parametrize(
    ("key", "chain"),
    [
        (
            (
                "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/"
                "111122223333_CloudTrail-Digest_eu-west-1_main_us-east-1_20260101T010000Z.json.gz"
            ),
            "111122223333_CloudTrail-Digest_eu-west-1_main_us-east-1",
        ),
        (
            (
                "a/b/AWSLogs/o-abc123/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/"
                "111122223333_CloudTrail-Digest_eu-west-1_org_us-east-1_20260101T010000Z_backfill.json.gz"
            ),
            "111122223333_CloudTrail-Digest_eu-west-1_org_us-east-1_backfill",
        ),
        (
            (
                "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/"
                "111122223333_CloudTrail-Digest_eu-west-1_main_us-east-1_20269901T010000Z.json.gz"
            ),
            None,
        ),
        ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/01/x_20260101T0100Z_x.json.gz", None),
    ],
)
def test_a_key_tells_whose_digest_it_is(key: str, chain: str | None) -> None:
    place = Place.of(key)

    assert (place and place.chain) == chain
    assert place is None or (place.account, place.region, place.end) == ("111122223333", "eu-west-1", 1767229200.0)


def test_only_what_leads_to_digests_is_looked_into() -> None:
    lead = [
        "",
        "AWSLogs/",
        "x/AWSLogs/o-a1/",
        "AWSLogs/111122223333/",
        "AWSLogs/111122223333/CloudTrail-Digest/",
        "team/",
    ]
    others = ["AWSLogs/111122223333/CloudTrail/", "AWSLogs/111122223333/Config/", "AWSLogs/111122223333/vpcflowlogs/"]

    assert [_leads_there(folder) for folder in lead + others] == [True] * len(lead) + [False] * len(others)


def test_a_file_is_missed_only_where_a_digest_would_list_it_by_now() -> None:
    hour = 3600.0
    assert settled([]) == []
    assert settled([(hour, 2 * hour), (0.0, hour), (4 * hour, 6 * hour)]) == [
        (0.0, 2 * hour - 1200),
        (4 * hour, 5 * hour),
    ]
