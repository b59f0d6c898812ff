import errno
import os
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode.literals import Literal
from stream.detect.rules import CUSTOM, RuleSet, packs
from stream.errors import ConfigError
from stream.json_value import fold

EIGHT = {
    "CreateTrail",
    "UpdateTrail",
    "DeleteTrail",
    "PutEventSelectors",
    "AddTags",
    "RemoveTags",
    "StartLogging",
    "StopLogging",
}
RULE = """
title: Console sign-in
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection: {{eventName: ConsoleLogin}}
    condition: selection
level: low
"""
ONE = "0b7c1b5e-3b47-4d3c-9a4a-7a3c9f6b1a01"
TWO = "0b7c1b5e-3b47-4d3c-9a4a-7a3c9f6b1a02"


def write(path: Path, *ids: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---".join(RULE.format(id=each) for each in ids), encoding="utf-8")
    return path


def test_the_pack_of_the_eight_events() -> None:
    rules = RuleSet.load(["ct-013"], [])
    (rule,) = rules.rules

    assert rule.info.title == "AWS CloudTrail Configuration Changes"
    assert (rule.info.level, rule.pack, rule.source) == ("medium", "ct-013", "ct-013.yml")
    assert rule.info.compliance == ("APRA", "MAS", "NIST")
    assert "attack.t1562.008" in rule.info.tags
    assert rules.literals == rule.literals == frozenset(Literal(event, member="eventName") for event in EIGHT)
    assert all(rule.matches({"eventSource": "cloudtrail.amazonaws.com", "eventName": event}) for event in EIGHT)
    assert rules.match({"eventSource": "cloudtrail.amazonaws.com", "eventName": "sTOPLogging"}) == [rule]


ALL = RuleSet.load([*packs()], [])
NAMES = sorted({literal.text for literal in ALL.literals or () if literal.member})
SOURCES = ["cloudtrail", "s3", "kms", "sqs", "iam", "guardduty", "organizations", "config", "signin", "x"]


@settings(max_examples=300)
@given(st.data())
def test_the_rules_that_are_asked_by_a_record_s_name_are_those_that_match(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*NAMES, "ConsoleLogin", "DescribeTrails"]))
    spellings: list[Any] = [name, name.lower(), name.upper(), f"{name}2", f"\u212a{name}"]
    written = data.draw(st.sampled_from([*spellings, [name], ["x", name], {"a": name}, None, 3]))
    record = {
        "eventName": written,
        "eventSource": f"{data.draw(st.sampled_from(SOURCES))}.amazonaws.com",
        "errorCode": data.draw(st.sampled_from(["", "AccessDenied"])),
        "userIdentity": {"type": data.draw(st.sampled_from(["Root", "IAMUser"]))},
        "requestParameters": {"bucketName": "aws-cloudtrail-logs", "name": "main", "key": "AWSLogs/x"},
    }
    others: list[Any] = [None, [], "text", {}]
    for each in (record, data.draw(st.sampled_from(others))):
        assert ALL.match(each) == [rule for rule in ALL.rules if rule.matches(each)]


def test_of_many_rules_a_record_is_held_against_few() -> None:
    assert len(ALL.rules) > 40
    asked = [len(ALL._by_name.get(fold(name), ALL._unnamed)) for name in NAMES]
    assert max(asked) < 12


@pytest.mark.parametrize(
    "record",
    [
        {"eventSource": "elasticloadbalancing.amazonaws.com", "eventName": "AddTags"},
        {"eventSource": "cloudtrail.amazonaws.com", "eventName": "DescribeTrails"},
        {"eventSource": "cloudtrail.amazonaws.com.example.com", "eventName": "StopLogging"},
        {"eventSource": "cloudtrail.amazonaws.com", "requestParameters": {"eventName": "StopLogging"}},
        {"eventName": "StopLogging"},
        {},
        [],
        "StopLogging",
        None,
    ],
)
def test_look_alikes_are_none_of_the_eight(record: Any) -> None:
    assert RuleSet.load(["ct-013"], []).match(record) == []


def test_files_and_folders_of_rules_are_read(tmp_path: Path) -> None:
    file = write(tmp_path / "one.yml", ONE)
    write(tmp_path / "folder" / "deeper" / "two.yaml", TWO)
    (tmp_path / "folder" / "README.md").write_text("no rule", encoding="utf-8")

    rules = RuleSet.load(["ct-013"], [str(file), str(tmp_path / "folder")])

    assert [(rule.pack, Path(rule.source).name) for rule in rules.rules] == [
        ("ct-013", "ct-013.yml"),
        (CUSTOM, "one.yml"),
        (CUSTOM, "two.yaml"),
    ]
    assert [rule.info.id for rule in rules.match({"eventName": "ConsoleLogin"})] == [ONE, TWO]
    assert rules.literals is not None
    assert {literal.text for literal in rules.literals} == EIGHT | {"ConsoleLogin"}


def test_a_file_may_hold_several_rules(tmp_path: Path) -> None:
    assert [rule.info.id for rule in RuleSet.load([], [str(write(tmp_path / "two.yml", ONE, TWO))]).rules] == [ONE, TWO]


