from typing import Any

import pytest

from stream.detect.finding import Finding, worst
from stream.detect.selectors import selector_findings

KMS = "kms.amazonaws.com"
RDS_DATA = "rdsdata.amazonaws.com"


def basic(*selectors: Any) -> list[Finding]:
    return selector_findings({"eventSelectors": list(selectors)}, None)


def advanced(*selectors: Any) -> list[Finding]:
    return selector_findings({"advancedEventSelectors": list(selectors)}, None)


def management(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}, *fields]}


def field(name: str, **operators: Any) -> dict[str, Any]:
    return {"field": name, **operators}


def severity(findings: list[Finding]) -> str:
    return worst(*(finding.severity for finding in findings))


DATA = {
    "fieldSelectors": [field("eventCategory", equals=["Data"]), field("resources.type", equals=["AWS::S3::Object"])]
}
READS = {"readWriteType": "ReadOnly"}
WRITES = {"readWriteType": "WriteOnly"}
NONE = {"includeManagementEvents": False}
NO_KMS = {"excludeManagementEventSources": [KMS]}

BASIC_SETS = {
    "the defaults are everything": ([{}], "informational"),
    "reads and writes are everything": ([READS, WRITES], "informational"),
    "an empty set": ([], "critical"),
    "all without management events": ([NONE, NONE | READS], "critical"),
    "one of two with management events": ([NONE, {}], "informational"),
    "reads, and writes without management events": ([READS, WRITES | NONE], "critical"),
    "writes, and reads without management events": ([WRITES, READS | NONE], "medium"),
    "kms left out of one, taken by another": ([NO_KMS, {}], "informational"),
    "kms left out of both": ([NO_KMS, NO_KMS], "high"),
    "kms left out of reads alone": ([READS | NO_KMS, WRITES], "high"),
    "kms left out of writes alone": ([READS, WRITES | NO_KMS], "high"),
    "kms left out where nothing is taken": ([NONE | NO_KMS, {}], "informational"),
    "rdsdata left out": ([{"excludeManagementEventSources": [RDS_DATA]}], "low"),
    "both left out": ([{"excludeManagementEventSources": [RDS_DATA, KMS]}], "high"),
    "another source left out": ([{"excludeManagementEventSources": ["sts.amazonaws.com"]}], "high"),
    "a lone source instead of a list": ([{"excludeManagementEventSources": KMS}], "high"),
    "booleans as text": ([{"includeManagementEvents": "false"}], "critical"),
    "another case": ([{"readWriteType": "readonly"}], "critical"),
    "data events too": ([{"dataResources": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}]}], "informational"),
    "data events only": ([NONE | {"dataResources": [{"type": "AWS::S3::Object", "values": []}]}], "critical"),
}


@pytest.mark.parametrize(("selectors", "expected"), BASIC_SETS.values(), ids=BASIC_SETS.keys())
def test_basic_selectors_are_a_union_with_defaults(selectors: list[dict[str, Any]], expected: str) -> None:
    assert severity(basic(*selectors)) == expected


ADVANCED_SETS = {
    "management": ([management()], "informational"),
    "management and data": ([management(), DATA], "informational"),
    "data only": ([DATA], "critical"),
    "an empty set": ([], "critical"),
    "reads as text": ([management(field("readOnly", equals=["true"]))], "critical"),
    "reads as a boolean": ([management(field("readOnly", equals=[True]))], "critical"),
    "reads by not being writes": ([management(field("readOnly", notEquals=["false"]))], "critical"),
    "reads as a lone value": ([management(field("readOnly", equals="true"))], "critical"),
    "writes": ([management(field("readOnly", equals=[False]))], "medium"),
    "reads or writes": ([management(field("readOnly", equals=["true", "false"]))], "informational"),
    "reads and writes": (
        [management(field("readOnly", equals=["true"])), management(field("readOnly", equals=["false"]))],
        "informational",
    ),
    "without kms": ([management(field("eventSource", notEquals=[KMS]))], "high"),
    "without kms and rdsdata": ([management(field("eventSource", notEquals=[KMS, RDS_DATA]))], "high"),
    "without rdsdata": ([management(field("eventSource", notEquals=[RDS_DATA]))], "low"),
    "without kms by its beginning": ([management(field("eventSource", notStartsWith=["kms."]))], "high"),
    "without all of Amazon's": ([management(field("eventSource", notEndsWith=[".amazonaws.com"]))], "high"),
    "without kms, but another takes it": (
        [management(field("eventSource", notEquals=[KMS])), management()],
        "informational",
    ),
    "kms left out of writes alone": (
        [
            management(field("readOnly", equals=["true"])),
            management(field("readOnly", equals=["false"]), field("eventSource", notEquals=[KMS])),
        ],
        "high",
    ),
    "one source alone": ([management(field("eventSource", equals=["s3.amazonaws.com"]))], "critical"),
    "all but one caller": ([management(field("userIdentity.arn", notEquals=["arn:aws:iam::1:user/x"]))], "critical"),
    "all but one event": ([management(field("eventName", notEquals=["StopLogging"]))], "critical"),
    "a part, and everything": ([management(field("eventName", equals=["X"])), management()], "informational"),
    "a part of the reads, and all writes": (
        [
            management(field("readOnly", equals=["true"]), field("eventName", equals=["X"])),
            management(field("readOnly", equals=["false"])),
        ],
        "medium",
    ),
}


