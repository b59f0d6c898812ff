"""The linter: what each kind of poor rule and filter is told, and that good ones are told nothing."""

from typing import Any

import pytest
import yaml

from stream.detect.lint import Coverage, Finding, Linter
from tests.detect.records import CT_013

ID = "9c1f2a7e-55cc-4a53-8b16-6b3f3f2f7c11"
GOOD: dict[str, Any] = {
    "title": "Console sign-in",
    "id": ID,
    "status": "test",
    "description": "Somebody signs in.",
    "references": ["https://docs.aws.amazon.com/"],
    "tags": ["attack.initial-access"],
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "detection": {"selection": {"eventName": "ConsoleLogin"}, "condition": "selection"},
    "falsepositives": ["People who work."],
    "level": "low",
}
COVERED = Coverage(fires={ID}, silent={ID})


def lint(*documents: Any, coverage: Coverage = COVERED, built_in: bool = False) -> list[Finding]:
    linter = Linter(CT_013.rules, coverage, {})
    return list(linter.lint(yaml.safe_dump_all(documents), "x.yml", built_in=built_in))


def checks(*documents: Any, **more: Any) -> list[tuple[str, str]]:
    return [(finding.gravity, finding.check) for finding in lint(*documents, **more)]


def rule(condition: str = "selection", **searches: Any) -> dict[str, Any]:
    detection = {**GOOD["detection"], **searches, "condition": condition}
    return {**GOOD, "detection": detection}


def test_a_good_rule_is_told_nothing() -> None:
    assert lint(GOOD) == []
    assert lint(GOOD, built_in=True) == []


@pytest.mark.parametrize("key", ["level", "description", "references", "falsepositives", "tags"])
def test_what_a_rule_does_not_say_of_itself_is_missed(key: str) -> None:
    document = {name: value for name, value in GOOD.items() if name != key}
    (finding,) = lint(document)

    assert (finding.gravity, finding.check, finding.subject, finding.source) == ("warning", "missing", ID, "x.yml")
    assert key in finding.message


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({**GOOD, "id": None}, "no id"),
        ({**GOOD, "title": None}, "title"),
        ({**GOOD, "logsource": {"product": "windows"}}, "logsource"),
        ({**GOOD, "correlation": {}}, "correlation"),
        (rule(selection={"a|foo": "x"}), "foo"),
        ("text", "mapping"),
    ],
)
def test_what_can_not_be_used_is_an_error(document: Any, reason: str) -> None:
    (finding,) = lint(document)

    assert (finding.gravity, finding.check) == ("error", "refused")
    assert reason in finding.message


def test_text_that_is_not_yaml_is_an_error() -> None:
    (finding,) = Linter((), COVERED, {}).lint("title: [", "x.yml")

    assert (finding.gravity, finding.check, finding.subject) == ("error", "refused", "")


def test_an_id_that_two_rules_have_is_an_error_of_the_second() -> None:
    other = {**GOOD, "title": "Another"}

    assert checks(GOOD, other) == [("error", "duplicate")]
    linter = Linter((), COVERED, {})
    assert list(linter.lint(yaml.safe_dump(GOOD), "a.yml")) == []
    assert [finding.check for finding in linter.lint(yaml.safe_dump(other), "b.yml")] == ["duplicate"]


def test_a_rule_without_tests_is_warned_of_and_a_built_in_one_is_an_error() -> None:
    assert checks(GOOD, coverage=Coverage()) == [("warning", "untested")]
    assert checks(GOOD, coverage=Coverage(fires={ID}), built_in=True) == [("error", "untested")]
    assert checks({**GOOD, "name": "sign-in"}, coverage=Coverage({"sign-in"}, {"sign-in"})) == []


def test_a_rule_that_can_not_be_searched_for_is_warned_of() -> None:
    assert checks(rule(selection={"errorCode": None})) == [("warning", "unindexed")]


@pytest.mark.parametrize(
    ("left_out", "warned"),
    [
        ({"userAgent|contains": "terraform"}, True),
        ({"requestParameters.name": "ok"}, True),
        ({"userIdentity.arn|endswith": "/terraform"}, True),
        ({"userAgent": "x", "sourceIPAddress": "192.0.2.1"}, False),
        ({"userIdentity.type": "AWSService"}, False),
        ({"awsRegion": "eu-west-1"}, False),
        ({"additionalEventData.MFAUsed": "Yes"}, False),
        ({"additionalEventData.Other": "Yes"}, True),
    ],
)
def test_leaving_out_what_the_caller_types_is_warned_of(left_out: Any, warned: bool) -> None:
    found = checks(rule("selection and not filter", filter=left_out))

    assert found == ([("warning", "exclusion")] if warned else [])


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (rule(unused={"a": "x"}), "unused"),
        ({**GOOD, "tags": ["attack.impact", "attack.impact"]}, "attack.impact"),
        ({**GOOD, "tags": ["nonsense.x"]}, "nonsense"),
        ({**GOOD, "references": ["https://a/", "https://a/"]}, "https://a/"),
        (rule(selection={"eventName|contains|all": ["Console", "**Login"]}), "wildcard"),
    ],
)
def test_what_pysigmas_validators_find_is_told(document: Any, told: str) -> None:
    (finding,) = lint(document)

    assert (finding.gravity, finding.check) == ("warning", "schema")
    assert told in finding.message


def test_a_filter_of_what_the_caller_types_is_warned_of_and_a_bad_one_is_an_error() -> None:
    filter_ = {
        "title": "Ours",
        "logsource": GOOD["logsource"],
        "filter": {"rules": "any", "selection": {"userAgent": "x"}, "condition": "not selection"},
    }
    (warned,) = lint(filter_)

    assert (warned.gravity, warned.check, warned.subject) == ("warning", "filter", "Ours")
    assert "what the caller types" in warned.message
    assert checks({**filter_, "filter": {"rules": []}}) == [("error", "refused")]
    assert checks({**filter_, "filter": {**filter_["filter"], "selection": {"sourceIPAddress": "192.0.2.1"}}}) == []
