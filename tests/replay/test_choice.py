"""Which log files are wanted."""

from datetime import UTC, datetime

import pytest

from stream.replay.choice import Choice

FOLDER = "acme/AWSLogs/o-1abc/111122223333/CloudTrail/eu-west-1/2024/05/02/"
NAME = "111122223333_CloudTrail_eu-west-1_20240502T1205Z_abcdefghijklmnop.json.gz"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("since", "until", "taken"),
    [
        ("2024-05-02", "2024-05-03", True),
        ("2024-05-02T12:05", "2024-05-02T12:06", True),
        ("2024-05-02T12:06", "2024-05-03", False),
        ("2024-05-01", "2024-05-02T12:05", False),
        ("2024-05-03", "2024-05-04", False),
    ],
)
def test_a_file_is_chosen_by_the_time_in_its_name(since: str, until: str, taken: bool) -> None:
    assert Choice(at(since), at(until)).takes(FOLDER + NAME) is taken


@pytest.mark.parametrize(
    ("since", "until", "taken"),
    [
        ("2024-05-02T23:00", "2024-05-03", True),
        ("2024-05-01", "2024-05-02T00:01", True),
        ("2024-05-03", "2024-05-04", False),
        ("2024-05-01", "2024-05-02", False),
    ],
)
def test_one_whose_name_has_no_time_is_chosen_by_its_day(since: str, until: str, taken: bool) -> None:
    assert Choice(at(since), at(until)).takes(FOLDER + "merged.json.gz") is taken


@pytest.mark.parametrize("name", ["x_20241399T1205Z_y.json.gz", "x_99999999T9999Z_y.json.gz"])
def test_a_time_that_is_none_leaves_the_day(name: str) -> None:
    assert Choice(at("2024-05-02"), at("2024-05-03")).takes(FOLDER + name)


def test_a_folder_that_is_no_date_may_be_of_any() -> None:
    assert Choice(at("2024-05-02"), at("2024-05-03")).takes(FOLDER.replace("05/02", "99/99") + "merged.json.gz")


@pytest.mark.parametrize(
    ("accounts", "regions", "taken"),
    [
        (("1111*",), (), True),
        (("2222*", "111122223333"), ("eu-*",), True),
        (("2222*",), (), False),
        ((), ("us-*",), False),
    ],
)
def test_accounts_and_regions_are_chosen_by_globs(
    accounts: tuple[str, ...], regions: tuple[str, ...], taken: bool
) -> None:
    assert Choice(0, float("inf"), accounts, regions).takes(FOLDER + NAME) is taken


@pytest.mark.parametrize("key", ["", "notes.txt", FOLDER.replace("/CloudTrail/", "/CloudTrail-Digest/") + NAME])
def test_what_is_no_log_file_is_never_wanted(key: str) -> None:
    assert not Choice(0, float("inf")).takes(key)
