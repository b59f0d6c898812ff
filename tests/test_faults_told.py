"""Files that can't be read or believed are alerts of their own, once each, and what heals by itself is none."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from stream.alert import LogFile
from stream.decode.records import Unreadable
from stream.deliver.grouping import kind_of
from stream.errors import LOG_FILE_REASONS, LogFileError
from stream.faults import MISSING_AFTER_S, Place, misplaced, unread, unreadable
from stream.intake.queue import Message
from stream.notice import KINDS, is_notice
from stream.pipeline import MessageFailed
from tests.deliver.fakes import FakeChannel, FakePeople
from tests.deliver.test_groups import Bench as Deliveries
from tests.test_end_to_end import FOLDER, log_file, s3_event, stop_logging
from tests.test_pipeline import _Bench, _open

NOW = 1_772_366_400.0
PLACE = Place(LogFile("logs", f"{FOLDER}a.json.gz", None), "111122223333", "prod", "eu-west-1", NOW)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    async with _open(monkeypatch, unix_time=lambda: NOW) as made:
        yield made


async def process(bench: _Bench, *, receives: int = 1, sent_at: float | None = None) -> None:
    message = Message("m", s3_event("logs", f"{FOLDER}a.json.gz"), receives, sent_at, received_at=0.0)
    with pytest.raises(MessageFailed):
        await bench.pipeline.process(message)


def told(bench: _Bench) -> list[str]:
    return [alert.rule.id for alert in bench.ears.told if is_notice(alert)]


async def test_a_file_that_was_deleted_before_it_was_read_is_told_of_once(bench: _Bench) -> None:
    bench.stub.otherwise = "404:NoSuchKey"
    await process(bench, sent_at=NOW - 10)
    assert told(bench) == [], "it may come yet"

    for receives in (4, 5):
        await process(bench, receives=receives, sent_at=NOW - MISSING_AFTER_S)

    assert told(bench) == ["trailstream-log-file-missing"]
    (alert,) = bench.ears.told
    assert (alert.severity, alert.event.account_id, alert.event.region) == ("high", "111122223333", "us-east-1")
    assert alert.log_file == LogFile("logs", f"{FOLDER}a.json.gz", None)
    assert bench.count("alerts_total", rule="trailstream-log-file-missing", severity="high") == 2
    assert bench.count("deliveries_total", channel="ears", outcome="duplicate") == 1


@pytest.mark.parametrize("fault", ["403:AccessDenied", "503:SlowDown"])
async def test_what_may_be_our_own_fault_or_heal_is_told_of_nobody(bench: _Bench, fault: str) -> None:
    bench.stub.otherwise = fault
    await process(bench, receives=9, sent_at=NOW - 10 * MISSING_AFTER_S)
    assert told(bench) == []


async def test_half_a_file_is_no_alert_and_what_was_found_before_is(bench: _Bench) -> None:
    whole = log_file(*(stop_logging(f"e{number}") for number in range(300)))
    bench.stub.body = whole[:-20]
    await process(bench, receives=9, sent_at=NOW - 10 * MISSING_AFTER_S)

    assert told(bench) == []
    assert len(bench.ears.heard) > 100


async def test_a_record_that_no_parser_takes_is_told_of_and_hides_none_beside_it(bench: _Bench) -> None:
    good = stop_logging("good")
    broken = json.dumps(stop_logging("broken")).replace('"1.08"', "1.0.8 \u202e")
    body = f'{{"Records":[{json.dumps(good)},{broken},{json.dumps(stop_logging("behind"))}]}}'
    bench.stub.body = gzip.compress(body.encode())
    for receives in (1, 2):
        await process(bench, receives=receives)

    assert told(bench) == ["trailstream-unreadable-record"]
    assert {"good", "behind"} <= set(bench.ears.heard)
    alert = next(alert for alert in bench.ears.told if is_notice(alert))
    assert "StopLogging" in alert.record["excerpt"]
    assert alert.record["excerpt"].isprintable()


async def test_records_of_another_account_are_told_of_beside_their_alerts(bench: _Bench) -> None:
    bench.stub.body = log_file(stop_logging("whose", recipientAccountId="999999999999"))
    await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    assert told(bench) == ["trailstream-log-file-misplaced"]
    assert "whose" in bench.ears.heard


@pytest.mark.parametrize("reason", LOG_FILE_REASONS)
def test_only_what_hides_records_is_told_of_and_in_plain_words(reason: Any) -> None:
    notice = unread(LogFileError(reason, "x"), PLACE, announced_s=1e9)

    if reason not in ("not_found", "log_too_large", "record_too_large"):
        assert notice is None
        return
    assert notice is not None
    alert = notice.alert()
    assert alert.rule.id in KINDS
    assert "account prod" in alert.summary
    assert alert.summary.count(". ") <= 2


def test_the_same_fault_is_the_same_alert_and_another_is_not() -> None:
    def alert_of(reason: Any, place: Place = PLACE) -> str:
        notice = unread(LogFileError(reason, "x"), place, announced_s=1e9)
        return notice.alert().id if notice else ""

    later = replace(PLACE, now=NOW + 60)
    other = replace(PLACE, log_file=replace(PLACE.log_file, key="other"))
    assert alert_of("not_found") == alert_of("not_found", later)
    assert len({alert_of("log_too_large"), alert_of("record_too_large"), alert_of("not_found")}) == 3
    assert alert_of("not_found") != alert_of("not_found", other)


def test_of_very_many_unreadable_records_the_first_are_told_with_the_number_of_the_rest() -> None:
    records = [Unreadable(b"x", bytes([number])) for number in range(20)]
    notices = list(unreadable(records, 5000, PLACE))

    assert len({notice.alert().id for notice in notices}) == 20
    assert notices[-1].summary.endswith("4980 more records of the file are like it.")


async def test_a_flood_of_bad_files_is_a_handful_of_messages_to_people_and_each_is_told_to_machines() -> None:
    people, machine = FakePeople(), FakeChannel("machine")
    bench = Deliveries(people, machine, max_pending=5000)
    alerts = [
        misplaced(replace(PLACE, log_file=LogFile("logs", f"{number}"), account_id=f"{number:012}", account_name=None))
        for number in range(1000)
    ]
    async with bench.dispatcher:
        tasks = bench.start(*(notice.alert() for notice in alerts))
        await bench.clock.advance(60)
        while not all(task.done() for task in tasks):
            await bench.clock.settle()
    assert len(machine.ids) == 1000
    assert len(people.told) < 15


def test_notices_of_one_kind_are_one_story_whatever_account_a_key_names() -> None:
    others = [replace(PLACE, account_id=account, account_name=None) for account in ("1" * 12, "2" * 12)]
    assert len({kind_of(misplaced(place).alert()) for place in others}) == 1


async def test_without_the_pack_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _open(monkeypatch, unix_time=lambda: NOW) as bench:
        bench.pipeline._tells_of_itself = False
        bench.stub.otherwise = "404:NoSuchKey"
        await process(bench, receives=5, sent_at=0.0)
        assert told(bench) == []
