import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Resource
from stream.deliver.sized import sized_json
from stream.deliver.text import CUT
from tests.deliver.alerts import alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, hostile

LIMIT = 256_000


def _made(alert: Alert, limit: int = LIMIT, *, minimal: bool = False) -> dict[str, Any]:
    text = sized_json(alert, limit, minimal=minimal)
    assert len(text.encode()) <= limit
    made: dict[str, Any] = orjson.loads(text)
    return made


def test_what_fits_is_the_alerts_own_json() -> None:
    assert sized_json(make_alert(), LIMIT) == make_alert().to_json().decode()


def test_the_record_is_the_first_to_go_and_that_is_said() -> None:
    alert = make_alert(record={"requestParameters": "x" * LIMIT}, actor_user_agent="u" * 2000)
    made, whole = _made(alert), json.loads(alert.to_json())
    assert made.pop("omitted") == ["record"]
    del whole["record"], whole["context"]
    assert made == whole


def test_then_free_texts_are_cut_and_no_id_is() -> None:
    arns = [f"arn:aws:s3:::{'b' * 2000}{n}" for n in range(10)]
    changes = tuple(Change(f"field{n}", "v" * 100_000, "e" * 100_000) for n in range(30))
    alert = make_alert(
        resources=tuple(Resource("AWS::S3::Bucket", arn, None) for arn in arns),
        changes=changes,
        context={"calls": {}},
        event_error_message="m" * 100_000,
    )
    made = _made(alert, 80_000)
    assert made["omitted"] == ["record", "context", "changes"]
    assert [resource["arn"] for resource in made["resources"]] == arns
    assert made["event"]["error_message"].endswith(CUT)
    assert all(change["value"].endswith(CUT) for change in made["changes"])
    assert (made["id"], made["event"]["id"]) == (alert.id, alert.event.id)


def test_the_minimal_json_has_no_record_and_says_so() -> None:
    made = _made(make_alert(), minimal=True)
    assert made["minimal"] is True
    assert "record" not in made
    assert made["actor"]["arn"] == make_alert().actor.arn


@pytest.mark.parametrize("name", ["half a surrogate", "json", "long in escapes", "terminal"])
def test_attacks_keep_within_the_limit_and_are_json_for_the_strictest_of_readers(name: str) -> None:
    for minimal in (False, True):
        made = _made(hostile(ATTACKS[name], items=1), 65_536, minimal=minimal)
        assert made["severity"] == "critical"


@given(alerts())
@settings(max_examples=10, deadline=None)
def test_any_alert_fits(alert: Alert) -> None:
    assert _made(alert, 65_536)["id"] == alert.id


def test_a_record_of_any_depth_fits() -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}
    assert _made(make_alert(record=deep, changes=(Change("a", deep, ""),)))["severity"] == "critical"


def test_a_limit_that_is_too_small_is_an_error() -> None:
    with pytest.raises(ValueError, match="100 bytes"):
        sized_json(make_alert(), 100)
