import pytest

from stream.alert import LogFile
from stream.detect.own_path import key_account, own_path
from stream.detect.surroundings import Surroundings
from tests.detect.records import ACCOUNT, LOG_FILE, TOPIC


def test_what_one_message_tells_of_the_way_it_came() -> None:
    own = own_path(LOG_FILE, TOPIC, Surroundings(buckets=("*",)))

    assert (own.bucket, own.prefix, own.topic_arn) == ("trail-logs", "logs", TOPIC)


@pytest.mark.parametrize(("folder", "organization"), [("", False), ("o-a1b2c3/", True)])
def test_an_organizations_log_files_are_told_by_their_folder(folder: str, organization: bool) -> None:
    key = f"o-x/AWSLogs/{folder}{ACCOUNT}/CloudTrail/x.json.gz"

    assert own_path(LogFile("b", key), None, Surroundings()).organization is organization


def test_buckets_that_are_read_are_known_but_not_for_being_anything() -> None:
    own = own_path(
        LOG_FILE,
        None,
        Surroundings(
            buckets=(
                "*",
                "**",
                "org-*",
            )
        ),
    )

    assert own.knows("org-trail")
    assert own.knows("trail-logs")
    assert not own.knows("elsewhere")


def test_buckets_that_were_named_are_the_only_ones() -> None:
    own = own_path(LOG_FILE, None, Surroundings(buckets=("org-*",), log_buckets=("archive-?",)))

    assert own.knows("archive-1")
    assert not own.knows("org-trail")
    assert not own.knows("trail-logs")


def test_a_bucket_of_our_own_is_taken_literally() -> None:
    own = own_path(LogFile("[a-z]*", "k"), None, Surroundings())

    assert own.knows("[a-z]*")
    assert not own.knows("bcd")


def test_a_local_file_tells_of_no_bucket() -> None:
    own = own_path(LogFile("", f"/tmp/AWSLogs/{ACCOUNT}/CloudTrail/x.json"), None, Surroundings())

    assert own.bucket is None
    assert not own.knows("")


def test_without_a_log_file_little_is_known() -> None:
    own = own_path(None, None, Surroundings(buckets=("*",)))

    assert (own.bucket, own.prefix, own.knows("trail-logs"), own.is_topic("x")) == (None, None, False, False)


@pytest.mark.parametrize(
    ("key", "prefix", "account"),
    [
        (f"AWSLogs/{ACCOUNT}/CloudTrail/x", "", ACCOUNT),
        (f"a/b/AWSLogs/{ACCOUNT}/CloudTrail/x", "a/b", ACCOUNT),
        (f"o-abc123/AWSLogs/o-abc123/{ACCOUNT}/CloudTrail/x", "o-abc123", ACCOUNT),
        (f"AWSLogs/999988887777/AWSLogs/{ACCOUNT}/CloudTrail/x", "AWSLogs/999988887777", ACCOUNT),
        (f"notAWSLogs/{ACCOUNT}/x", None, None),
        ("AWSLogs/1111٢2223333/x", None, None),
        ("log.json.gz", None, None),
        ("", None, None),
    ],
)
def test_a_keys_prefix_and_account(key: str, prefix: str | None, account: str | None) -> None:
    assert key_account(key) == account
    assert own_path(LogFile("b", key), None, Surroundings()).prefix == prefix


def test_a_topic_is_known_by_its_name_too() -> None:
    own = own_path(None, TOPIC, Surroundings())

    assert own.is_topic(TOPIC)
    assert own.is_topic("trail-topic")
    assert not own.is_topic("topic")
