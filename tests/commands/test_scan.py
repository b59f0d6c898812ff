"""`trailstream scan`, held against a full parse by the standard library."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.commands import scan as scan_command
from stream.demo.generator import Generator
from tests.checks.aws_stub import AwsStub
from tests.commands.running import invoke, run

CHANGES = {
    "CreateTrail",
    "UpdateTrail",
    "DeleteTrail",
    "PutEventSelectors",
    "AddTags",
    "RemoveTags",
    "StartLogging",
    "StopLogging",
}


def record(number: int = 1, **members: Any) -> dict[str, Any]:
    """A StopLogging; `number` makes it one of its own."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/eve",
            "accountId": "111122223333",
            "userName": "eve",
        },
        "eventTime": "2024-05-01T12:00:00Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2",
        "requestParameters": {"name": "management-events"},
        "responseElements": None,
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    } | members


def log_text(*records: dict[str, Any]) -> bytes:
    return json.dumps({"Records": records}).encode()


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(log_text(*records)))
    return path


def full_parse(folder: Path) -> tuple[set[str], int]:
    """The ids of all changes below a folder, and the number of records, as a naive reader finds them."""
    found, records = set(), 0
    for file in folder.rglob("*.json.gz"):
        if "CloudTrail-Digest" in file.parts:
            continue
        for each in json.loads(gzip.decompress(file.read_bytes()))["Records"]:
            records += 1
            if each["eventSource"] == "cloudtrail.amazonaws.com" and each["eventName"] in CHANGES:
                found.add(each["eventID"])
    return found, records


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    for log_file in Generator(7).log_files(60, stories=2):
        file = folder / log_file.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(log_file.body)
    key, body = Generator(7).digest_file()
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    (folder / key).write_bytes(body)
    return folder


@pytest.fixture
def always_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_command, "_POOL_FILES", 1)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.usefixtures("always_pool")
def test_every_change_of_a_folder_is_found_once_and_nothing_else(history: Path, jobs: str) -> None:
    expected, records = full_parse(history)
    done = invoke("scan", history, "--format", "jsonl", "--jobs", jobs)
    alerts = [json.loads(line) for line in done.out.splitlines()]

    assert len(expected) >= 20
    assert sorted(alert["event"]["id"] for alert in alerts) == sorted(expected)
    assert f"{records:,} records" in done.err
    assert "0 failed, 1 skipped" in done.err
    assert done.code == 1


@pytest.mark.usefixtures("always_pool")
def test_several_processes_print_what_one_does_in_the_same_order(history: Path) -> None:
    outputs = [invoke("scan", history, "--format", "csv", "--jobs", jobs).out for jobs in ("1", "3")]

    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) > 20


def test_alerts_say_which_log_file_they_are_from(history: Path) -> None:
    done = invoke("scan", history, "--format", "jsonl")
    for line in done.out.splitlines():
        alert = json.loads(line)
        assert alert["log_file"]["bucket"] == ""
        assert alert["event"]["id"].encode() in gzip.decompress(Path(alert["log_file"]["key"]).read_bytes())
        assert alert["provenance"] == "log_file"


def test_alerts_say_what_else_the_same_principal_did_in_that_log_file(tmp_path: Path) -> None:
    write(tmp_path / "a.json.gz", record(1), record(2, eventName="CreateUser", eventSource="iam.amazonaws.com"))

    (alert,) = map(json.loads, invoke("scan", str(tmp_path), "--format", "jsonl").out.splitlines())

    assert alert["context"]["scope"] == "this log file"
    assert alert["context"]["calls"] == {"StopLogging": 1, "CreateUser": 1}


def test_nothing_found_is_exit_code_0(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record(eventName="DescribeTrails"))
    done = run("scan", tmp_path)

    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("0 alerts in 1 log file (1 record,")  # and no bar before it, in a pipe
    assert done.err.count("\n") == 1


def test_something_found_is_exit_code_1_or_0_if_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record())

    assert invoke("scan", tmp_path).code == 1
    assert invoke("scan", tmp_path, "--exit-zero").code == 0


