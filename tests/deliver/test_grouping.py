"""Which alerts go by themselves and which together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.alert import Change, Resource
from stream.deliver.grouping import FEW, FIRST_WINDOW_S, LATE, LONGEST_WINDOW_S, Grouping, kind_of, unix_time
from stream.json_value import shown
from stream.severity import SEVERITIES
from tests.deliver.alerts import alerts, make_alert

UNIX = 1_772_366_400.0  # 2026-03-01T12:00:00Z, when make_alert's event happened


def gathered(grouping: Grouping, now: float, **changes: Any) -> float | None:
    """The moment until which an alert waits for others, None if it goes at once."""
    together = grouping.gather(make_alert(**changes), now, UNIX + now)
    return together and together[1]


def test_the_first_few_go_at_once_and_the_rest_of_the_window_together() -> None:
    grouping = Grouping()
    assert [gathered(grouping, 0) for _ in range(FEW + 3)] == [None] * FEW + [FIRST_WINDOW_S] * 3


def test_the_longer_a_storm_lasts_the_longer_are_its_windows() -> None:
    grouping = Grouping()
    moments = [tick / 2 for tick in range(8000)]
    ends = sorted({until for now in moments if (until := gathered(grouping, now, severity="high")) is not None})
    lengths = [later - earlier for earlier, later in zip([0.0, *ends], ends, strict=False)]
    assert lengths == sorted(lengths)
    assert lengths[0] == FIRST_WINDOW_S
    assert lengths[-1] == LONGEST_WINDOW_S
    assert len(ends) <= 12  # messages in more than an hour


def test_a_critical_one_never_waits_longer_than_the_first_window() -> None:
    grouping = Grouping()
    waits = [until - now for now in range(2000) if (until := gathered(grouping, now)) is not None]
    assert len(waits) > 1000
    assert max(waits) <= FIRST_WINDOW_S


def test_after_a_window_without_any_the_next_one_goes_at_once_again() -> None:
    grouping = Grouping()
    for _ in range(FEW + 1):
        gathered(grouping, 0)
    assert gathered(grouping, 2 * FIRST_WINDOW_S - 1) is not None  # and doubles the window
    assert gathered(grouping, 5 * FIRST_WINDOW_S) is None


def test_what_happened_long_ago_waits_for_a_digest_whatever_it_is() -> None:
    grouping = Grouping(max_event_age_s=86_400)
    old = grouping.gather(make_alert(severity="low"), 0, UNIX + 86_401)
    other = grouping.gather(make_alert(event_name="DeleteTrail"), 1, UNIX + 90_000)
    assert old == other == (LATE, FIRST_WINDOW_S)
    assert grouping.gather(make_alert(), 2, UNIX + 86_399) is None
    assert Grouping(0).gather(make_alert(), 0, UNIX + 10**9) is None


def test_what_has_no_time_is_not_late() -> None:
    assert Grouping(max_event_age_s=1).gather(make_alert(event_time="yesterday"), 0, UNIX + 10**9) is None


def test_alerts_of_one_story_are_of_one_kind_and_others_are_not() -> None:
    story = kind_of(make_alert(severity="medium"))
    trail = (Resource("AWS::CloudTrail::Trail", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/other", None),)
    role = "arn:aws:sts::111122223333:assumed-role/Admin/"
    assert story == kind_of(make_alert("alert-2", severity="medium", event_id="other", resources=trail))
    assert story == kind_of(make_alert(severity="medium", actor_arn=role + "another-session"))
    for change in (
        {"severity": "low"},
        {"severity": "medium", "event_outcome": "denied"},
        {"severity": "medium", "event_account_id": "444455556666"},
        {"severity": "medium", "event_name": "DeleteTrail"},
        {"severity": "medium", "actor_arn": "arn:aws:iam::111122223333:user/mallory"},
    ):
        assert kind_of(make_alert(**change)) != story
    assert kind_of(make_alert()) != kind_of(make_alert(resources=trail)), "a critical one counts by its trail"


def test_whoever_chooses_a_name_for_each_call_makes_one_kind_of_them() -> None:
    def kinds(*callers: dict[str, Any]) -> int:
        return len({kind_of(make_alert(severity="high", **caller)) for caller in callers})

    federated = "arn:aws:sts::111122223333:federated-user/"
    assert kinds(*({"actor_arn": federated + name} for name in ("a", "b/c", "d\n"))) == 1
    roles = ({"actor_arn": None, "actor_principal_id": f"AROAEXAMPLE:{name}"} for name in ("a", "b:c", "d\n"))
    assert kinds(*roles) == 1
    users = [{"actor_arn": None, "actor_principal_id": name} for name in ("AIDAONE", "AIDATWO")]
    assert kinds(*users) == 2


def test_those_of_another_account_who_are_refused_are_one_kind() -> None:
    strangers = [
        {"actor_account_id": account, "actor_arn": f"arn:aws:iam::{account}:user/{name}", "event_outcome": outcome}
        for account in ("444455556666", "777788889999")
        for outcome in ("denied", "success")
        for name in ("one", "two")
    ]
    kinds = [kind_of(make_alert(severity="high", **stranger)) for stranger in strangers]
    assert len(set(kinds)) == 6
    assert kinds[0] == kinds[1]
    assert kinds[4] == kinds[5]


def test_a_thousand_denied_calls_do_not_hide_the_one_that_succeeded() -> None:
    grouping = Grouping()
    for _ in range(1000):
        gathered(grouping, 0, event_outcome="denied", severity="high")
    assert gathered(grouping, 1, event_outcome="success", severity="high") is None


_HOME_ONLY = Change("isMultiRegionTrail", False, "only its home region is recorded from now on")


def _moved(bucket: str) -> Change:
    return Change("s3BucketName", bucket, f"logs now go to another place, bucket {bucket}; this reader misses them")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_does_something_else_is_not_alike(severity: str) -> None:
    kinds = {
        kind_of(make_alert(severity=severity, event_name="UpdateTrail", changes=changes))
        for changes in (
            (),
            (_HOME_ONLY,),
            (Change("isMultiRegionTrail", True, "all regions are recorded"),),
            (_moved("stolen"),),
            (_HOME_ONLY, _moved("stolen")),
        )
    }
    assert len(kinds) == 5


def test_names_times_and_amounts_that_each_repeat_has_of_its_own_make_no_kinds() -> None:
    long = "arn:aws:sns:eu-west-1:111122223333:" + "x" * 80
    repeats = [
        [_moved("one"), _moved("two-logs"), _moved("three.of.them")],
        [Change("rule", {"Days": days}, f"log files are deleted after {days} days") for days in (1, 2, 30)],
        [Change("recorded", {"seconds": s}, f"the trail was off for {s // 60} minutes") for s in (120, 600)],
        [Change("topic", value, f"announced through {shown(value, 60)} now") for value in ("t", "a:b (c)", long)],
        [Change("before", {"name": name}, f"bucket {name} before") for name in ("one", "two")],
    ]
    for alike in repeats:
        assert len({kind_of(make_alert(changes=(change,))) for change in alike}) == 1
    assert kind_of(make_alert(changes=(_HOME_ONLY, _moved("x")))) == kind_of(
        make_alert(changes=(_moved("y"), _HOME_ONLY))
    )


def test_whoever_is_refused_makes_no_kinds_by_what_he_asks_for() -> None:
    asked = [(), (_HOME_ONLY,), (_moved("stolen"),)]
    assert len({kind_of(make_alert(event_outcome="denied", changes=changes)) for changes in asked}) == 1


def test_many_of_one_change_do_not_hide_another() -> None:
    grouping = Grouping()
    for _ in range(1000):
        gathered(grouping, 0, changes=(_HOME_ONLY,))
    assert gathered(grouping, 1, changes=(_HOME_ONLY,)) is not None
    assert gathered(grouping, 1, changes=(_moved("stolen"),)) is None


def test_kinds_that_an_attacker_makes_up_cost_no_memory_for_ever() -> None:
    grouping = Grouping()
    for number in range(12_000):
        gathered(grouping, number / 1000, actor_arn=f"arn:aws:iam::111122223333:user/{number}")
    assert len(grouping._storms) <= 10_000


@given(alerts(), st.floats(0, 1e6), st.floats(0, 4e9))
def test_no_alert_is_too_strange(alert: Any, now: float, unix: float) -> None:
    grouping = Grouping(max_event_age_s=3600)
    first = grouping.gather(alert, now, unix)
    assert first is None or first[1] >= now
    assert unix_time(alert.event.time) is None or isinstance(unix_time(alert.event.time), float)
