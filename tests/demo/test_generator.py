import gzip
import ipaddress
import itertools
import json
import statistics
from collections import Counter
from typing import Any

import pytest

from stream.demo.generator import Generator, LogFile
from stream.demo.lookalikes import LOOK_ALIKES, TRAIL_CHANGES
from stream.demo.principals import ACCOUNTS
from stream.intake.keys import log_file_account, skip_reason

DOCUMENTATION = [
    ipaddress.ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
MEMBERS = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
    "tlsDetails",
    "sessionCredentialFromConsole",
]


def records_of(log_file: LogFile) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(gzip.decompress(log_file.body))["Records"]
    return records


def changes_the_trail(record: dict[str, Any]) -> bool:
    """The oracle: the rule of CT-013 in one line, over a whole parse."""
    return record["eventSource"] == "cloudtrail.amazonaws.com" and record["eventName"] in TRAIL_CHANGES


@pytest.fixture(scope="module")
def log_files() -> list[LogFile]:
    return list(Generator(seed=7).log_files(150, stories=3))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = ([(each.key, each.body) for each in Generator(seed=seed).log_files(20)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_file_is_a_log_file_of_one_account_and_region(log_files: list[LogFile]) -> None:
    for log_file in log_files:
        records = records_of(log_file)
        assert len(records) == log_file.records > 0
        assert len(gzip.decompress(log_file.body)) == log_file.json_bytes
        assert {record["recipientAccountId"] for record in records} == {log_file_account(log_file.key)}
        assert {record["awsRegion"] for record in records} == {log_file.key.split("/")[3]}
    assert len({each.key for each in log_files}) == len(log_files)


def test_what_is_planted_is_what_a_full_parse_finds(log_files: list[LogFile]) -> None:
    for log_file in log_files:
        found = [(each["eventID"], each["eventName"]) for each in records_of(log_file) if changes_the_trail(each)]
        assert sorted(found) == sorted((each.event_id, each.event_name) for each in log_file.planted)
    planted = {each.event_id: each for log_file in log_files for each in log_file.planted}
    assert len(planted) == 3 * 10
    assert {each.event_name for each in planted.values()} == set(TRAIL_CHANGES)
    assert sum(each.denied for each in planted.values()) == 3
    assert sum(each.failed for each in planted.values()) == 3


def test_a_second_trail_writes_some_of_the_planted_events_again(log_files: list[LogFile]) -> None:
    times = Counter(each.event_id for log_file in log_files for each in log_file.planted)
    assert Counter(times.values()) == {1: 24, 2: 6}


def test_look_alikes_of_every_kind_are_among_the_traffic_and_none_counts(log_files: list[LogFile]) -> None:
    records = [record for log_file in log_files for record in records_of(log_file)]
    innocent = [record for record in records if not changes_the_trail(record)]
    text = json.dumps(innocent)
    assert all(name in text for name in TRAIL_CHANGES)
    assert any(each["eventName"] in ("AddTags", "RemoveTags") for each in innocent)
    assert any(each["eventSource"] == "cloudtrail.amazonaws.com" for each in innocent)
    assert any(any(name in each["userAgent"] for name in TRAIL_CHANGES) for each in innocent)
    assert any(each.get("errorCode") == "TrailNotFoundException" for each in innocent)
    kinds = {make.__name__ for make in LOOK_ALIKES}
    assert len(kinds) == len(LOOK_ALIKES) >= 12


def test_a_story_is_told_in_its_order_and_to_its_end() -> None:
    log_files = list(Generator(seed=3).log_files(1, stories=1))
    names = [each.event_name for log_file in log_files for each in log_file.planted]
    once = list(dict.fromkeys(names))
    assert once == [
        "StopLogging",
        "RemoveTags",
        "PutEventSelectors",
        "UpdateTrail",
        "DeleteTrail",
        "CreateTrail",
        "StartLogging",
        "AddTags",
    ]
    records = [record for log_file in log_files for record in records_of(log_file)]
    assert any(each["eventName"] == "ConsoleLogin" for each in records)


def test_records_have_real_members_in_the_real_order_and_a_real_size() -> None:
    records = [record for each in Generator().log_files(60) for record in records_of(each)]
    for record in records:
        assert list(record) == [name for name in MEMBERS if name in record]
    sizes = [len(json.dumps(record, separators=(",", ":"))) for record in records]
    assert 1_100 < statistics.mean(sizes) < 1_450
    large = Generator().log_file(1_100)
    assert large.records == 1_100
    assert 7 < large.json_bytes / len(large.body) < 12


def test_usual_files_have_a_few_dozen_records() -> None:
    counts = [each.records for each in Generator().log_files(300)]
    assert 12 <= statistics.median(counts) <= 30
    assert max(counts) <= 410
    assert min(counts) >= 1


def test_nobody_real_is_in_it(log_files: list[LogFile]) -> None:
    for record in itertools.chain.from_iterable(records_of(each) for each in log_files):
        assert record["recipientAccountId"] in ACCOUNTS
        source = record["sourceIPAddress"]
        if not source.endswith(".amazonaws.com"):
            address = ipaddress.ip_address(source)
            assert any(address in network for network in DOCUMENTATION if network.version == address.version)
        assert record["userIdentity"].get("accessKeyId", "EXAMPLE").endswith("EXAMPLE")


@pytest.mark.parametrize("records", [1, 199, 200, 201, 1_000])
def test_a_streamed_file_is_one_whole_log_file(records: int) -> None:
    body = b"".join(Generator().stream(records, planted_every=100))
    found = json.loads(gzip.decompress(body))["Records"]
    assert len(found) == records
    assert sum(map(changes_the_trail, found)) == records // 100
    assert len({record["eventID"] for record in found}) == records


def test_a_digest_lies_beside_the_log_files_and_is_none() -> None:
    key, body = Generator().digest_file()
    assert skip_reason(key) == "digest"
    assert log_file_account(key) is None
    assert "logFiles" in json.loads(gzip.decompress(body))
