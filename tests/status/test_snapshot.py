"""What the page says, as JSON."""

import json

import pytest

from stream.deliver.recent import MOST, Recent
from stream.metrics import ERRORS, Metrics
from stream.status.advice import advice_for
from stream.status.snapshot import Status, duration
from tests.deliver.alerts import make_alert
from tests.status.conftest import NOW


def test_somebody_who_has_just_set_it_up_is_told_the_next_step(quiet: Status) -> None:
    shown = quiet.snapshot()

    assert shown["summary"] == "Watching bucket acme. No log file yet. Nothing lost. 0 alerts today."
    assert "`trailstream check`" in shown["next_step"]
    assert shown["problems"] == []


def test_messages_without_a_log_file_are_another_step(quiet: Status, metrics: Metrics) -> None:
    metrics.messages_received.inc()
    metrics.messages_settled.labels("acknowledged").inc()

    assert quiet.snapshot()["next_step"].startswith("Messages come")


def test_what_goes_well_is_said_in_one_line(quiet: Status, metrics: Metrics) -> None:
    metrics.log_files.labels("read", "ok").inc()
    metrics.last_log_file.set(NOW - 40)
    shown = quiet.snapshot()

    assert shown["summary"] == "Watching bucket acme. Last log file 40 s ago. Nothing lost. 0 alerts today."
    assert shown["next_step"] is None


def test_what_is_wrong_comes_with_what_to_do(busy: Status) -> None:
    shown = busy.snapshot()
    told = {problem["what"]: problem["advice"] for problem in shown["problems"]}

    assert "1 message failed and came again; 1 in the dead-letter queue." in shown["summary"]
    assert "channels test slack" in told["channel slack is out of order (unauthorized)"]
    assert "redrive" in told["queue: dead letters"]
    assert "log file: not gzip" in told


def test_each_alert_says_who_was_told_of_it_and_how_fast(busy: Status) -> None:
    last, *_, first = busy.snapshot()["alerts"]

    assert last["severity"] == "informational"
    assert last["waiting"] == ["slack"]
    assert [(each["channel"], each["outcome"], each["seconds"]) for each in first["delivered"]] == [
        ("webhook", "accepted", 0.42),
        ("slack", "rejected", 3.0),
    ]


def test_messages_that_are_nowhere_are_the_worst_that_can_be_wrong(quiet: Status, metrics: Metrics) -> None:
    metrics.messages_received.inc(2)
    shown = quiet.snapshot()

    assert shown["messages"]["adds_up"] is False
    assert shown["problems"][0]["what"] == "messages: unaccounted"


def test_all_of_it_is_json(busy: Status) -> None:
    assert json.loads(json.dumps(busy.snapshot()))["channels"][0]["oldest_pending_seconds"] == 125


def test_a_storm_leaves_the_last_ones_and_the_count() -> None:
    recent = Recent(lambda: NOW)
    for number in range(MOST + 7):
        recent.found(make_alert(f"alert-{number}"), ("slack",))
    recent.found(make_alert(f"alert-{MOST}"), ("slack",))

    assert recent.today == MOST + 7
    assert len(list(recent)) == MOST
    assert next(iter(recent)).id == f"alert-{MOST}"
    recent.ended("alert-0", "slack", "accepted", 1.0)  # it is no longer shown


def test_a_day_ends_at_midnight() -> None:
    now = [NOW]
    recent = Recent(lambda: now[0])
    recent.found(make_alert(), ("slack",))
    now[0] += 86_400

    assert recent.today == 0


@pytest.mark.parametrize(("stage", "reason"), [(stage, reason) for stage, each in ERRORS.items() for reason in each])
def test_there_is_advice_for_every_error(stage: str, reason: str) -> None:
    assert advice_for(stage, reason) != advice_for("no such", "stage"), (stage, reason)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
