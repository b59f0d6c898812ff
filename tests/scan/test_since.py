from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.scan.since import parse_since

NOW = datetime(2024, 5, 8, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24h", "2024-05-07T12:00:00+00:00"),
        ("7d", "2024-05-01T12:00:00+00:00"),
        ("90m", "2024-05-08T10:30:00+00:00"),
        (" 2 W ", "2024-04-24T12:00:00+00:00"),
        ("2024-05-01", "2024-05-01T00:00:00+00:00"),
        ("2024-05-01T12:30", "2024-05-01T12:30:00+00:00"),
        ("2024-05-01T12:30:00Z", "2024-05-01T12:30:00+00:00"),
        ("2024-05-01T12:30:00+02:00", "2024-05-01T10:30:00+00:00"),
    ],
)
def test_moments_are_read_as_people_write_them(text: str, moment: str) -> None:
    assert parse_since(text, NOW) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "24", "h", "-3h", "2024-13-01", "999999w", "1e3h"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="24h"):
        parse_since(text, NOW)


@given(st.text())
def test_no_text_does_worse_than_that(text: str) -> None:
    try:
        parse_since(text, NOW)
    except ValueError as error:
        assert "24h" in str(error)  # noqa: PT017 - most texts are refused, some are moments
