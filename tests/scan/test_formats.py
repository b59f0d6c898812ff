"""Lines that people and other programs read."""

import csv
import dataclasses
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from stream.alert import Alert, LogFile
from stream.detect.sample import sample_alert
from stream.scan import formats

ALERT = sample_alert()
ANYTHING = st.text(st.characters(exclude_categories=[]), max_size=40)


def hostile(text: str) -> Alert:
    """An alert in which everything that an attacker can type is this."""
    return dataclasses.replace(
        ALERT,
        title=text,
        summary=text,
        event=dataclasses.replace(ALERT.event, name=text, time=text, region=text, error_code=text),
        actor=dataclasses.replace(ALERT.actor, name=text, arn=text, user_agent=text),
        resources=(dataclasses.replace(ALERT.resources[0], arn=text),),
        log_file=LogFile("", text),
    )


def row(line: str) -> list[str]:
    (cells,) = csv.reader(io.StringIO(line))
    return cells


def test_a_line_of_json_is_the_alert() -> None:
    assert json.loads(formats.json_line(ALERT)) == json.loads(ALERT.to_json())


def test_the_table_has_its_columns_under_their_headings() -> None:
    heading, line = formats.header("table"), formats.table_line(ALERT)

    assert heading is not None
    for name, value in {"TIME": ALERT.event.time, "ACCOUNT": "111122223333", "TITLE": ALERT.title}.items():
        assert line[heading.index(name) :].startswith(value)


def test_the_outcome_of_an_attempt_stands_beside_its_name() -> None:
    denied = dataclasses.replace(ALERT, event=dataclasses.replace(ALERT.event, name="StopLogging", outcome="denied"))

    assert "StopLogging (denied)" in formats.table_line(denied)


@given(ANYTHING)
def test_every_column_of_the_table_keeps_its_place_whatever_is_in_it(text: str) -> None:
    heading = formats.header("table")
    assert heading is not None
    line = formats.table_line(hostile(text))

    assert line.isprintable()
    severity = line.index("informational")
    assert cell_len(line[:severity]) == heading.index("SEVERITY")


def test_the_csv_is_flat_and_has_a_heading_for_every_column() -> None:
    heading = formats.header("csv")
    assert heading is not None
    cells = dict(zip(row(heading), row(formats.csv_line(ALERT)), strict=True))

    assert cells["event_name"] == "TrailstreamTest"
    assert cells["alert_id"] == ALERT.id
    assert cells["mfa"] == ""
    assert cells["log_file"] == ""


def test_the_csv_says_which_log_file() -> None:
    in_s3 = dataclasses.replace(ALERT, log_file=LogFile("acme", "AWSLogs/1.json.gz"))

    assert row(formats.csv_line(in_s3))[-1] == "s3://acme/AWSLogs/1.json.gz"


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        " =1",
        "\x1b=1",
        "\u200b=1",
        "\uff1d1",
        '=HYPERLINK("http://x")',
    ],
)
def test_no_cell_is_a_formula(formula: str) -> None:
    for cell in row(formats.csv_line(hostile(formula))):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert any(cell.startswith("'") for cell in row(formats.csv_line(hostile(formula))))


@given(ANYTHING)
def test_a_row_of_csv_is_one_line_without_control_codes_whatever_is_in_it(text: str) -> None:
    heading = formats.header("csv")
    assert heading is not None
    line = formats.csv_line(hostile(text))

    assert line.isprintable()
    assert len(row(line)) == len(row(heading))


def test_ordinary_text_is_not_changed_in_the_csv() -> None:
    text = 'a "quoted", comma; O\'Brien 1-2=3'

    assert text in row(formats.csv_line(hostile(text)))
