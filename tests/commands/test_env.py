"""`trailstream env`."""

import json
from pathlib import Path

import pytest

from stream.configuration import known_sections
from stream.environment import reference
from tests.commands.running import invoke

SECRET = "https://hooks.example/T0/hunter2"
NAMES = [variable.name for variable in reference(known_sections())]


def test_every_variable_is_in_every_format() -> None:
    for format_ in ("table", "json", "markdown"):
        done = invoke("env", "--format", format_)
        assert done.code == 0
        assert done.err == ""
        for name in NAMES:
            assert name in done.out, (format_, name)


def test_json_has_all_that_is_known_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_CONCURRENCY", "8")
    listed = {each["name"]: each for each in json.loads(invoke("env", "--format", "json").out)}

    assert listed["TRAILSTREAM_CONCURRENCY"] == {
        "name": "TRAILSTREAM_CONCURRENCY",
        "group": "core",
        "type": "integer",
        "default": "16",
        "meaning": "Log files worked on at once.",
        "secret": False,
        "value": "8",
    }
    assert listed["TRAILSTREAM_WEBHOOK_URL"]["group"] == "webhook"
    assert listed["TRAILSTREAM_WEBHOOK_URL"]["value"] is None
    assert listed["TRAILSTREAM_STDOUT"]["group"] == "stdout"


@pytest.mark.parametrize("format_", ["table", "json", "markdown"])
def test_secrets_are_shown_in_no_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_: str) -> None:
    (tmp_path / "secret").write_text("whsec_aHVudGVyMg==")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", SECRET)
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    done = invoke("env", "--format", format_)

    assert done.err == ""
    assert "hunter2" not in done.out
    assert "aHVudGVyMg" not in done.out
    if format_ != "markdown":  # which is a reference and tells no values
        assert done.out.count("********") == 2


def test_it_works_where_the_environment_does_not_and_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_CONCURRENCY", "\x1b[2Jmany")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", "hunter2")
    monkeypatch.setenv("TRAILSTREAM_QEUE_URL", "x")
    done = invoke("env")

    assert done.code == 0
    assert "\\x1b[2Jmany" in done.out
    assert (done.out + done.err).replace("\n", "").isprintable()
    assert "hunter2" not in done.out + done.err
    assert len(done.err.splitlines()) == 3
    assert "did you mean TRAILSTREAM_QUEUE_URL?" in done.err


def test_markdown_is_tables_whose_rows_have_four_cells() -> None:
    rows = [line for line in invoke("env", "--format", "markdown").out.splitlines() if line.startswith("|")]

    assert len(rows) > len(NAMES)
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
