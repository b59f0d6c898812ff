from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alert import Alert, Resource
from stream.deliver.gaps import FIELD, Gaps, _Trail, duration
from tests.deliver.alerts import TRAIL, make_alert

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def _alert(name: str, minutes: float, trail: str = TRAIL, **changes: Any) -> Alert:
    return make_alert(
        f"{name} {minutes} {trail}",
        event_name=name,
        resources=(Resource("AWS::CloudTrail::Trail", trail, None),),
        **{"event_time": _at(minutes), "summary": "Somebody did it."} | changes,
    )


def stop(minutes: float, trail: str = TRAIL, **changes: Any) -> Alert:
    return _alert("StopLogging", minutes, trail, **changes)


def start(minutes: float, trail: str = TRAIL, **changes: Any) -> Alert:
    return _alert("StartLogging", minutes, trail, **changes)


def _summaries(*alerts: Alert, alone: bool = True) -> list[str]:
    """What is said of each besides what it said already."""
    gaps = Gaps(alone=alone)
    return [gaps.told(alert).summary.removeprefix("Somebody did it.").strip() for alert in alerts]


def test_a_start_says_for_how_long_the_trail_was_off() -> None:
    gaps = Gaps()
    assert gaps.told(stop(0)) == stop(0)
    told = gaps.told(start(133))
    assert told.summary == (
        "Somebody did it. It was off for 2 h 13 min (from 2026-03-01T12:00:00Z to 2026-03-01T14:13:00Z)."
    )
    assert told.id == start(133).id
    assert told.changes[:-1] == start(133).changes
    assert told.changes[-1].field == FIELD
    assert told.changes[-1].value == {"from": _at(0), "to": _at(133), "seconds": 7980, "stops": 1}
    assert told.changes[-1].effect == "the trail was off for 2 h 13 min, in which it recorded nothing"


def test_nothing_is_said_where_no_stop_is_known() -> None:
    assert _summaries(start(10)) == [""]
    assert _summaries(start(10), stop(0), start(10))[::2] == ["", ""], "the start came first, and has answered the stop"
    assert _summaries(stop(10), start(5)) == ["", ""]
    assert _summaries(stop(0), start(10, TRAIL + "2")) == ["", ""]
    assert _summaries(stop(0), start(10, event_account_id="444455556666")) == ["", ""]
    assert _summaries(stop(10), start(10)) == ["", ""], "in the same second, nobody knows which came first"


@pytest.mark.parametrize(
    "changes",
    [
        {"event_outcome": "denied"},
        {"event_outcome": "failed"},
        {"event_source": "ec2.amazonaws.com"},
        {"event_time": "yesterday"},
        {"event_time": "2026-03-01T12:00:00"},
    ],
)
def test_what_did_not_happen_or_nobody_knows_when_counts_for_nothing(changes: dict[str, Any]) -> None:
    assert _summaries(stop(0, **changes), start(10)) == ["", ""]
    assert _summaries(stop(0), start(10, **changes)) == ["", ""]


def test_a_start_that_is_found_again_says_the_same_again() -> None:
    said = _summaries(stop(0), start(10), stop(0), start(10), start(10))
    assert said[1] == said[3] == said[4] != ""


def test_a_stop_that_is_found_again_opens_no_gap() -> None:
    assert _summaries(stop(0), start(10), stop(0), start(20))[3] == ""


def test_a_stop_says_what_is_known_of_before_and_after() -> None:
    assert _summaries(start(10), stop(0)) == ["", "It was started again by 2026-03-01T12:10:00Z, 10 min 0 s later."]
    assert _summaries(stop(0), start(60), start(10), stop(0))[3] == (
        "It was started again by 2026-03-01T12:10:00Z, 10 min 0 s later."
    )
    assert _summaries(stop(0), stop(5))[1] == (
        "It had been stopped before, at 2026-03-01T12:00:00Z; no start since then is known."
    )
    assert _summaries(stop(0), stop(0), start(1), stop(5))[::3] == ["", ""]


def test_a_trail_that_was_deleted_is_off_until_one_of_its_name_is_started() -> None:
    said = _summaries(_alert("DeleteTrail", 0), _alert("CreateTrail", 1), start(2))
    assert said == ["", "", "It was off for 2 min 0 s (from 2026-03-01T12:00:00Z to 2026-03-01T12:02:00Z)."]


@pytest.mark.parametrize(
    ("protected", "actor", "severity"),
    [
        (True, {}, "high"),
        (None, {}, "high"),
        (False, {}, "low"),
        (True, {"actor_type": "Root"}, "critical"),
        (True, {"actor_account_id": "999988887777"}, "critical"),
    ],
)
def test_a_start_that_ends_a_gap_is_grave(protected: bool | None, actor: dict[str, Any], severity: str) -> None:
    gaps = Gaps()
    gaps.told(stop(0))
    resources = (Resource("AWS::CloudTrail::Trail", TRAIL, protected),)
    ends = replace(start(5, **actor), severity="informational", resources=resources)
    assert gaps.told(ends).severity == severity
    assert Gaps().told(ends).severity == "informational"
    assert gaps.told(replace(ends, severity="critical")).severity == "critical"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12), st.integers(0, 12))
