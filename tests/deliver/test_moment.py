from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.deliver.moment import moment, rfc_3339


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T14:00:00.5+02:00", "2026-03-01T12:00:00.500Z"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123Z"),
    ],
)
def test_a_time_comes_out_in_utc(text: str, same: str) -> None:
    found = moment(text)
    assert found is not None
    assert rfc_3339(found) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-13-01T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "٢٠٢٦-03-01T12:00:00Z",
        "2026-03-01T12:00:00Z\n",
    ],
)
def test_what_is_none_is_none(text: str) -> None:
    assert moment(text) is None


@given(
    st.text()
    | st.builds(
        "{:04}-{:02}-0{}T{:02}:00:0{}+{:02}:00".format, *[st.integers(0, top) for top in (9999, 13, 9, 25, 9, 24)]
    )
)
@settings(max_examples=40, deadline=None)
def test_any_text_is_one_or_none(text: str) -> None:
    found = moment(text)
    assert found is None or found.tzinfo is UTC


@given(st.integers(0, 10**15).map(lambda microseconds: datetime.fromtimestamp(microseconds / 1e6, UTC)))
@settings(max_examples=40, deadline=None)
def test_what_is_written_can_be_read(time: datetime) -> None:
    found = moment(rfc_3339(time))
    assert found is not None
    assert abs((found - time).total_seconds()) < 0.001