@pytest.mark.parametrize("flag", [(), ("--exit-zero",)])
def test_something_failed_is_exit_code_2_whatever_was_found(tmp_path: Path, flag: tuple[str, ...]) -> None:
    write(tmp_path / "1.json.gz", record())
    done = invoke("scan", tmp_path, tmp_path / "nowhere", *flag)

    assert done.code == 2
    assert "StopLogging" in done.out
    assert f"trailstream: {tmp_path}/nowhere: No such file or directory\n" in done.err
    assert "1 failed" in done.err


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda body: body[:-20], "truncated"),
        (lambda body: body[:-6] + b"\0\0" + body[-4:], "bad_crc"),
        (lambda _: b"\x1f\x8b not gzip at all", "bad_gzip"),
        (lambda _: b"", "empty"),
        (lambda _: gzip.compress(b'{"Recs": []}'), "no_records"),
        (lambda _: gzip.compress(b'{"Records": [{]}'), "bad_json"),
    ],
)
def test_a_broken_log_file_is_named_with_its_reason_and_hides_none_of_the_others(
    tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    write(tmp_path / "1.json.gz", record(1))
    broken = write(tmp_path / "2.json.gz", record(2))
    broken.write_bytes(damage(broken.read_bytes()))
    write(tmp_path / "3.json.gz", record(3))
    done = invoke("scan", tmp_path, "--format", "jsonl")
    found = {json.loads(line)["event"]["id"][-1] for line in done.out.splitlines()}

    assert done.code == 2
    assert {"1", "3"} <= found
    assert f"trailstream: {broken}: {reason}: " in done.err
    assert "Traceback" not in done.err


def test_what_was_found_before_the_fault_is_printed(tmp_path: Path) -> None:
    whole = gzip.compress(log_text(record(1), *(record(2, eventName="X", pad="x" * 1000) for _ in range(9000))))
    (tmp_path / "1.json.gz").write_bytes(whole[:-100])
    done = invoke("scan", tmp_path, "--format", "jsonl")

    assert done.code == 2
    assert [json.loads(line)["event"]["name"] for line in done.out.splitlines()] == ["StopLogging"]
    assert "truncated" in done.err


def test_an_event_in_the_files_of_two_trails_is_one_alert(tmp_path: Path) -> None:
    write(tmp_path / "a/1.json.gz", record(1), record(2))
    write(tmp_path / "b/1.json.gz", record(2), record(1))

    assert len(invoke("scan", tmp_path, "--format", "jsonl").out.splitlines()) == 2


FILTER = """
title: Eve at work
logsource: {product: aws, service: cloudtrail}
filter:
    rules: any
    selection: {userIdentity.userName: eve, sourceIPAddress: 192.0.2.1}
    condition: not selection
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_suppressed_is_left_out_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(scan_command, "_POOL_FILES", 1)
    (tmp_path / "filter.yml").write_text(FILTER)
    write(tmp_path / "a/1.json.gz", record(1), record(2, sourceIPAddress="203.0.113.9"))
    write(tmp_path / "b/1.json.gz", record(1))
    write(tmp_path / "b/2.json.gz", record(1))
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(tmp_path / "filter.yml"))
    monkeypatch.setenv("TRAILSTREAM_ACCOUNTS", "111122223333=prod")
    done = invoke("scan", tmp_path, "--format", "jsonl", "-j", jobs)
    (alert,) = map(json.loads, done.out.splitlines())

    assert alert["event"]["id"].endswith("2")
    assert alert["event"]["account_name"] == "prod"
    assert "1 alert and 1 suppressed in 3 log files" in done.err
    assert invoke("scan", tmp_path / "b/1.json.gz").code == 0


def test_a_scan_does_without_names_that_aws_organizations_will_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "1.json.gz", record())
    with AwsStub() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        stub.answers["ListAccounts"] = (400, {}, json.dumps({"__type": "AccessDeniedException"}))
        refused = invoke("scan", tmp_path, "--format", "jsonl", TRAILSTREAM_ACCOUNTS="organizations")
        stub.answers["ListAccounts"] = (200, {}, json.dumps({"Accounts": [{"Id": "111122223333", "Name": "prod"}]}))
        told = invoke("scan", tmp_path, "--format", "jsonl", TRAILSTREAM_ACCOUNTS="organizations")

    assert json.loads(refused.out)["event"]["account_name"] is None
    assert "AWS Organizations can't be asked (AccessDeniedException)" in refused.err
    assert json.loads(told.out)["event"]["account_name"] == "prod"


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
def test_standard_input_is_read_as_gzip_or_as_plain_json(compress: Callable[[bytes], bytes]) -> None:
    done = invoke("scan", "-", "--format", "jsonl", stdin=compress(log_text(record())))

    assert done.code == 1
    assert json.loads(done.out)["log_file"]["key"] == "-"


def test_standard_input_that_is_broken_is_called_by_its_name() -> None:
    done = invoke("scan", "-", stdin=b"{")

    assert done.code == 2
    assert "trailstream: standard input: " in done.err


def test_events_before_since_are_left_out_and_those_without_a_readable_time_are_not(tmp_path: Path) -> None:
    write(
        tmp_path / "1.json.gz",
        record(1, eventTime="2024-05-01T11:59:59Z"),
        record(2, eventTime="2024-05-01T12:00:00Z"),
        record(3, eventTime="whenever"),
        record(4, eventTime=None),
    )

    def ids(since: str) -> str:
        done = invoke("scan", tmp_path, "--format", "jsonl", "--since", since)
        return "".join(sorted(json.loads(line)["event"]["id"][-1] for line in done.out.splitlines()))

    assert ids("2024-05-01T12:00:00Z") == "234"
    assert ids("2024-05-01") == "1234"
    assert ids("24h") == "34"


def test_milder_alerts_are_left_out_on_demand(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record(1), record(2, errorCode="AccessDenied", errorMessage="no"))
    found = [json.loads(line)["severity"] for line in invoke("scan", tmp_path, "--format", "jsonl").out.splitlines()]
    mild, grave = found[1], found[0]
    assert mild != grave

    for done in (
        invoke("scan", tmp_path, "--format", "jsonl", "--min-severity", grave),
        invoke("scan", tmp_path, "--format", "jsonl", TRAILSTREAM_MIN_SEVERITY=grave),
    ):
        assert [json.loads(line)["severity"] for line in done.out.splitlines()] == [grave]


def test_the_limits_of_the_environment_hold(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record(1, pad="x" * 5000))
    done = invoke("scan", tmp_path, TRAILSTREAM_MAX_RECORD_BYTES="2KiB")

    assert done.code == 2
    assert "record_too_large" in done.err


def test_the_rules_of_the_environment_are_held_against_the_records(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(
        """
title: A key was made
id: 3f8dbd3b-5d6c-4e53-9e2b-0a9f5dbc2a17
status: test
level: low
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventSource: iam.amazonaws.com, eventName: CreateAccessKey}
  condition: selection
