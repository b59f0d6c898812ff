from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.deliver.channels import build, channel_sections
from stream.deliver.channels.servicenow_settings import ServicenowSettings
from stream.environment import load
from stream.errors import ConfigError


def test_the_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("sEcReT\n")
    monkeypatch.setenv("TRAILSTREAM_SERVICENOW_URL", "https://acme.service-now.com/")
    monkeypatch.setenv("TRAILSTREAM_SERVICENOW_USERNAME", "trailstream")
    monkeypatch.setenv("TRAILSTREAM_SERVICENOW_PASSWORD_FILE", str(file))
    (channel,) = build(load(channel_sections()))
    assert isinstance(channel.settings, ServicenowSettings)
    assert channel.settings.url == "https://acme.service-now.com"
    assert channel.settings.password == SecretStr("sEcReT")
    assert "sEcReT" not in repr(channel.settings)


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, "URL: it takes TRAILSTREAM_SERVICENOW_USERNAME and"),
        ({"USERNAME": "x"}, "URL: it takes"),
        ({"USERNAME": "a:b", "PASSWORD": "sEcReT"}, "USERNAME: a user name has no colon"),
        ({"TOKEN": "t", "URL": "acme"}, "URL: must be a URL"),
        ({"TOKEN": "t", "URL": "https://u:sEcReT@acme.example"}, "URL: must be the address alone"),
        ({"TOKEN": "t", "TABLE": "incident?x=/.."}, "TABLE: must be a table's name"),
        ({"TOKEN": "t", "FIELDS": "{"}, "FIELDS: must be a JSON object of texts"),
        ({"TOKEN": "t", "FIELDS": '{"a": 1}'}, "FIELDS: must be a JSON object of texts"),
        ({"TOKEN": "t", "FIELDS": '{"A b": "x"}'}, "FIELDS: 'A b' is no name"),
        ({"TOKEN": "t", "FIELDS": '{"correlation_id": "x"}'}, "FIELDS: correlation_id is set by Trailstream"),
    ],
)
def test_bad_settings_are_errors_that_name_the_variable(
    variables: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({"URL": "https://acme.service-now.com"} | variables).items():
        monkeypatch.setenv(f"TRAILSTREAM_SERVICENOW_{name}", value)
    with pytest.raises(ConfigError) as raised:
        load([ServicenowSettings])
    assert str(raised.value).startswith(f"TRAILSTREAM_SERVICENOW_{fault}")
    assert "sEcReT" not in str(raised.value)
