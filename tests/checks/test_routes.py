"""What `check` says of the routes."""

from pathlib import Path

import pytest

from stream.checks.outcome import Outcome
from stream.checks.routes import check_routes
from stream.configuration import load


def check(file: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    file.write_text(text)
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(file))
    return list(check_routes(load(need_queue=False, need_channel=True)))


def test_without_a_file_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")

    assert list(check_routes(load(need_queue=False, need_channel=True))) == []


def test_routes_that_are_all_right_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "routes.yml"
    (found,) = check(file, "channels: {a: {type: stdout}}\nroutes: [{channels: a}]", monkeypatch)

    assert (found.check, found.status, found.evidence) == ("routes", "ok", f"1 of {file}")


def test_what_was_not_meant_and_secrets_in_the_open_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "channels: {a: {type: stdout}, b: {type: webhook, url: 'https://x.example/hunter2'}}\nroutes: [{channels: a}]"
    )
    unreached, plain = check(tmp_path / "routes.yml", text, monkeypatch)

    assert unreached.status == plain.status == "warn"
    assert unreached.evidence.startswith("the channel b is never reached")
    assert plain.evidence == "secrets stand in the file themselves: b: url"
    assert "{env: NAME}" in (plain.fix or "")
    assert "hunter2" not in f"{unreached} {plain}"
