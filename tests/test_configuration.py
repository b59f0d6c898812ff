"""What has to be set, and that everything is said at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream.configuration import load, load_settings
from stream.errors import ConfigError


def faults(*, need_queue: bool = True, need_channel: bool = True) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(need_queue=need_queue, need_channel=need_channel)
    return str(caught.value).splitlines()


def test_all_that_is_missing_is_said_at_once_and_how_to_set_it() -> None:
    queue, buckets, channel = faults()

    assert queue.startswith("TRAILSTREAM_QUEUE_URL is required")
    assert buckets.startswith("TRAILSTREAM_BUCKETS is required")
    assert "TRAILSTREAM_STDOUT=true" in channel


def test_with_all_of_it_the_settings_and_the_channels_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/q")
    monkeypatch.setenv("TRAILSTREAM_BUCKETS", "acme")
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
    configuration = load(need_queue=True, need_channel=True)

    assert configuration.settings.buckets == ("acme",)
    assert [type(section).__name__ for section in configuration.channels] == ["StdoutSettings"]
    assert configuration.sections[type(configuration.settings)] is configuration.settings
    assert len(configuration.sections) > 2


def test_who_needs_neither_gets_by_without() -> None:
    assert load(need_queue=False, need_channel=False).channels == ()


def test_a_list_of_nothing_names_no_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_BUCKETS", " , ")

    assert any(fault.startswith("TRAILSTREAM_BUCKETS is required") for fault in faults(need_channel=False))


def test_what_is_set_wrongly_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_QUEUE_URL", "queue")
    monkeypatch.setenv("TRAILSTREAM_BUCKETS", "s3://acme")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", "not a url")
    found = faults()

    assert [fault.partition(":")[0] for fault in found] == [
        "TRAILSTREAM_QUEUE_URL",
        "TRAILSTREAM_BUCKETS",
        "TRAILSTREAM_WEBHOOK_URL",
    ]


def test_an_unknown_name_stands_beside_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_QEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/q")
    found = faults()

    assert found[0] == "TRAILSTREAM_QEUE_URL is not a setting of Trailstream: did you mean TRAILSTREAM_QUEUE_URL?"
    assert len(found) == 4


def test_a_channel_that_only_the_file_of_routes_names_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "routes.yml"
    file.write_text("channels: {log: {type: stdout, fallback: log}}")
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(file))
    (fault,) = faults(need_queue=False)
    assert fault == f"TRAILSTREAM_ROUTES: {file}: line 1: channel log: fallback: a channel is no fallback of its own"

    file.write_text("channels: {log: {type: stdout}}")
    configuration = load(need_queue=False, need_channel=True)
    assert [(each.name, each.kind) for each in configuration.instances] == [("log", "stdout")]
    assert configuration.routes.default_channels == ("log",)


def test_whoever_has_a_fault_in_the_file_of_routes_is_told_of_those_in_variables_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "routes.yml").write_text("channels: {log: {type: stdot}}\ndefault: [slack]")
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(tmp_path / "routes.yml"))
    monkeypatch.setenv("TRAILSTREAM_SLACK_RATE", "fast")
    slack, file, *missing = faults()

    assert slack.startswith("TRAILSTREAM_SLACK_RATE: ")
    assert file.endswith("line 1: channel log: type: there is no type 'stdot'; did you mean stdout?")
    assert [fault.partition(" ")[0] for fault in missing] == ["TRAILSTREAM_QUEUE_URL", "TRAILSTREAM_BUCKETS"]


def test_a_file_of_routes_that_nobody_can_name_is_no_missing_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_ROUTES", "/no/such.yml")
    monkeypatch.setenv("TRAILSTREAM_CONCURRENCY", "many")

    assert [fault.partition(":")[0] for fault in faults(need_queue=False)] == ["TRAILSTREAM_CONCURRENCY"]


def test_a_command_that_tells_nobody_looks_at_channels_only_where_one_may_be_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "import sys; from stream.configuration import load_settings; load_settings(); print('aiohttp' in sys.modules)"
    )
    looked = []
    for name, value in (("TRAILSTREAM_PACKS", "ct-013"), ("TRAILSTREAM_SLACK_RATE", "2")):
        environ = {**os.environ, name: value}
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
        looked.append(done.stdout.strip())
    assert looked == ["False", "True"]

    monkeypatch.setenv("TRAILSTREAM_SLAK_RATE", "2")
    with pytest.raises(ConfigError, match="did you mean TRAILSTREAM_SLACK_RATE"):
        load_settings()
