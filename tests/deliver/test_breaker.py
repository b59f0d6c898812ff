import math

from stream.deliver.backoff import Backoff
from stream.deliver.breaker import CircuitBreaker

PROBES = Backoff(base_s=1, cap_s=60, uniform=lambda _low, high: high)


def _breaker() -> CircuitBreaker:
    return CircuitBreaker(threshold=3, probes=PROBES)


def _open(breaker: CircuitBreaker, now: float = 0.0) -> None:
    for _ in range(3):
        breaker.fail(now)


def test_some_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = _breaker()
    breaker.fail(0)
    breaker.fail(0)
    breaker.succeed()
    breaker.fail(0)
    breaker.fail(0)
    assert (breaker.state, breaker.ready_at()) == ("closed", -math.inf)
    breaker.fail(0)
    assert (breaker.state, breaker.ready_at()) == ("open", 1)


def test_a_channel_that_is_down_opens_it_at_once() -> None:
    breaker = _breaker()
    breaker.trip(5)
    assert (breaker.state, breaker.ready_at()) == ("open", 6)


def test_one_probe_goes_and_nothing_beside_it() -> None:
    breaker = _breaker()
    _open(breaker)
    breaker.enter()
    assert (breaker.state, breaker.ready_at()) == ("half_open", math.inf)


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = _breaker()
    _open(breaker)
    breaker.enter()
    breaker.succeed()
    assert (breaker.state, breaker.failing) == ("closed", False)


def test_probes_that_fail_come_ever_more_rarely_down_to_one_a_minute() -> None:
    breaker, now, waits = _breaker(), 0.0, []
    _open(breaker)
    for _ in range(8):
        waits.append(breaker.ready_at() - now)
        now = breaker.ready_at()
        breaker.enter()
        breaker.fail(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_first_probe_waits_as_long_as_the_service_asked() -> None:
    breaker = _breaker()
    breaker.fail(0, 30)
    breaker.fail(0, 30)
    breaker.fail(0, 30)
    assert breaker.ready_at() == 30


def test_an_answer_to_an_older_request_does_not_put_the_probe_off() -> None:
    breaker = _breaker()
    _open(breaker)
    breaker.fail(0.9)
    breaker.trip(0.9)
    assert breaker.ready_at() == 1


def test_a_probe_that_was_not_made_may_be_made_by_the_next() -> None:
    breaker = _breaker()
    _open(breaker)
    breaker.enter()
    breaker.abandon()
    assert (breaker.state, breaker.ready_at()) == ("open", 1)


def test_it_probes_at_once_when_told_that_something_has_changed() -> None:
    breaker = _breaker()
    breaker.trip(10)
    breaker.probe_now(10.2)
    assert breaker.ready_at() == 10.2


def test_its_repr_shows_its_state() -> None:
    breaker = _breaker()
    _open(breaker)
    assert repr(breaker) == "<CircuitBreaker open, 0 failures, 1 openings>"