@pytest.mark.parametrize(("selectors", "expected"), ADVANCED_SETS.values(), ids=ADVANCED_SETS.keys())
def test_advanced_selectors_are_a_union(selectors: list[dict[str, Any]], expected: str) -> None:
    assert severity(advanced(*selectors)) == expected


@pytest.mark.parametrize(
    "selector",
    [
        None,
        "All",
        [],
        {"readWriteType": 3},
        {"readWriteType": "Some"},
        {"includeManagementEvents": "perhaps"},
        {"includeManagementEvents": []},
    ],
)
def test_a_basic_selector_that_cannot_be_read_takes_nothing(selector: object) -> None:
    alone = basic(selector)
    assert severity(alone) == "critical"
    assert any("could not be read" in finding.effect for finding in alone)
    assert severity(basic(selector, {})) == "informational"


@pytest.mark.parametrize(
    "selector",
    [
        None,
        {},
        {"fieldSelectors": None},
        {"fieldSelectors": []},
        {"fieldSelectors": {"field": "eventCategory", "equals": ["Management"]}},
        {"fieldSelectors": [None]},
        {"fieldSelectors": [{"field": ["eventCategory"], "equals": ["Management"]}]},
        {"fieldSelectors": [{"field": "readOnly", "equals": ["true"]}]},
        management(field("readOnly", equals=[{}])),
        management(field("readOnly")),
        management(field("readOnly", equals=[])),
    ],
)
def test_an_advanced_selector_that_cannot_be_read_takes_nothing(selector: object) -> None:
    alone = advanced(selector)
    assert severity(alone) == "critical"
    assert any("could not be read" in finding.effect for finding in alone)
    assert severity(advanced(selector, management())) == "informational"


def test_sources_left_out_that_cannot_be_read_are_taken_for_kms() -> None:
    findings = basic({"excludeManagementEventSources": [{}]})

    assert severity(findings) == "high"
    assert any("could not be read" in finding.effect for finding in findings)


@pytest.mark.parametrize("value", ["All", {}, 3, True])
def test_selectors_that_are_no_list_are_taken_for_the_worst(value: object) -> None:
    assert severity(selector_findings({"eventSelectors": value}, None)) == "critical"


def test_without_selectors_the_response_is_asked_and_then_the_worst_assumed() -> None:
    assert severity(selector_findings({}, {"eventSelectors": [{}]})) == "informational"
    assert severity(selector_findings({}, None)) == "critical"
    assert selector_findings({}, None, omitted=True) == []


def test_the_kind_of_selectors_that_was_not_used_may_be_sent_empty() -> None:
    both = {"eventSelectors": [], "advancedEventSelectors": [management()]}
    assert severity(selector_findings(both, None)) == "informational"


def test_of_both_kinds_the_worse_counts() -> None:
    both = {"eventSelectors": [READS], "advancedEventSelectors": [management()]}
    assert severity(selector_findings(both, None)) == "critical"


def test_a_great_many_sources_are_read_in_little_time() -> None:
    sources = [f"s{number}.amazonaws.com" for number in range(20_000)]

    findings = advanced(management(field("eventSource", notEquals=sources)))

    assert len(findings) == len(sources) + 1
