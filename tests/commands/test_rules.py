"""`trailstream rules show`, `lint` and `test`."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from stream.detect.rules import packs
from stream.notice import KINDS, Kind
from tests.commands.running import invoke

CT_013 = "c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa"
ID = "9c1f2a7e-55cc-4a53-8b16-6b3f3f2f7c11"
RULE = f"""title: "Console \\e[2J sign-in"
id: {ID}
name: sign-in
status: test
description: Somebody signs in.
references: [https://docs.aws.amazon.com/]
tags: [attack.initial-access]
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {{eventName: ConsoleLogin}}  # a comment stays
  condition: selection
falsepositives: [Work]
level: low
"""
OTHER = RULE.replace(ID, ID.replace("9c", "9d")).replace("sign-in", "another").replace("ConsoleLogin", "SwitchRole")
TESTS = """- rule: sign-in
  name: somebody signs in
  records: [{eventName: ConsoleLogin}]
  expect: fires
  severity: low
- rule: sign-in
  name: somebody switches
  records: [{eventName: SwitchRole}]
  expect: silent
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A rule, and tests beside it that it passes."""
    (tmp_path / "rule.yml").write_text(RULE)
    (tmp_path / "rule.test.yml").write_text(TESTS)
    return tmp_path


@pytest.mark.parametrize("wanted", [CT_013, "ct-013", "AWS CloudTrail Configuration Changes"])
def test_a_built_in_rule_is_shown_by_id_name_and_title(wanted: str) -> None:
    done = invoke("rules", "show", wanted)

    assert (done.code, done.err) == (0, "")
    for text in ("ct-013.yml", "StopLogging", "attack.t1562.008", "APRA", "condition: selection", "a user stops a tr"):
        assert text in done.out


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_an_alert_of_no_record_is_shown_as_a_rule_is(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke("rules", "show", kind.id)

    assert (done.code, done.err) == (0, "")
    assert kind.description.endswith(".")
    for text in (kind.title, kind.level, "own-path", kind.description):
        assert text in done.out
    assert "not in force" not in done.out
    monkeypatch.setenv("TRAILSTREAM_PACKS", "ct-013")
    assert ("not in force" in invoke("rules", "show", kind.id).out) is not kind.always
    listed = {each["id"] for each in json.loads(invoke("rules", "list", "--notices", "--format", "json").out)}
    assert (kind.id in listed) is kind.always
    monkeypatch.delenv("TRAILSTREAM_PACKS")
    assert kind.id in invoke("rules", "list").out


def test_every_rule_of_a_file_is_shown_with_its_own_source_and_tests(folder: Path) -> None:
    (folder / "rule.yml").write_text(f"# both\n---\n{RULE}---\n{OTHER}")
    done = invoke("rules", "show", folder / "rule.yml")
    one, other = done.out.split("title: ")[0], done.out[done.out.rindex("\ntitle  ") :]

    assert done.code == 0
    assert done.out.count("# a comment stays") == 2
    assert ("somebody signs in" in one, "somebody signs in" in other) == (True, False)
    assert ("looks for   ConsoleLogin" in one, "looks for   SwitchRole" in other) == (True, True)
    assert done.out.replace("\n", "").isprintable()


def test_a_rule_of_the_environment_is_shown_and_one_that_is_not_there_or_refused_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_RULES", str(folder))
    (folder / "bad.yml").write_text("title: [")
    missing, refused = invoke("rules", "show", "sign-im"), invoke("rules", "show", "bad.yml")

    assert "Somebody signs in." in invoke("rules", "show", "sign-in").out
    assert (missing.code, refused.code) == (2, 2)
    assert "did you mean sign-in?" in missing.err
    assert "bad.yml: it is not YAML" in refused.err
    assert invoke("rules", "show", folder / "bad.yml").code == 2


def test_a_file_that_no_variable_names_is_shown_as_not_in_force(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other.yml").write_text(OTHER)
    told = "pack        custom (not in force: TRAILSTREAM_RULES does not name it)\n"

    assert told in invoke("rules", "show", folder / "rule.yml").out
    monkeypatch.setenv("TRAILSTREAM_RULES", str(folder / "other.yml"))
    assert told in invoke("rules", "show", folder / "rule.yml").out
    assert "pack        custom\n" in invoke("rules", "show", folder / "other.yml").out
    monkeypatch.setenv("TRAILSTREAM_RULES", str(folder))
    assert "pack        custom\n" in invoke("rules", "show", folder / "rule.yml").out


@pytest.mark.parametrize("wanted", ["/nowhere/rule.yml", "./nowhere", "~/nowhere", "nowhere.yaml"])
def test_of_what_looks_like_a_path_it_is_said_that_there_is_no_such_file(wanted: str) -> None:
    done = invoke("rules", "show", wanted)

    assert (done.code, done.out) == (2, "")
    assert f"there is no file {wanted!r}; `trailstream rules list`" in done.err


@pytest.mark.parametrize("path", ["", "rule.yml", "rule.test.yml"])
def test_tests_beside_a_rule_are_run(folder: Path, path: str) -> None:
    done = invoke("rules", "test", folder / path)

    assert (done.code, done.out, done.err) == (0, "2 passed, 0 failed\n", "")


def test_without_a_path_the_built_in_rules_and_those_of_the_environment_are_tested(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_RULES", str(folder))
    monkeypatch.setenv("TRAILSTREAM_PACKS", "")
    done = invoke("rules", "test", "--format", "json")
    verdicts = json.loads(done.out)

    assert (done.code, done.err) == (0, "")
    assert {verdict["source"] for verdict in verdicts} == {
        str(folder / "rule.test.yml"),
        *(f"{name}.test.yml" for name in packs()),
    }
    assert all(verdict["passed"] and not verdict["faults"] for verdict in verdicts)


def test_what_fails_is_shown_as_expected_and_got(folder: Path) -> None:
    (folder / "rule.test.yml").write_text(TESTS.replace("severity: low", "severity: high"))
    (folder / "other.yml").write_text(OTHER)
    done = invoke("rules", "test", folder)

    assert done.code == 1
    assert "FAIL  " in done.out
    assert "somebody signs in (rule sign-in)" in done.out
    assert "severity: expected 'high', got 'low'" in done.out
    assert done.out.endswith("1 passed, 1 failed\n")
    assert "no test: Console \\x1b[2J another" in done.err


def test_a_rule_that_is_refused_fails_its_tests(folder: Path) -> None:
    (folder / "rule.yml").write_text(f"{RULE}---\n{OTHER.replace('eventName:', 'eventName|nonsense:')}")
    done = invoke("rules", "test", folder)

    assert (done.code, "2 passed" in done.out) == (1, True)
    assert "nonsense" in done.err


@pytest.mark.parametrize(
    ("tests", "path", "reason"),
    [
        (None, "", "there is no test"),
        ("a: b", "", "rule.test.yml: it is no list of cases"),
        (TESTS, "missing", "can't read"),
        (TESTS, "lonely.test.yml", "there is no lonely.yml"),
    ],
)
def test_tests_that_can_not_be_run_are_exit_code_2(folder: Path, tests: str | None, path: str, reason: str) -> None:
    (folder / "rule.test.yml").unlink()
    if tests is not None:
        (folder / "rule.test.yml").write_text(tests)
    done = invoke("rules", "test", folder / path)

    assert done.code == 2
    assert reason in done.err


@pytest.mark.parametrize(
    ("command", "named"), [(["rules", "test"], "PATH"), (["rules", "lint"], "PATH"), (["rules", "show"], "RULE")]
)
def test_what_is_wrong_with_a_path_of_the_command_line_is_said_of_that_and_of_no_variable(
    folder: Path, command: list[str], named: str
) -> None:
    (folder / "rule.yml").write_bytes(b"\xff")
    done = invoke(*command, folder / "rule.yml")

    assert (done.code, done.err) == (2, f"trailstream: {named}: {folder}/rule.yml: it is not UTF-8 text.\n")
    if named == "PATH":
        missing = invoke(*command, folder / "missing.yml")
        assert missing.err == f"trailstream: PATH: can't read {folder}/missing.yml: No such file or directory.\n"


def test_the_example_of_the_help_passes(tmp_path: Path) -> None:
    told = invoke("rules", "test", "--help").out
    example = textwrap.dedent(told[told.index(f"      - rule: {CT_013}") : told.index("  Each case is held")])
    rule = invoke("rules", "show", "ct-013").out
    (tmp_path / "rule.yml").write_text(rule[rule.index("\ntitle: ") :])
    (tmp_path / "rule.test.yml").write_text(re.sub(r"title: .*", "", example))

    assert invoke("rules", "test", tmp_path).out == "1 passed, 0 failed\n"


def test_nothing_is_wrong_with_the_built_in_rules_and_a_good_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_RULES", str(folder))
    done = invoke("rules", "lint")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("0 errors, 0 warnings in ")


def test_what_is_wrong_is_told_file_by_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "poor.yml").write_text(OTHER.replace("level: low", ""))
    (folder / "bad.yml").write_text("title: \x1b[")
    filters = folder / "filters"
    filters.mkdir()
    (filters / "ours.yml").write_text(
        "title: Ours\nlogsource: {product: aws}\n"
        f"filter: {{rules: [{ID}], selection: {{userAgent: x}}, condition: not selection}}"
    )
    done = invoke("rules", "lint", folder)
    found = json.loads(invoke("rules", "lint", "--format", "json", folder).out)
    errors = json.loads(invoke("rules", "lint", "--errors", "--format", "json", folder).out)

    assert done.code == 1
    assert done.out.endswith("1 errors, 3 warnings in 4 files\n")
    assert done.out.replace("\n", "").isprintable()
    by_file = {(Path(each["source"]).name, each["gravity"], each["check"]) for each in found}
    assert by_file == {
        ("bad.yml", "error", "refused"),
        ("ours.yml", "warning", "filter"),
        ("poor.yml", "warning", "missing"),
        ("poor.yml", "warning", "untested"),
    }
    assert [each["check"] for each in errors] == ["refused"]
    assert invoke("rules", "lint", "--errors", folder / "poor.yml").code == 0
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(filters))
    assert "no rule" in invoke("rules", "lint").out
    assert invoke("rules", "lint", folder / "missing.yml").code == 2
