import io

from rich.console import Console

from stream.demo.generator import Planted
from stream.demo.receiver import Arrival
from stream.demo.report import Outcome, Reconciliation, reconcile, render
from stream.demo.traffic import Traffic
from stream.demo.workload import Samples

METRICS = """
# TYPE trailstream_log_files_total counter
trailstream_log_files_total{outcome="read",reason="ok"} 2.0
trailstream_log_files_total{outcome="skipped",reason="digest"} 1.0
trailstream_log_files_total{outcome="failed",reason="truncated"} 3.0
# TYPE trailstream_alerts_total counter
trailstream_alerts_total{rule="a",severity="high"} 2.0
trailstream_alerts_total{rule="a",severity="low"} 3.0
# TYPE trailstream_records_total counter
trailstream_records_total 40.0
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 7e+07
"""


def planted(*event_ids: str) -> dict[str, Planted]:
    return {each: Planted(each, "StopLogging") for each in event_ids}


def arrival(event_id: str, at: float = 1.0, alert_id: str | None = None) -> Arrival:
    return Arrival(alert_id or f"alert-{event_id}", event_id, "StopLogging", "critical", at)


def books(planted_ids: str, arrivals: list[Arrival]) -> Reconciliation:
    return reconcile(planted(*planted_ids), dict.fromkeys(planted_ids, 0.5), arrivals)


def outcome(of: Reconciliation, **fields: int) -> Outcome:
    return Outcome(
        books=of,
        traffic=Traffic(
            started=0.0,
            log_files=fields.get("log_files", 2),
            json_bytes=2_000_000,
            faults=2,
            dead_letters=fields.get("dead_letters", 2),
        ),
        samples=Samples(METRICS),
        elapsed_s=4.0,
        refused=fields.get("refused", 0),
        exit_code=fields.get("exit_code", 0),
    )


def test_books_are_clean_when_each_planted_change_came_once() -> None:
    result = books("ab", [arrival("a"), arrival("b", 2.0)])
    assert result.clean
    assert (result.planted, result.alerted) == (2, 2)
    assert result.latencies_s == (0.5, 1.5)
    assert not outcome(result).faults()


def test_a_missed_a_false_and_a_doubled_alert_are_each_found() -> None:
    result = books("ab", [arrival("a"), arrival("a", 3.0), arrival("x")])
    assert not result.clean
    assert [each.event_id for each in result.missed] == ["b"]
    assert [each.event_id for each in result.false] == ["x"]
    assert result.doubled == 1
    assert result.latencies_s == (0.5,), "a second arrival does not count as the time it took"
    assert [fault.split(":")[0] for fault in outcome(result).faults()] == ["missed", "false", "1 alerts came twice"]


def test_two_rules_on_one_event_are_two_alerts_and_no_double() -> None:
    result = books("a", [arrival("a", alert_id="one"), arrival("a", alert_id="two")])
    assert result.clean


def test_whatever_else_went_wrong_is_a_fault_too() -> None:
    good = books("a", [arrival("a")])
    for fields, words in (
        ({"refused": 3}, "refused 3"),
        ({"log_files": 5}, "5 log files went in, 2 were read"),
        ({"dead_letters": 1}, "2 faults went in, 1"),
        ({"exit_code": 1}, "exit code 1"),
    ):
        (fault,) = outcome(good, **fields).faults()
        assert words in fault


def test_quantiles_hold_for_none_one_and_many_alerts() -> None:
    assert books("", []).quantile(99) == 0.0
    assert books("a", [arrival("a", 2.5)]).quantile(50) == 2.0
    ids = "abcdefghijk"
    many = books(ids, [arrival(each, 0.5 + index) for index, each in enumerate(ids)])
    assert many.quantile(50) == 5.0
    assert 9.8 < many.quantile(99) <= 10.0


def test_the_table_shows_the_books_and_what_the_workload_measured() -> None:
    output = io.StringIO()
    render(outcome(books("ab", [arrival("a"), arrival("x")])), Console(file=output, width=110))
    rows = {line.split()[0]: line.split()[1] for line in output.getvalue().splitlines() if len(line.split()) > 1}
    assert rows["planted"] == "2"
    assert rows["alerted"] == "1"
    assert rows["missed"] == "1"
    assert rows["false"] == "1"
    assert rows["doubled"] == "0"
    assert rows["recognised"] == "3", "five raised, two different ones came"
    assert rows["records"] == "40"
    assert rows["skipped"] == "1"
    assert rows["throughput"] == "0.5"
    assert rows["memory"] == "70"
