from typing import Any

from stream.deliver.delivery import Delivery, WaitingLine
from tests.deliver.alerts import make_alert


def _delivery(order: int, severity: str = "high", **fields: Any) -> Delivery:
    alert = make_alert(f"alert-{order}", severity=severity)
    return Delivery(alert, order, received_at=0, submitted_at=0, deadline=100, **fields)


def _line(*deliveries: Delivery) -> WaitingLine:
    line = WaitingLine()
    for delivery in deliveries:
        line.add(delivery, 0)
    return line


async def test_the_most_severe_goes_first_then_the_one_that_came_first() -> None:
    line = _line(_delivery(1, "low"), _delivery(2, "critical"), _delivery(3, "critical"), _delivery(4, "medium"))
    order = [delivery.order for _ in range(4) if (delivery := line.pop(0, least_tried=False))]
    assert order == [2, 3, 4, 1]


async def test_nobody_goes_before_their_moment() -> None:
    line = WaitingLine()
    line.add(_delivery(1), 30)
    assert line.pop(29.9, least_tried=False) is None
    assert line.next_at(29.9) == 30
    assert line.next_at(31) == 31
    assert line.pop(31, least_tried=False) is not None
    assert line.next_at(31) is None


async def test_a_probe_is_the_one_with_the_fewest_attempts() -> None:
    line = _line(_delivery(1, "critical", attempts=9), _delivery(2, "low"), _delivery(3, "low", attempts=1))
    first = line.pop(0, least_tried=True)
    second = line.pop(0, least_tried=False)
    assert first is not None
    assert second is not None
    assert (first.order, second.order) == (2, 1)


async def test_what_is_finished_is_stepped_over() -> None:
    first, second = _delivery(1), _delivery(2)
    line = _line(first, second)
    first.done.set_result("withdrawn")
    assert line.pop(0, least_tried=False) is second
    assert line.pop(0, least_tried=False) is None


async def test_empty_places_do_not_pile_up() -> None:
    line = WaitingLine()
    for order in range(10_000):
        delivery = _delivery(order)
        line.compact(alive=1)
        line.add(delivery, order % 7)
        delivery.done.set_result("withdrawn")
    assert len(line) < 100


async def test_compacting_loses_nobody_who_waits() -> None:
    deliveries = [_delivery(order) for order in range(300)]
    line = _line(*deliveries)
    for delivery in deliveries[10:]:
        delivery.done.set_result("withdrawn")
    line.compact(alive=10)
    assert len(line) == 10
    assert [d.order for _ in range(10) if (d := line.pop(0, least_tried=False))] == list(range(10))