def test_two_who_tell_one_another_know_what_one_does(events: list[tuple[bool, int]], cut: int) -> None:
    alone, one, other = _Trail(), _Trail(), _Trail()
    for place, (is_stop, minutes) in enumerate(events):
        name, at = "StopLogging" if is_stop else "StartLogging", NOON + timedelta(minutes=minutes)
        mine, yours = (one, other) if place < cut else (other, one)
        mine.merge(_Trail.of(yours.text()))
        assert mine.apply(name, at) == alone.apply(name, at)
        assert mine.apply(name, at) == alone.apply(name, at), "twice is as once"
    assert _Trail.of(one.text()) == one


@pytest.mark.parametrize(
    "text", ["", "[]", "nonsense", '{"stops":7,"start":{},"gap":[]}', '{"gap":{"stops":[],"start":"x"}}', "[" * 100_000]
)
def test_what_nobody_of_us_has_written_is_no_knowledge(text: str) -> None:
    assert _Trail.of(text) == _Trail()


def test_each_gap_is_told_by_its_own_start() -> None:
    said = _summaries(stop(0), start(10), stop(20), start(25))
    assert "off for 10 min 0 s" in said[1]
    assert "off for 5 min 0 s" in said[3]


def test_of_several_stops_it_is_told_which_were_first_and_last() -> None:
    said = _summaries(stop(60), stop(0), stop(30), start(90))[-1]
    assert said == (
        "It was off for up to 1 h 30 min (stopped at 2026-03-01T12:00:00Z, last stopped at 2026-03-01T13:00:00Z, "
        "started at 2026-03-01T13:30:00Z)."
    )


def test_a_replica_among_others_says_how_long_it_was_at_most() -> None:
    said = _summaries(stop(0), start(5), alone=False)[-1]
    assert said == (
        "It was off for up to 5 min 0 s (stopped at 2026-03-01T12:00:00Z, started at 2026-03-01T12:05:00Z)."
    )


def test_a_start_whose_file_came_late_ends_the_gap_where_it_ended() -> None:
    said = _summaries(stop(0), start(60), start(10))
    assert "off for 10 min 0 s" in said[2]
    assert _summaries(stop(0), stop(20), start(10), start(30))[2:] == [
        "It was off for 10 min 0 s (from 2026-03-01T12:00:00Z to 2026-03-01T12:10:00Z).",
        "It was off for 10 min 0 s (from 2026-03-01T12:20:00Z to 2026-03-01T12:30:00Z).",
    ]


def test_whatever_the_order_no_gap_is_told_that_begins_before_a_start_known_before() -> None:
    events = [stop(0), start(10), stop(20), start(30)]
    for order in permutations(events):
        for alert, said in zip(order, _summaries(*order), strict=True):
            seen = order[: order.index(alert)]
            if alert.id == start(30).id and any(each.id == start(10).id for each in seen):
                assert _at(0) not in said
            if alert.event.name == "StopLogging":
                assert "It was off" not in said
            elif not any(each.event.name == "StopLogging" for each in seen):
                assert said == ""


def test_a_long_summary_gives_way_and_the_gap_stays_whole() -> None:
    gaps = Gaps()
    gaps.told(stop(0))
    told = gaps.told(start(5, summary="x" * 5000))
    assert len(told.summary) == 480
    assert told.summary.endswith("It was off for 5 min 0 s (from 2026-03-01T12:00:00Z to 2026-03-01T12:05:00Z).")


def test_so_many_trails_and_stops_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.deliver.gaps._MOST_TRAILS", 3)
    gaps = Gaps()
    for n in range(5):
        gaps.told(stop(0, f"{TRAIL}{n}"))
    for n in range(100):
        gaps.told(stop(n, f"{TRAIL}4"))
    assert len(gaps) == 3
    assert FIELD not in [change.field for change in gaps.told(start(200, f"{TRAIL}0")).changes]
    value = gaps.told(start(200, f"{TRAIL}4")).changes[-1].value
    assert value == {"from": _at(0), "to": _at(200), "seconds": 12_000, "stops": 20}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 s"), (59, "59 s"), (61, "1 min 1 s"), (7980, "2 h 13 min"), (86_399, "23 h 59 min"), (187_200, "2 d 4 h")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert duration(seconds) == words


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=30), st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_gap_is_as_long_as_from_a_stop_that_was_seen_to_its_start(
    events: list[tuple[bool, int]], alone: bool
) -> None:
    gaps = Gaps(alone=alone)
    stops = set()
    for is_stop, minutes in events:
        told = gaps.told(stop(minutes) if is_stop else start(minutes))
        if is_stop:
            stops.add(_at(minutes))
            assert replace(told, summary=stop(minutes).summary) == stop(minutes)
        elif told != start(minutes):
            value = told.changes[-1].value
            assert value["from"] in stops
            assert value["to"] == _at(minutes)
            assert value["seconds"] > 0
