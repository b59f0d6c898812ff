from typing import Any

from stream.deliver.delivery import Delivery, Pending, WaitingLine
from tests.deliver.alerts import make_alert


def _delivery(order: int, *severities: str, **fields: Any) -> Delivery:
    delivery = Delivery(order, **fields)
    for number, severity in enumerate(severities or ("high",)):
        alert = make_alert(f"alert-{order}-{number}", severity=severity)
        delivery.pending[alert.id] = Pending(alert, received_at=0, submitted_at=0, deadline=100, delivery=delivery)
    return delivery


def _line(*deliveries: Delivery) -> WaitingLine:
    line = WaitingLine()
    for delivery in deliveries:
        line.add(delivery, 0)
    return line


def _pop(line: WaitingLine, now: float = 0, *, least_tried: bool = False) -> int | None:
    delivery = line.pop(now, least_tried=least_tried)
    return None if delivery is None else delivery.order


async def test_the_most_severe_goes_first_then_the_one_that_came_first() -> None:
    line = _line(_delivery(1, "low"), _delivery(2, "critical"), _delivery(3, "critical"), _delivery(4, "medium"))
    assert [_pop(line) for _ in range(4)] == [2, 3, 4, 1]


async def test_nobody_goes_before_their_moment() -> None:
    line = WaitingLine()
    line.add(_delivery(1), 30)
    assert _pop(line, 29.9) is None
    assert line.next_at(29.9) == 30
    assert line.next_at(31) == 31
    assert _pop(line, 31) == 1
    assert line.next_at(31) is None


async def test_a_probe_is_the_one_with_the_fewest_attempts() -> None:
    line = _line(_delivery(1, "critical", attempts=9), _delivery(2, "low"), _delivery(3, "low", attempts=1))
    assert [_pop(line, least_tried=True), _pop(line)] == [2, 1]


async def test_a_new_place_is_in_exchange_for_the_old_one() -> None:
    delivery = _delivery(1)
    line = WaitingLine()
    line.add(delivery, 30)
    line.add(delivery, 5)
    assert [_pop(line, 4), _pop(line, 5), _pop(line, 31)] == [None, 1, None]


async def test_what_is_finished_is_stepped_over() -> None:
    first, second = _delivery(1), _delivery(2)
    line = _line(first, second)
    first.pending.clear()
    assert [_pop(line), _pop(line)] == [2, None]


async def test_void_places_do_not_pile_up() -> None:
    line = WaitingLine()
    for order in range(10_000):
        delivery = _delivery(order)
        line.compact(alive=1)
        line.add(delivery, order % 7)
        delivery.pending.clear()
    assert len(line) < 100


async def test_compacting_loses_nobody_who_waits() -> None:
    deliveries = [_delivery(order) for order in range(300)]
    line = _line(*deliveries)
    for delivery in deliveries[10:]:
        delivery.pending.clear()
    line.compact(alive=10)
    assert len(line) == 10
    assert [_pop(line) for _ in range(10)] == list(range(10))


async def test_the_first_of_the_most_severe_stands_for_all() -> None:
    delivery = _delivery(1, "low", "critical", "critical", late=True)
    assert delivery.alert.id == "alert-1-1"
    assert delivery.group is not None
    assert (delivery.group.count, delivery.group.late) == (3, True)
    assert delivery.group.ids == ("alert-1-0", "alert-1-1", "alert-1-2")


async def test_one_alert_is_a_group_only_when_it_is_late() -> None:
    assert _delivery(1).group is None
    late = _delivery(1, late=True).group
    assert late is not None
    assert late.count == 1