def test_what_is_reached_twice_counts_once(tmp_path: Path) -> None:
    file = write(tmp_path / "one.yml", ONE)

    assert len(RuleSet.load(["ct-013", "ct-013"], [str(file), str(tmp_path)]).rules) == 2


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "..2025_01_02" / "one.yml", ONE)
    (tmp_path / "..data").symlink_to("..2025_01_02")
    (tmp_path / "one.yml").symlink_to("..data/one.yml")

    assert len(RuleSet.load([], [str(tmp_path)]).rules) == 1


def test_one_rule_that_can_match_anything_leaves_all_unindexed(tmp_path: Path) -> None:
    text = RULE.format(id=ONE).replace("eventName: ConsoleLogin", "errorCode: null")
    (tmp_path / "any.yml").write_text(text, encoding="utf-8")

    rules = RuleSet.load(["ct-013"], [str(tmp_path)])

    assert rules.literals is None
    assert rules.rules[1].literals is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("title: [", "not YAML"),
        ("a: 1\na: 2", "not YAML"),
        ("- a", "not a Sigma rule"),
        ("just text", "not a Sigma rule"),
        ("", "no rule"),
        ("---\n---\n", "no rule"),
        ("[" * 20_000, "not YAML"),
        ("title: x\n? [a, b]\n: c", "bad.yml"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        (RULE.format(id=ONE).replace("ConsoleLogin", '"%x"').replace("eventName:", "eventName|foo:"), "foo"),
        (RULE.format(id=ONE) + "---" + RULE.format(id=ONE), ONE),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "bad.yml").write_text(content, encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        RuleSet.load(["ct-013"], [str(tmp_path)])

    assert "TRAILSTREAM_RULES" in str(raised.value)
    assert "bad.yml" in str(raised.value)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_unless_strict_one_bad_rule_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a.yml", ONE)
    bad = RULE.format(id=ONE).replace("eventName:", "eventName|nonsense:")
    (tmp_path / "b.yml").write_text(bad + "---" + RULE.format(id=TWO) + "---" + RULE.format(id=ONE), encoding="utf-8")
    (tmp_path / "c.yml").write_text("title: [", encoding="utf-8")
    (tmp_path / "d.yml").write_bytes(b"\xff\xfe\x00")

    rules = RuleSet.load([], [str(tmp_path)], strict=False)

    assert [(Path(rule.source).name, rule.info.id) for rule in rules.rules] == [("a.yml", ONE), ("b.yml", TWO)]
    reasons = ("b.yml: pySigma refuses it: Unknown modifier", "c.yml: it is not YAML", "d.yml: it is not UTF-8 text")
    wanted = (*reasons, f"b.yml: {tmp_path}/a.yml has the id {ONE} too")
    refused = list(map(str, rules.refused))
    assert len(refused) == len(wanted)
    assert all(any(reason in each for each in refused) for reason in wanted)
    assert all(each.startswith("TRAILSTREAM_RULES: ") for each in refused)
    with pytest.raises(ConfigError, match=r"b\.yml"):
        RuleSet.load([], [str(tmp_path)])


def test_when_no_rule_is_left_the_reason_is_given(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("title: [", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"bad\.yml: it is not YAML"):
        RuleSet.load([], [str(tmp_path)], strict=False)
    with pytest.raises(ConfigError, match="can't read"):
        RuleSet.load(["ct-013"], [str(tmp_path / "missing.yml")], strict=False)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"bad\.yml: it is not UTF-8"):
        RuleSet.load([], [str(tmp_path)])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket(AF_UNIX) as unreadable:
        unreadable.bind("bad.yml")

        with pytest.raises(ConfigError, match=r"TRAILSTREAM_RULES: .*bad\.yml: can't read it: "):
            RuleSet.load([], ["bad.yml"])


def test_a_folder_that_may_not_be_read_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:  # as the system would, if root were not allowed everything
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / "rule.yml").write_text("title: [", encoding="utf-8")
    for looking in ("listdir", "scandir"):
        monkeypatch.setattr(os, looking, refuse)

    with pytest.raises(ConfigError, match=r"TRAILSTREAM_RULES: can't read .*: Permission denied\."):
        RuleSet.load([], [str(tmp_path)])


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TRAILSTREAM_RULES: can't read .*missing\.yml"):
        RuleSet.load([], [str(tmp_path / "missing.yml")])
    with pytest.raises(ConfigError, match="holds no rule"):
        RuleSet.load([], [str(tmp_path)])
    (tmp_path / "dangling.yml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match="TRAILSTREAM_RULES: can't read"):
        RuleSet.load([], [str(tmp_path)])


def test_a_pack_that_does_not_exist_is_refused() -> None:
    assert "ct-013" in packs()
    for name in ("ct-014", "../packs/ct-013", ""):
        with pytest.raises(ConfigError, match=r"TRAILSTREAM_PACKS: there is no pack .*; there are: .*ct-013"):
            RuleSet.load([name], [])


def test_no_rule_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="TRAILSTREAM_PACKS and TRAILSTREAM_RULES"):
        RuleSet.load([], [])
