"""Pauses and delays: doubling, by chance, and never longer than they may be."""

from hypothesis import given
from hypothesis import strategies as st

from stream.intake.pace import Backoff, pause, retry_delay


@given(st.integers(0, 10**9), st.floats(0.001, 10), st.floats(0.001, 1000))
def test_a_pause_is_half_of_what_is_due_at_least_and_all_of_it_at_most(
    failures: int, first_s: float, longest_s: float
) -> None:
    due_s = min(first_s * 2.0 ** min(failures, 32), longest_s)
    assert due_s / 2 <= pause(failures, first_s, longest_s) <= due_s


@given(st.floats(0, 900), st.integers(1, 10**9))
def test_a_retry_delay_is_what_is_due_give_or_take_a_quarter(first_s: float, receive_count: int) -> None:
    due_s = min(first_s * 2.0 ** min(receive_count - 1, 32), 900)
    delay_s = retry_delay(first_s, receive_count, 900)
    assert isinstance(delay_s, int)
    assert due_s * 0.75 - 1 <= delay_s <= min(due_s * 1.25 + 1, 900)


def test_a_backoff_begins_anew_after_a_success() -> None:
    backoff = Backoff(1.0, 60.0)
    assert 0.5 <= backoff.next() <= 1.0
    assert 1.0 <= backoff.next() <= 2.0
    assert 2.0 <= backoff.next() <= 4.0
    backoff.reset()
    assert 0.5 <= backoff.next() <= 1.0
