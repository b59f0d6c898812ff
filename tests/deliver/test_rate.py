from hypothesis import given
from hypothesis import strategies as st

from stream.deliver.rate import TokenBucket


def _moments(bucket: TokenBucket, count: int) -> list[float]:
    """When so many requests go, if each goes as soon as it may, beginning at 100."""
    now, moments = 100.0, []
    for _ in range(count):
        now = max(now, bucket.ready_at())
        bucket.take(now)
        moments.append(now)
    return moments


def test_requests_are_spaced_out() -> None:
    assert _moments(TokenBucket(4), 4) == [100, 100.25, 100.5, 100.75]


def test_a_burst_goes_at_once_and_the_rest_is_spaced_out() -> None:
    assert _moments(TokenBucket(1, burst=3), 5) == [100, 100, 100, 101, 102]


def test_a_rate_of_zero_sets_no_limit() -> None:
    assert _moments(TokenBucket(0), 3) == [100, 100, 100]


def test_a_pause_holds_even_without_a_rate() -> None:
    bucket = TokenBucket(0)
    bucket.pause(130)
    bucket.pause(120)
    assert bucket.ready_at() == 130


@given(st.floats(0.01, 1000), st.integers(1, 20), st.integers(2, 100))
def test_no_stretch_of_time_holds_more_than_rate_and_burst_allow(rate: float, burst: int, count: int) -> None:
    moments = _moments(TokenBucket(rate, burst), count)
    for number, moment in enumerate(moments):
        assert number + 1 <= burst + (moment - moments[0]) * rate + 1e-6
