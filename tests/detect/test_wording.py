from typing import Any

import pytest

from stream.detect.detector import Detector
from stream.detect.surroundings import Surroundings
from tests.detect.records import ACCOUNT, CT_013, DENIED_BY_SCP, OTHER_ACCOUNT, ROLE, alert_of, record

LONG = "x" * 10_000


def test_a_title_says_what_to_what_and_where() -> None:
    alert = alert_of(record("StopLogging", {"name": "main"}))

    assert alert.title == f"CloudTrail logging stopped: trail main in account {ACCOUNT} (us-east-1)"


def test_a_summary_says_who_and_what_it_means() -> None:
    alert = alert_of(record("StopLogging", {"name": "main"}))

    assert alert.summary == (
        f"Role deploy (session ci) stopped trail main in account {ACCOUNT}: recording is now off: API calls in this "
        "account (in every account, if it is the organisation's trail) are no longer logged by it."
    )


@pytest.mark.parametrize(
    ("one", "title"),
    [
        (
            record("UpdateTrail", {"name": "main", "enableLogFileValidation": False}),
            "CloudTrail trail weakened: trail main",
        ),
        (
            record("UpdateTrail", {"name": "main", "enableLogFileValidation": True}),
            "CloudTrail trail changed: trail main",
        ),
        (
            record("PutEventSelectors", {"trailName": "main", "eventSelectors": []}),
            "CloudTrail event selection narrowed:",
        ),
        (
            record("PutEventSelectors", {"trailName": "main", "eventSelectors": [{}]}),
            "CloudTrail event selection changed:",
        ),
        (
            record("DeleteTrail", {"name": "main"}, **DENIED_BY_SCP),
            "Attempt denied: delete a CloudTrail trail: trail main",
        ),
        (
            record("DeleteTrail", {"name": "x"}, errorCode="TrailNotFoundException"),
            "Attempt failed: delete a CloudTrail",
        ),
    ],
)
def test_a_title_tells_weakened_from_changed_and_done_from_attempted(one: dict[str, Any], title: str) -> None:
    assert alert_of(one).title.startswith(title)


@pytest.mark.parametrize(
    "one",
    [
        record("StopLogging", {"name": LONG}),
        record("StopLogging", {"name": "a\r\nb\x1b[0m\u202ec\ud800"}),
        record("UpdateTrail", {"name": LONG, "s3BucketName": LONG, "s3KeyPrefix": LONG, LONG: LONG}),
        record("UpdateTrail", {f"unknown{number}": LONG for number in range(200)}),
        record("StopLogging", {"name": "main"}, awsRegion=LONG, recipientAccountId=LONG, userIdentity={"type": LONG}),
        record("StopLogging", {"name": "main"}, errorCode=LONG, errorMessage=LONG),
        record("StopLogging", {"name": "main"}, userIdentity=ROLE | {"accountId": LONG, "invokedBy": LONG}),
    ],
)
def test_whatever_was_typed_both_are_one_line_of_bounded_length(one: dict[str, Any]) -> None:
    alert = alert_of(one)

    assert len(alert.title) <= 200
    assert len(alert.summary) <= 600
    assert alert.title.isprintable()
    assert alert.summary.isprintable()


def test_what_is_amiss_is_said_even_when_the_rest_is_cut() -> None:
    parameters = {f"unknown{number}": LONG for number in range(200)} | {"omitted": True}
    one = record(
        "UpdateTrail", parameters, userIdentity=ROLE | {"accountId": OTHER_ACCOUNT}, recipientAccountId="444455556666"
    )

    summary = alert_of(one).summary

    assert len(summary) <= 600
    assert "too large for the record" in summary
    assert f"another account ({OTHER_ACCOUNT})" in summary
    assert summary.endswith("may be forged or misplaced.")


def test_a_place_that_nobody_names_is_said_to_be_unknown() -> None:
    one = record("StopLogging", {"name": "main"}, awsRegion=None, recipientAccountId=None, userIdentity=None)

    assert alert_of(one).title.endswith("in account unknown (unknown)")


def test_the_account_is_called_by_its_name_where_that_is_known() -> None:
    names = {ACCOUNT: "prod"}
    changed = record("StopLogging", {"name": "main"})
    other = record("StopLogging", {"name": "main"}, recipientAccountId=OTHER_ACCOUNT)
    detector = Detector(CT_013, lambda: Surroundings(buckets=("*",)), account_name=names.get)
    (alert,), (nameless,) = (detector.alerts(one, provenance="inline", log_file=None) for one in (changed, other))

    assert alert.event.account_name == "prod"
    assert alert.title == f"CloudTrail logging stopped: trail main in account prod ({ACCOUNT}, us-east-1)"
    assert f"stopped trail main in account prod ({ACCOUNT}): recording is now off" in alert.summary
    assert nameless.event.account_name is None
    assert f"in account {OTHER_ACCOUNT} (us-east-1)" in nameless.title
