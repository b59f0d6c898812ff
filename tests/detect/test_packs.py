"""Every built-in rule has a test in which it fires and a near miss, and does what they say."""

import botocore.session
import pytest

from stream.commands.rule_files import RuleFile, built_in_files
from stream.decode import Prefilter
from stream.detect.documents import documents
from stream.detect.lint import Coverage, Linter
from stream.detect.rule_tests import Case, cases_of, run
from stream.detect.rules import RuleSet, packs

FILES = list(built_in_files())


def cases(file: RuleFile) -> list[Case]:
    return cases_of(file.tests, file.tests_source)


def test_there_are_packs_and_no_tests_among_them() -> None:
    assert "ct-013" in packs()
    assert not any("test" in name for name in packs())
    assert [file.source for file in FILES] == [f"{name}.yml" for name in packs()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.source)
def test_every_rule_of_a_pack_does_what_its_tests_say(file: RuleFile) -> None:
    rules = RuleSet.load([file.source.removesuffix(".yml")], []).rules
    verdicts = list(run(cases(file), rules, file.tests_source))

    assert len(rules) == len(documents(file.text, kind="rule"))
    assert [(verdict.case.name, verdict.faults) for verdict in verdicts if verdict.faults] == []
    for rule in rules:
        own = [case for case in cases(file) if case.rule in (rule.info.id, rule.name)]
        assert any(case.expect == "fires" for case in own), f"no test in which it fires: {rule.info.title}"
        assert any(case.expect == "silent" for case in own), f"no near miss: {rule.info.title}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.source)
def test_the_linter_finds_nothing_wrong_with_a_pack(file: RuleFile) -> None:
    known = RuleSet.load(packs(), []).rules
    tested = {expect: {case.rule for case in cases(file) if case.expect == expect} for expect in ("fires", "silent")}
    linter = Linter(known, Coverage(tested["fires"], tested["silent"]), {})

    assert list(linter.lint(file.text, file.source, built_in=True)) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.source)
def test_every_rule_of_a_pack_can_be_searched_for(file: RuleFile) -> None:
    for rule in RuleSet.load([file.source.removesuffix(".yml")], []).rules:
        assert rule.literals, rule.info.title
        assert not Prefilter(rule.literals).search(b'{"eventName": "DescribeInstances"}')


def test_the_default_packs_are_found_by_the_names_of_events() -> None:
    """So that a log file takes a search for one text: see `stream.decode.scan`."""
    assert RuleSet.load(["ct-013", "audit-trail", "own-path"], []).named


def test_whatever_writes_an_object_of_s3_concerns_log_files() -> None:
    """The SDK's list of operations grows: one that the rule does not name is to be looked at."""
    s3 = botocore.session.get_session().get_service_model("s3")
    shapes = {name: s3.operation_model(name).input_shape for name in s3.operation_names}
    names = {name for name, shape in shapes.items() if shape is not None and "Key" in shape.members}
    rule = next(rule for rule in RuleSet.load(["audit-trail"], []).rules if rule.name == "log-files")

    def concerned(name: str) -> bool:
        record = {"eventSource": "s3.amazonaws.com", "eventName": name, "requestParameters": {"key": "a/AWSLogs/b"}}
        return rule.matches(record)

    assert len(names) > 20
    assert {name for name in names if not concerned(name)} == {
        name for name in names if name.startswith(("Get", "Head", "List"))
    }
