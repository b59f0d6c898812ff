from dataclasses import replace
from typing import Any

import pytest

from stream.alert import Alert
from stream.deliver.trail_states import FIELD, TrailStates
from tests.deliver.alerts import make_alert

AS_IT_WAS = {
    "s3BucketName": "logs",
    "isMultiRegionTrail": True,
    "logFileValidationEnabled": True,
    "includeGlobalServiceEvents": True,
    "isOrganizationTrail": False,
    "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/1",
}


def update(minute: int, sent: dict[str, Any], **response: Any) -> Alert:
    """An UpdateTrail that sends this, after which the trail is as it was save for what is told of the response."""
    fields = {"event_name": response.pop("event_name", "UpdateTrail"), "event_time": f"2026-03-01T12:{minute:02}:00Z"}
    alert = make_alert(f"{minute}", summary="Somebody did it.", **fields)
    after = {name: value for name, value in (AS_IT_WAS | response).items() if value is not None}
    record = {"requestParameters": {"name": "main", **sent}, "responseElements": after}
    return replace(alert, severity="high", record=record)


OFF = {"enableLogFileValidation": False}


async def test_what_was_different_before_is_told() -> None:
    states = TrailStates()
    first = update(0, {}, event_name="CreateTrail")
    assert await states.told_to_all(first) == first
    told = await states.told_to_all(update(1, OFF, logFileValidationEnabled=False, kmsKeyId=None))

    assert told.severity == "high"
    assert told.summary == (
        "Somebody did it. Known from before: log file validation: yes before; "
        "key arn:aws:kms:us-east-1:111122223333:key/1 before."
    )
    assert told.changes[-1].field == FIELD
    assert told.changes[-1].value == {"enableLogFileValidation": True, "kmsKeyId": AS_IT_WAS["kmsKeyId"]}


async def test_a_trail_that_was_like_that_already_is_no_weaker_for_it() -> None:
    states = TrailStates()
    await states.told_to_all(update(0, OFF, logFileValidationEnabled=False))
    told = await states.told_to_all(update(1, OFF, logFileValidationEnabled=False))

    assert told.severity == "informational"
    assert told.summary.endswith("The trail was like that already: nothing is known to have changed.")


@pytest.mark.parametrize("sent", [{"recursiveLogging": False}, {"omitted": True}, {"isNew": "x"}])
async def test_what_can_not_be_compared_stays_as_grave_as_it_was(sent: dict[str, Any]) -> None:
    states = TrailStates()
    await states.told_to_all(update(0, sent))

    assert await states.told_to_all(update(1, sent)) == update(1, sent)


async def test_a_file_that_came_late_says_nothing_of_before() -> None:
    states = TrailStates()
    await states.told_to_all(update(5, OFF, logFileValidationEnabled=False))

    assert await states.told_to_all(update(1, OFF)) == update(1, OFF)


@pytest.mark.parametrize(
    "changes",
    [{"event_outcome": "denied"}, {"event_source": "ec2.amazonaws.com"}, {"resources": ()}, {"event_name": "AddTags"}],
)
async def test_nothing_is_learnt_of_other_calls(changes: dict[str, Any]) -> None:
    states = TrailStates()
    other = make_alert("x", event_time="2026-03-01T12:00:00Z", **changes)
    await states.told_to_all(replace(other, record=update(0, OFF, logFileValidationEnabled=False).record))

    assert await states.told_to_all(update(1, OFF)) == update(1, OFF)


@pytest.mark.parametrize("response", [None, {"omitted": True}, {"s3BucketName": "logs", "kmsKeyId": ["x"]}])
async def test_nothing_is_learnt_of_a_response_that_is_not_whole(response: Any) -> None:
    states = TrailStates()
    await states.told_to_all(replace(update(0, {}), record={"requestParameters": {}, "responseElements": response}))

    assert await states.told_to_all(update(1, OFF)) == update(1, OFF)


def test_what_nobody_of_us_has_written_is_no_knowledge() -> None:
    memory = TrailStates()._memory
    assert memory.of('{"since":"2026-03-01T12:00:00Z","after":{"s3BucketName":"logs"}}') is None
