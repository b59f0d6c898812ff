"""The alert of each row of the table, whole, as a person has read it and found it right.

What has changed on purpose is written anew with `TRAILSTREAM_GOLDEN=write pytest tests/detect/test_golden.py`, and
read again before it is kept.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from stream.deliver.gaps import Gaps
from stream.deliver.selections import Selections
from stream.detect.detector import Detector
from stream.detect.surroundings import Surroundings
from tests.detect.records import CT_013, LOG_FILE
from tests.detect.rows import ROWS, Row

FOLDER: Final = Path(__file__).parent / "golden"
# Looked at while this file is loaded: no test has these variables.
WRITE: Final = os.environ.get("TRAILSTREAM_GOLDEN") == "write"


async def told(row: Row) -> dict[str, Any]:
    """The alert without its record, as its JSON has it."""
    around = Surroundings(buckets=("trail-*",), protected=row.protected)
    detector, gaps, selections = Detector(CT_013, lambda: around), Gaps(), Selections()
    for one in (*row.before, row.record):
        (alert,) = detector.alerts(one, provenance="log_file", log_file=LOG_FILE, topic_arn=row.topic)
        alert = await selections.told_to_all(await gaps.told_to_all(alert))
    made: dict[str, Any] = json.loads(alert.to_json())
    assert made.pop("record") == row.record
    return made


@pytest.mark.parametrize("name", ROWS)
async def test_a_row_of_the_table_is_told_as_it_was_found_right(name: str) -> None:
    path, made = FOLDER / f"{name}.json", await told(ROWS[name])
    assert made["severity"] == ROWS[name].severity
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    assert made == json.loads(path.read_text(encoding="utf-8"))


def test_no_file_is_of_a_row_that_there_is_not() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(ROWS)
    assert not WRITE, "they were written: read them"
