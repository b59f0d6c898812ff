"""Every built-in rule has a test in which it fires and a near miss, and does what they say."""

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
