"""`trailstream rules` and `trailstream channels`."""

import json
import textwrap
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
FILTERS = """
title: Cron, at night
logsource: {product: aws}
filter: {rules: any, selection: {userAgent: cron}, condition: not selection}
---
title: "Old \\e[2J one"
logsource: {product: aws}
until: 2020-01-01
filter: {rules: any, selection: {sourceIPAddress: 192.0.2.1}, condition: not selection}
---
title: Elsewhere
logsource: {product: aws}
filter: {rules: [gone], selection: {sourceIPAddress: 192.0.2.1}, condition: not selection}
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


def test_suppressions_are_listed_behind_the_rules_or_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "filters.yml").write_text(FILTERS)
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(tmp_path))
    done = invoke("rules", "list")
    rules = json.loads(invoke("rules", "list", "--format", "json").out)
    listed = json.loads(invoke("rules", "list", "--suppressions", "--format", "json").out)
    alone = invoke("rules", "list", "--suppressions").out

    assert (done.code, "ct-013" in done.out, "ct-013" in alone) == (0, True, False)
    for title in ("Cron, at night", "Old \\x1b[2J one", "Elsewhere"):
        assert title in done.out
        assert title in alone
    assert "cron-at-night" in done.err
    assert "what the caller types" in done.err
    assert (done.out + done.err).replace("\n", "").isprintable()
    assert {rule["pack"] for rule in rules} == {"ct-013", "audit-trail", "own-path"}
    assert [(each["id"], each["state"], each["until"]) for each in listed] == [
        ("cron-at-night", "active", None),
        ("old-2j-one", "ended", "2020-01-01T00:00:00+00:00"),
        ("elsewhere", "unknown rule", None),
    ]
    assert (listed[2]["rules"], listed[2]["unknown_rules"]) == (["gone"], ["gone"])
    assert listed[0]["source"] == str(tmp_path / "filters.yml")


@pytest.mark.parametrize(
    ("part", "told"), [("--suppressions", "TRAILSTREAM_SUPPRESS names no filter"), ("--refused", "no rule is left out")]
)
def test_where_there_is_none_that_is_said(part: str, told: str) -> None:
    done, as_json = invoke("rules", "list", part), invoke("rules", "list", part, "--format", "json")

    assert (done.code, done.out) == (0, "")
    assert told in done.err
    assert (as_json.out, as_json.err) == ("[]\n", "")


def test_the_example_of_the_help_is_a_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = invoke("rules", "--help").out
    lines = told.splitlines()
    first, last = (next(i for i, line in enumerate(lines) if text in line) for text in ("title: ", "condition: "))
    (tmp_path / "filter.yml").write_text(textwrap.dedent("\n".join(lines[first : last + 1])))
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(tmp_path))

    (listed,) = json.loads(invoke("rules", "list", "--suppressions", "--format", "json").out)
    assert (listed["id"], listed["warnings"], listed["unknown_rules"]) == ("terraform-in-the-pipeline", [], [])


def test_a_filter_that_cannot_be_used_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "filter.yml").write_text("title: [")
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(tmp_path))
    done = invoke("rules", "list")

    assert (done.code, done.err[:35]) == (2, "trailstream: TRAILSTREAM_SUPPRESS: ")


def test_a_rule_that_cannot_be_used_is_listed_as_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rule.yml").write_text("title: [")
    monkeypatch.setenv("TRAILSTREAM_RULES", str(tmp_path))
    done, as_json = invoke("rules", "list"), invoke("rules", "list", "--format", "json")
    (refused,) = json.loads(invoke("rules", "list", "--refused", "--format", "json").out)

    assert (done.code, "LEFT OUT" in done.out, "not YAML" in done.out) == (0, True, True)
    assert "c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa" in {rule["id"] for rule in json.loads(as_json.out)}
    assert f"rule left out: TRAILSTREAM_RULES: {tmp_path}/rule.yml: it is not YAML" in as_json.err
    assert refused["source"] == str(tmp_path / "rule.yml")
    assert refused["reason"].startswith("it is not YAML")
    assert "ct-013" not in invoke("rules", "list", "--refused").out
    assert invoke("rules", "list", "--refused", "--suppressions").code == 2


def test_if_strict_a_rule_that_cannot_be_used_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rule.yml").write_text("title: [")
    monkeypatch.setenv("TRAILSTREAM_RULES", str(tmp_path))
    monkeypatch.setenv("TRAILSTREAM_RULES_STRICT", "true")
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
