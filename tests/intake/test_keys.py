"""Which keys name a log file, and of whose account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.intake.keys import log_file_account, skip_reason
from stream.metrics import SKIP_REASONS

NAME = "111122223333_CloudTrail_eu-west-1_20260301T0005Z_Mu0KsOhtH1ar15ZZ.json.gz"
PLAIN = f"AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/{NAME}"

PREFIXES = [
    "",
    "prefix/",
    "several/levels/deep/",
    "o-exampleorgid/",  # Control Tower's
    "AWSLogs/",
    "AWSLogs/999999999999/CloudTrail-Digest/",
    "AWSLogs/o-exampleorgid/999999999999/CloudTrail/eu-west-1/2026/03/01/",
    "CloudTrail-Insight/",
    "/",
    "double//slash//",
    "with space/and+plus/ünï/",
    "line\nbreak/",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("organization", ["", "o-exampleorgid/"])
@pytest.mark.parametrize("segment", ["CloudTrail", "CloudTrail-NetworkActivity"])
@pytest.mark.parametrize("suffix", [".json.gz", ".json"])
def test_a_log_file_is_known_under_any_prefix(prefix: str, organization: str, segment: str, suffix: str) -> None:
    key = f"{prefix}AWSLogs/{organization}111122223333/{segment}/us-gov-west-1/2026/03/01/file{suffix}"
    assert log_file_account(key) == "111122223333"


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/01/a.json.gz", "digest"),
        ("AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/eu-west-1/2026/03/01/a.json.gz", "digest"),
        ("AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/2026/03/01/a.json.gz", "insight"),
        ("AWSLogs/111122223333/CloudTrail-Aggregated/eu-west-1/2026/03/01/a.json.gz", "aggregated"),
        ("AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2026/03/01/a.log.gz", "other_service"),
        ("AWSLogs/111122223333/Config/eu-west-1/2026/3/1/ConfigHistory/a.json.gz", "other_service"),
        ("AWSLogs/111122223333/GuardDuty/eu-west-1/2026/03/01/a.jsonl.gz", "other_service"),
        ("AWSLogs/111122223333/CloudTrailer/eu-west-1/2026/03/01/a.json.gz", "other_service"),
        ("AWSLogs/111122223333/cloudtrail/eu-west-1/2026/03/01/a.json.gz", "other_service"),
        ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/a.csv.gz", "not_a_log_file"),
        ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/a.json.gz", "not_a_log_file"),
        ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/more/a.json.gz", "not_a_log_file"),
        ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/.json.gz", "not_a_log_file"),
        ("AWSLogs/111122223333/CloudTrail/", "not_a_log_file"),
    ],
)
def test_any_other_key_says_what_it_is_instead(prefix: str, path: str, reason: str) -> None:
    assert log_file_account(prefix + path) is None
    assert skip_reason(prefix + path) == reason


@pytest.mark.parametrize(
    "key",
    [
        "file.json.gz",
        "xAWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
        "AWSLogs/11112222333/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
        "AWSLogs/1111222233334/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
        "AWSLogs/\uff11\uff11\uff11\uff11\uff12\uff12\uff12\uff12\uff13\uff13\uff13\uff13/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
        "AWSLogs/O-EXAMPLE/111122223333/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
        "AWSLogs//111122223333/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
        f"{PLAIN}/",
        f"{PLAIN}\n",
        "",
    ],
)
def test_what_only_resembles_a_log_file_is_none(key: str) -> None:
    assert log_file_account(key) is None
    assert skip_reason(key) == "not_a_log_file"


@given(st.text())
def test_every_text_is_a_log_file_or_has_a_reason(key: str) -> None:
    assert log_file_account(key) is None
    assert skip_reason(key) in SKIP_REASONS


@given(st.text())
def test_no_prefix_hides_a_log_file(prefix: str) -> None:
    assert log_file_account(f"{prefix}/{PLAIN}") == "111122223333"
