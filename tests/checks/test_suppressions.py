"""Filters, by how many work and what is odd about them."""

from pathlib import Path

import pytest

from stream.checks.outcome import Outcome
from stream.checks.suppressions import check_suppressions
from stream.errors import ConfigError
from stream.settings import Settings

FILTER = """
title: {title}
logsource: {{product: aws, service: cloudtrail}}
until: {until}
filter:
    rules: any
    selection: {{{field}: 198.51.100.7}}
    condition: not selection
"""


def outcomes(folder: Path, *filters: str) -> list[Outcome]:
    (folder / "filters.yml").write_text("---".join(filters))
    return list(check_suppressions(Settings(suppress=(str(folder),))))


def test_nothing_is_said_where_there_are_none() -> None:
    assert list(check_suppressions(Settings())) == []


def test_those_that_work_and_those_that_have_ended_are_counted(tmp_path: Path) -> None:
    now = FILTER.format(title="a", until="2999-01-01", field="sourceIPAddress")
    past = FILTER.format(title="b", until="2020-01-01", field="sourceIPAddress")

    assert outcomes(tmp_path, now, past) == [Outcome("suppressions", "ok", "1 active, 1 ended")]


def test_what_is_odd_is_a_warning(tmp_path: Path) -> None:
    (outcome,) = outcomes(tmp_path, FILTER.format(title="Odd", until="2999-01-01", field="userAgent"))

    assert (outcome.status, outcome.evidence.partition(":")[0]) == ("warn", "1 active; odd")
    assert "what the caller types" in outcome.evidence
    assert "--suppressions" in (outcome.fix or "")


def test_one_that_can_not_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TRAILSTREAM_SUPPRESS"):
        outcomes(tmp_path, FILTER.format(title="a", until="soon", field="userAgent"))
