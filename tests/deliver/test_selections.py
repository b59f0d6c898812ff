from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stream.alert import Alert
from stream.deliver.selections import FIELD, Selections
from tests.deliver.alerts import make_alert


def put(minute: int, *buckets: str, **changes: Any) -> Alert:
    """A PutEventSelectors that records the objects of these buckets."""
    values = [f"arn:aws:s3:::{bucket}/" for bucket in buckets]
    selectors = [{"dataResources": [{"type": "AWS::S3::Object", "values": values}]}]
    fields = {"event_name": "PutEventSelectors", "event_time": f"2026-03-01T12:{minute:02}:00Z"} | changes
    alert = make_alert(f"{minute}", summary="Somebody did it.", **fields)
    record = {"requestParameters": {"trailName": "main", "eventSelectors": selectors}}
    return replace(alert, severity="informational", record=record)


async def said(*alerts: Alert) -> list[str]:
    """What is said of each besides what it said already."""
    selections = Selections()
    return [(await selections.told_to_all(each)).summary.removeprefix("Somebody did it.").strip() for each in alerts]


async def test_what_is_no_longer_recorded_is_told() -> None:
    selections = Selections()
    assert await selections.told_to_all(put(0, "shop", "stock", "bills")) == put(0, "shop", "stock", "bills")
    told = await selections.told_to_all(put(1, "shop"))

    assert told.severity == "medium"
    assert told.summary == (
        "Somebody did it. Data events that were recorded no longer are, or only in part: arn:aws:s3:::bills/, "
        "arn:aws:s3:::stock/."
    )
    assert told.changes[-1].field == FIELD
    assert {one["prefix"] for one in told.changes[-1].value} == {"arn:aws:s3:::bills/", "arn:aws:s3:::stock/"}


async def test_the_log_bucket_s_own_objects_are_told_of_as_graver() -> None:
    selections = Selections()
    await selections.told_to_all(put(0, "logs", "shop"))
    told = await selections.told_to_all(put(1, "shop"))

    assert told.severity == "high"
    assert told.summary.endswith("; what is done to the log files themselves is unseen.")


async def test_nothing_is_said_where_nothing_is_lost_or_known() -> None:
    assert await said(put(0, "shop"), put(1, "shop"), put(2, "shop", "stock")) == [""] * 3
    assert await said(put(0, "shop", event_outcome="denied"), put(1)) == ["", ""]
    assert await said(put(0, "shop", event_source="ec2.amazonaws.com"), put(1)) == ["", ""]
    assert await said(put(0, "shop", event_account_id="444455556666"), put(1)) == ["", ""]
    assert await said(put(0, "shop", resources=()), put(1, resources=())) == ["", ""]
    assert await said(put(5, "shop"), put(1)) == ["", ""], "a file that came late"


async def test_what_is_found_again_says_the_same_again() -> None:
    first, *_, last = await said(put(0, "shop"), put(1), put(0, "shop"), put(1))
    assert first == ""
    assert last.startswith("Data events")


class _Table:
    """What replicas share, or fail to."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.there = True

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        if self.there:
            self.texts[name] = revision(self.texts.get(name))
        return self.there


async def test_replicas_know_of_one_another_s_while_they_can() -> None:
    table = _Table()
    now = [0.0]
    one, other = Selections(table), Selections(table, now=lambda: now[0])
    await one.told_to_all(put(0, "shop"))
    assert (await other.told_to_all(put(1))).severity == "medium"

    table.there = False
    await one.told_to_all(put(2, "shop", "stock"))
    assert (await other.told_to_all(put(3))).severity == "informational", "it does not know of what was in between"
    table.there = True
    await other.told_to_all(put(4, "shop"))
    now[0] = 61
    assert (await other.told_to_all(put(5))).severity == "medium"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "x", '{"since":"2026-03-01T12:00:00Z","after":[[1,2,3,4]]}', '{"since":"x","after":[]}', "[" * 100_000],
)
def test_what_nobody_of_us_has_written_is_no_knowledge(text: str) -> None:
    assert Selections()._memory.of(text) is None


async def test_so_many_trails_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.deliver.memory._MOST_TRAILS", 2)
    selections = Selections()
    for number in range(4):
        await selections.told_to_all(put(0, "shop", event_account_id=f"{number:012}"))
    assert len(selections._memory) == 2
