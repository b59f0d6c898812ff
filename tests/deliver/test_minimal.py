import json
from typing import Any

from hypothesis import given, settings

from stream.alert import Alert, Change
from stream.deliver.minimal import minimal_json
from tests.deliver.alerts import alerts, make_alert


def test_it_is_the_alert_without_record_and_context_and_says_so() -> None:
    alert = make_alert(context={"calls": {"StopLogging": 1}})
    whole, minimal = json.loads(alert.to_json()), json.loads(minimal_json(alert))
    assert minimal.pop("minimal") is True
    del whole["record"], whole["context"]
    assert minimal == whole


def test_long_texts_and_lists_are_cut() -> None:
    changes = tuple(Change(f"field{n}", "v" * 100_000, "effect") for n in range(1000))
    assert len(minimal_json(make_alert(changes=changes, event_error_message="m" * 100_000))) < 30_000


def test_it_can_be_made_of_a_record_of_any_depth() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    minimal = json.loads(minimal_json(make_alert(record=deep, changes=(Change("a", deep, ""),))))
    assert minimal["changes"][0]["field"] == "a"


@given(alerts())
@settings(max_examples=50, deadline=None)
def test_it_can_be_made_of_any_alert_and_stays_small(alert: Alert) -> None:
    minimal = minimal_json(alert)
    assert json.loads(minimal)["id"] == alert.id
    assert len(minimal) < 100_000