"""
    )
    write(tmp_path / "1.json.gz", record(1, eventSource="iam.amazonaws.com", eventName="CreateAccessKey"))

    assert invoke("scan", tmp_path).code == 0
    done = invoke("scan", tmp_path, "--format", "jsonl", TRAILSTREAM_RULES=str(tmp_path / "rule.yml"))
    assert json.loads(done.out)["rule"]["title"] == "A key was made"

    (tmp_path / "bad.yml").write_text("title: [")
    both = f"{tmp_path / 'rule.yml'},{tmp_path / 'bad.yml'}"
    done = invoke("scan", tmp_path, "--format", "jsonl", TRAILSTREAM_RULES=both)
    assert json.loads(done.out)["rule"]["title"] == "A key was made"
    assert f"trailstream: rule left out: TRAILSTREAM_RULES: {tmp_path}/bad.yml: it is not YAML" in done.err


def test_neither_queue_nor_channel_is_needed_but_what_is_set_must_be_right(tmp_path: Path) -> None:
    done = invoke("scan", tmp_path, TRAILSTREAM_PAKCS="ct-013")

    assert done.code == 2
    assert (
        done.err == "trailstream: TRAILSTREAM_PAKCS is not a setting of Trailstream: did you mean TRAILSTREAM_PACKS?\n"
    )


def test_a_folder_without_log_files_is_said_to_be_one(tmp_path: Path) -> None:
    done = invoke("scan", tmp_path)

    assert (done.code, done.err) == (0, "no log files there\n")


def test_quiet_keeps_the_faults(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record())
    done = invoke("scan", "-q", tmp_path, tmp_path / "nowhere")

    assert done.err == f"trailstream: {tmp_path}/nowhere: No such file or directory\n"


def test_the_csv_has_its_heading_with_and_without_alerts(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record(userAgent="=cmd|' /C calc'!A0"))
    full = list(csv.DictReader(io.StringIO(invoke("scan", tmp_path, "--format", "csv").out)))
    (tmp_path / "1.json.gz").unlink()

    assert len(full) == 1
    assert full[0]["event_name"] == "StopLogging"
    assert full[0]["user_agent"] == "'=cmd|' /C calc'!A0"
    assert invoke("scan", tmp_path, "--format", "csv").out.split(",")[:2] == ["time", "severity"]


def test_hostile_text_is_inert_in_the_table_and_in_what_is_said_of_files(tmp_path: Path) -> None:
    hostile = "\x1b[2J\u202e[bold]eve[/]\r\nok"
    user = {"type": "IAMUser", "userName": hostile, "arn": hostile, "accountId": "111122223333"}
    write(tmp_path / "1.json.gz", record(userIdentity=user, requestParameters={"name": hostile}, awsRegion=hostile))
    (tmp_path / f"{hostile}.json".replace("/", "|")).write_bytes(b"{")
    done = run("scan", tmp_path)

    assert done.code == 2
    assert "[bold]eve[/]" in done.out
    assert "[bold]eve[|]" in done.err
    for text in (done.out, done.err):
        assert text.replace("\n", "").isprintable()
    assert len(done.out.splitlines()) == 2
    assert len(done.err.splitlines()) == 2
