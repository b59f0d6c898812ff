from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.deliver.channels import CHANNELS, build, channel_sections
from stream.deliver.channels.slack import SlackChannel
from stream.deliver.channels.stdout import StdoutChannel
from stream.deliver.channels.webhook import WebhookChannel, WebhookSettings
from stream.environment import load, reference
from stream.errors import ConfigError

SLACK_URL = "https://hooks.slack.example/services/T000/B000/sEcReT"
WEBHOOK_URL = "https://alerts.example/hook?token=sEcReT"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_every_channel_there_is_is_found_by_its_name() -> None:
    assert {"slack": SlackChannel, "stdout": StdoutChannel, "webhook": WebhookChannel}.items() <= CHANNELS.items()
    assert all(channel.kind == kind for kind, channel in CHANNELS.items())


def test_no_channel_is_on_by_itself() -> None:
    assert build(load(channel_sections())) == []


def test_a_channel_is_on_when_its_address_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
    monkeypatch.setenv("TRAILSTREAM_STDOUT_MIN_SEVERITY", "high")
    monkeypatch.setenv("TRAILSTREAM_SLACK_WEBHOOK_URL", SLACK_URL)
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", WEBHOOK_URL)
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_SECRET", KEY)
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_TIMEOUT", "3")
    channels = {channel.name: channel for channel in build(load(channel_sections()))}
    assert set(channels) == {"stdout", "slack", "webhook"}
    assert channels["stdout"].settings.min_severity == "high"
    assert channels["webhook"].settings.timeout == 3


@pytest.mark.parametrize("name", ["TRAILSTREAM_SLACK_WEBHOOK_URL", "TRAILSTREAM_WEBHOOK_URL"])
@pytest.mark.parametrize("value", ["sEcReT", "ftp://host/sEcReT", "https://", "http://ho st/sEcReT"])
def test_a_bad_address_is_an_error_that_names_the_variable_and_hides_the_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"^{name}: must be a URL") as raised:
        load(channel_sections())
    assert "sEcReT" not in str(raised.value)


@pytest.mark.parametrize("value", ["sEcReTsEcReT", "whsec_", "whsec_sEcReT!", "whsec_sEcRe"])
def test_a_bad_signing_secret_is_an_error_that_hides_it(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_SECRET", value)
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_WEBHOOK_SECRET: must be whsec_") as raised:
        load(channel_sections())
    assert "sEcRe" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRAILSTREAM_SLACK_WEBHOOK_URL", SLACK_URL),
        ("TRAILSTREAM_WEBHOOK_URL", WEBHOOK_URL),
        ("TRAILSTREAM_WEBHOOK_SECRET", KEY),
    ],
)
def test_secrets_come_from_files_too_and_are_shown_by_nothing(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(value + "\n")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    sections = load(channel_sections())
    found = [
        field
        for section in sections.values()
        for _, field in section
        if isinstance(field, SecretStr) and field.get_secret_value() == value
    ]
    assert len(found) == 1
    assert value not in repr(sections)
    rows = {row.name: row for row in reference(channel_sections())}
    assert (rows[name].secret, rows[name].value) == (True, "********")
    assert value not in repr(rows)


def test_the_reference_lists_the_switch_of_stdout_and_what_every_channel_has() -> None:
    rows = {row.name: row for row in reference(channel_sections())}
    assert (rows["TRAILSTREAM_STDOUT"].type, rows["TRAILSTREAM_STDOUT"].default) == ("boolean", "false")
    for channel in ("STDOUT", "SLACK", "WEBHOOK"):
        for setting in ("MIN_SEVERITY", "TIMEOUT", "RATE", "DEADLINE"):
            assert f"TRAILSTREAM_{channel}_{setting}" in rows
    assert all(row.meaning for row in rows.values())


async def test_a_rotated_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    file.write_text("https://old.example/")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL_FILE", str(file))
    (channel,) = build(load(channel_sections()))
    file.write_text("https://new.example/")
    await channel.refresh()
    assert isinstance(channel.settings, WebhookSettings)
    assert channel.settings.url == SecretStr("https://new.example/")


@pytest.mark.parametrize("content", [None, "", "sEcReT"])
async def test_a_file_that_went_bad_leaves_the_settings_as_they_were(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "url"
    file.write_text("https://old.example/")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL_FILE", str(file))
    (channel,) = build(load(channel_sections()))
    before = channel.settings
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(ConfigError, match="TRAILSTREAM_WEBHOOK_URL") as raised:
        await channel.refresh()
    assert channel.settings == before
    assert "sEcReT" not in f"{raised.value!r} {raised.value.__cause__!r}"
