"""`trailstream rules` and `trailstream channels`."""

import json
from pathlib import Path

import pytest

from stream.deliver.channels import CHANNELS
from tests.commands.running import invoke

RULE = """
title: "Anything \\e[2J at all"
id: 3f8dbd3b-5d6c-4e53-9e2b-0a9f5dbc2a17
status: test
level: low
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {errorCode: null}
  condition: selection
"""


@pytest.mark.parametrize("arguments", [["rules"], ["rules", "list"]])
def test_the_rules_in_force_are_listed(arguments: list[str]) -> None:
    done = invoke(*arguments)

    assert (done.code, done.err) == (0, "")
    assert "ct-013" in done.out
    assert "by 8 texts" in done.out


def test_a_rule_that_makes_every_record_be_parsed_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    monkeypatch.setenv("TRAILSTREAM_RULES", str(tmp_path))
    done = invoke("rules", "list")
    listed = {rule["id"]: rule for rule in json.loads(invoke("rules", "list", "--format", "json").out)}

    assert "Not indexed, so that every record has to be parsed: Anything \\x1b[2J at all" in done.err
    assert (done.out + done.err).replace("\n", "").isprintable()
    custom = listed["3f8dbd3b-5d6c-4e53-9e2b-0a9f5dbc2a17"]
    assert (custom["indexed"], custom["pack"], custom["source"]) == (False, "custom", str(tmp_path / "rule.yml"))
    (built_in,) = (rule for rule in listed.values() if rule["pack"] == "ct-013")
    assert "StopLogging" in built_in["literals"]


def test_a_rule_that_cannot_be_used_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rule.yml").write_text("title: [")
    monkeypatch.setenv("TRAILSTREAM_RULES", str(tmp_path))
    done = invoke("rules", "list")

    assert done.code == 2
    assert done.err.startswith("trailstream: TRAILSTREAM_RULES: ")


@pytest.mark.parametrize("arguments", [["channels"], ["channels", "list"]])
def test_every_channel_is_listed_with_its_state_and_its_variables(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", "hunter2")
    lines = {line.split()[0]: line.split() for line in invoke(*arguments).out.splitlines() if line[:1].isalpha()}

    assert set(CHANNELS) <= set(lines)
    assert lines["stdout"][1] == "on"
    assert lines["webhook"][1:3] == ["at", "fault"]
    assert lines["slack"][1] == "off"
    assert "TRAILSTREAM_STDOUT" in lines["stdout"]


def test_channels_as_json() -> None:
    listed = {each["name"]: each for each in json.loads(invoke("channels", "list", "--format", "json").out)}

    assert set(listed) == set(CHANNELS)
    assert listed["webhook"]["state"] == "off"
    assert listed["webhook"]["variables"][0] == "TRAILSTREAM_WEBHOOK_URL"
    assert "TRAILSTREAM_WEBHOOK_TIMEOUT" in listed["webhook"]["variables"]
