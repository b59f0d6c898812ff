"""Tests beside rules: what they may say, and what is told when it does not hold."""

import pytest

from stream.detect.rule_tests import cases_of, run
from stream.errors import ConfigError
from tests.detect.records import CT_013

RULE = CT_013.rules[0].info.id
HEAD = f"- rule: {RULE}\n  name: somebody stops a trail\n"
STOP = (
    "  records: [{eventSource: cloudtrail.amazonaws.com, eventName: StopLogging, eventTime: 2026-03-01T11:57:03Z, "
    'recipientAccountId: "111122223333", awsRegion: eu-west-1, requestParameters: {name: main}}]\n'
)
READ = "  records: [{eventSource: cloudtrail.amazonaws.com, eventName: DescribeTrails}]\n"


def faults(text: str) -> tuple[str, ...]:
    (verdict,) = run(cases_of(text, "x.test.yml"), CT_013.rules, "x.test.yml")
    assert verdict.source == "x.test.yml"
    return verdict.faults


@pytest.mark.parametrize(
    "text",
    [
        HEAD + STOP + "  expect: fires",
        HEAD.replace(RULE, "ct-013") + STOP + "  expect: fires",
        HEAD + STOP + "  expect: fires\n  severity: critical",
        HEAD + STOP + "  alerts: [{severity: critical, outcome: success, event: StopLogging}]",
        HEAD + READ + "  expect: silent",
        HEAD + READ + "  alerts: 0",
        HEAD + READ + "  alerts: []",
    ],
)
def test_what_holds_passes(text: str) -> None:
    assert faults(text) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (READ + "  expect: fires", ["record 1 (DescribeTrails): expected an alert, got none"]),
        (STOP + "  expect: silent", ["record 1 (StopLogging): expected no alert, got critical: "]),
        (
            STOP + "  expect: fires\n  severity: low\n  title: Stopped",
            ["record 1 (StopLogging): severity: expected 'low', got 'critical'", "title: expected 'Stopped', got '"],
        ),
        (STOP + "  alerts: 0", ["alerts: expected 0, got 1: critical: "]),
        (READ + "  alerts: [{}]", ["alerts: expected 1, got 0: none"]),
        (STOP + "  alerts: [{outcome: denied}]", ["alert 1: outcome: expected 'denied', got 'success'"]),
    ],
)
def test_what_does_not_hold_is_told_as_expected_and_got(text: str, told: list[str]) -> None:
    found = faults(HEAD + text)

    assert len(found) == len(told)
    assert all(part in fault for part, fault in zip(told, found, strict=True))


def test_a_case_of_a_rule_that_is_not_there_fails() -> None:
    assert faults(HEAD.replace(RULE, "gone") + STOP + "  expect: fires") == ("there is no such rule, or it is refused",)


def test_times_stay_texts_as_they_are_in_a_log_file() -> None:
    (case,) = cases_of(HEAD + STOP + "  expect: fires", "x")

    assert case.records[0]["eventTime"] == "2026-03-01T11:57:03Z"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- [", "not YAML"),
        ("a: b", "no list of cases"),
        ("[]", "no list of cases"),
        ("", "no list of cases"),
        ("- x", "case 1: "),
        (HEAD + STOP, "case 1: it expects nothing"),
        (HEAD + "  records: []\n  expect: fires", "case 1: records"),
        (HEAD + "  expect: fires", "case 1: records"),
        (HEAD + STOP + "  expect: maybe", "case 1: expect"),
        (HEAD + STOP + "  expect: fires\n  sevrity: low", "case 1: sevrity"),
        (HEAD + STOP + "  expect: fires\n  severity: urgent", "case 1: severity"),
        (HEAD + STOP + "  expect: silent\n  severity: low", "go with expect: fires"),
        (HEAD + STOP + "  alerts: 3", "case 1: alerts"),
        (HEAD + STOP + "  alerts: [{titel: x}]", "case 1: alerts"),
        (HEAD + "  records: [x]\n  expect: fires", "case 1: records.0"),
    ],
)
def test_a_file_that_is_no_list_of_cases_is_refused_with_the_place(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.test\.yml: ") as raised:
        cases_of(text, "x.test.yml")

    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
