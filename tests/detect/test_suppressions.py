"""Sigma filters: what each keeps back, until when, and which are refused."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from stream.detect.rules import RuleSet
from stream.detect.sigma import compile_rule
from stream.detect.suppressions import Suppressions, suppression_of
from stream.errors import ConfigError
from tests.detect.records import ACCOUNT, CT_013, record
from tests.detect.strategies import json_values

RULE_ID: Final = CT_013.rules[0].info.id
FILTER_ID: Final = "5b1ffb7c-0a54-4c4e-9d7e-3c8d6f1f2a10"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/terraform"
LOGSOURCE: Final = {"product": "aws", "service": "cloudtrail"}
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def filter_(selection: Any = None, condition: str = "not selection", rules: Any = "any", **more: Any) -> dict[str, Any]:
    """Our Terraform role in our pipeline's address, or what is said instead."""
    ours = {"userIdentity.sessionContext.sessionIssuer.arn": ROLE, "sourceIPAddress|cidr": "198.51.100.0/24"}
    return {
        "title": "Terraform, in the pipeline!",
        "logsource": LOGSOURCE,
        "filter": {"rules": rules, "selection": selection or ours, "condition": condition},
        **more,
    }


def load(folder: Path, *documents: Any, rules: RuleSet = CT_013) -> Suppressions:
    text = yaml.safe_dump_all(documents)
    (folder / "filters.yml").write_text(text, encoding="utf-8")
    return Suppressions.load([str(folder)], rules.rules)


def call(role: str = ROLE, address: str = "198.51.100.7", **fields: Any) -> dict[str, Any]:
    identity = {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": role}}}
    return record("StopLogging", {"name": "main"}, userIdentity=identity, sourceIPAddress=address, **fields)


def test_our_role_in_our_pipelines_address_is_kept_back_and_neither_of_them_alone(tmp_path: Path) -> None:
    suppressions = load(tmp_path, filter_(id=FILTER_ID))

    found = suppressions.find(RULE_ID, call(), NOW)
    assert found is not None
    assert (found.id, found.title, found.rules, found.ends) == (
        FILTER_ID,
        "Terraform, in the pipeline!",
        ("any",),
        None,
    )
    assert (found.state(NOW), found.warnings, Path(found.source).name) == ("active", (), "filters.yml")
    assert suppressions.find(RULE_ID, call(address="203.0.113.9"), NOW) is None
    assert suppressions.find(RULE_ID, call(role=f"{ROLE}-2"), NOW) is None
    assert suppressions.find("another rule", call(), NOW) is None


@pytest.mark.parametrize("rules", [RULE_ID, [RULE_ID.upper()], ["ct-013"], ["elsewhere", RULE_ID], "ANY"])
def test_rules_are_named_by_id_or_name_or_all_of_them(tmp_path: Path, rules: Any) -> None:
    assert load(tmp_path, filter_(rules=rules)).find(RULE_ID, call(), NOW) is not None


@pytest.mark.parametrize("reference", ["AWS CloudTrail Configuration Changes", "c4b112a3-0000-4b3f-b88d-b3ab9bdca8fa"])
def test_a_filter_of_a_rule_that_is_not_loaded_is_kept_and_says_so(tmp_path: Path, reference: str) -> None:
    suppressions = load(tmp_path, filter_(rules=[reference]))

    (suppression,) = suppressions.all
    assert suppression.state(NOW) == "unknown rule"
    assert suppression.unknown_rules == (reference,)
    assert suppression.warnings == (f"no rule {reference} is loaded",)
    assert suppressions.find(RULE_ID, call(), NOW) is None


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2026-03-02", "2026-03-02T00:00:00+00:00"),
        ("2026-03-01T12:00:01", "2026-03-01T12:00:01+00:00"),
        ("2026-03-01 12:00:01Z", "2026-03-01T12:00:01+00:00"),
        ("2026-03-01T14:30:00+02:00", "2026-03-01T12:30:00+00:00"),
        ("'2026-03-01T14:30:00+02:00'", "2026-03-01T12:30:00+00:00"),
        ("'2026-03-02'", "2026-03-02T00:00:00+00:00"),
    ],
)
def test_a_silence_ends_by_itself(tmp_path: Path, until: str, ends: str) -> None:
    text = yaml.safe_dump(filter_()) + f"until: {until}\n"
    (tmp_path / "silence.yml").write_text(text, encoding="utf-8")
    suppressions = Suppressions.load([str(tmp_path / "silence.yml")], CT_013.rules)
    (suppression,) = suppressions.all

    assert suppression.ends == ends
    assert suppressions.find(RULE_ID, call(), NOW) is suppression
    end = datetime.fromisoformat(ends).timestamp()
    assert suppressions.find(RULE_ID, call(), end - 0.001) is suppression
    assert suppressions.find(RULE_ID, call(), end) is None
    assert (suppression.state(end - 1), suppression.state(end)) == ("active", "ended")


def test_where_one_has_ended_another_still_counts(tmp_path: Path) -> None:
    suppressions = load(tmp_path, filter_(until="2026-01-01", title="old"), filter_(title="new"))

    found = suppressions.find(RULE_ID, call(), NOW)
    assert found is not None
    assert found.id == "new"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("just text", "not a Sigma filter"),
        ({"title": "x", "logsource": LOGSOURCE, "detection": {}}, "it has no 'filter'"),
        (filter_() | {"filter": ["any"]}, "pySigma"),
        (filter_() | {"logsource": {"product": "windows"}}, "logsource"),
        (filter_(until="next week"), "'until' is neither"),
        (filter_(until=20260301), "'until' is neither"),
        (filter_(until=None), "'until' is neither"),
        (filter_(untill="2026-03-01"), "did you mean 'until'?"),
        (filter_(Until="2026-03-01"), "did you mean 'until'?"),
        (filter_() | {"filter": {**filter_()["filter"], "until": ["2026-03-01"]}}, "beside 'filter'"),
        (filter_(rules=[]), "list of rules is empty"),
        (filter_(rules=[7]), "neither an id nor a name"),
        (filter_(rules=None), "rules"),
        (filter_({"userAgent|nonsense": "x"}), "nonsense"),
        (filter_({"userAgent|expand": "%x%"}), "placeholder %x%"),
        (filter_({"userAgent": []}), "empty list of values"),
        (filter_(condition="not elsewhere"), "elsewhere"),
        (filter_() | {"title": "…"}, "no id, and no letter"),
        (filter_(id="not-a-uuid"), "UUID"),
    ],
)
def test_a_filter_that_can_not_be_used_is_refused_with_its_file_and_the_reason(
    tmp_path: Path, document: Any, reason: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, document)

    assert str(refused.value).startswith(f"TRAILSTREAM_SUPPRESS: {tmp_path}/filters.yml: ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_filters_that_go_by_the_same_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="goes by terraform-in-the-pipeline too; give each an id"):
        load(tmp_path, filter_(), filter_())


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TRAILSTREAM_SUPPRESS: can't read .*missing"):
        Suppressions.load([str(tmp_path / "missing.yml")], CT_013.rules)
    with pytest.raises(ConfigError, match="holds no filter"):
        Suppressions.load([str(tmp_path)], CT_013.rules)


def test_a_condition_that_is_not_negated_keeps_all_else_back_as_sigma_has_it_and_is_warned_of(tmp_path: Path) -> None:
    suppressions = load(tmp_path, filter_({"recipientAccountId": ACCOUNT}, condition="selection"))

    assert suppressions.find(RULE_ID, call(), NOW) is None
    assert suppressions.find(RULE_ID, call(recipientAccountId="444455556666"), NOW) is not None
    assert "whatever it does not describe" in suppressions.all[0].warnings[0]


@pytest.mark.parametrize(
    ("selection", "warned"),
    [
        ({"userAgent|contains": "terraform"}, True),
        ({"userAgent|contains": "terraform", "eventName": "AddTags"}, True),
        ({"userIdentity.arn|endswith": "/terraform"}, True),
        ({"userIdentity.principalId|endswith": ":terraform"}, True),
        ([{"userIdentity.arn": ROLE}, {"requestParameters.name": "main"}], True),
        (["terraform"], True),
        ({"userAgent|contains": "terraform", "sourceIPAddress|cidr": "198.51.100.0/24"}, False),
        ({"userIdentity.arn|startswith": f"arn:aws:sts::{ACCOUNT}:assumed-role/terraform/"}, False),
        ({"userIdentity.arn|contains": ":assumed-role/terraform/"}, False),
        ({"eventName": "AddTags", "recipientAccountId": ACCOUNT}, False),
    ],
)
def test_what_rests_on_the_callers_own_words_alone_is_warned_of(tmp_path: Path, selection: Any, warned: bool) -> None:
    (suppression,) = load(tmp_path, filter_(selection)).all

    assert any("what the caller types" in warning for warning in suppression.warnings) is warned


def test_conditions_over_several_searches_are_looked_through(tmp_path: Path) -> None:
    searches = {"by_agent": {"userAgent|contains": "terraform"}, "by_role": {"userIdentity.arn|startswith": "arn"}}

    def warnings(condition: str) -> tuple[str, ...]:
        body = {"rules": "any", **searches, "condition": condition}
        return load(tmp_path, filter_() | {"filter": body}).all[0].warnings

    assert warnings("not (by_agent and by_role)") == ()
    assert warnings("not all of by_*") == ()
    assert len(warnings("not 1 of by_*")) == 1
    assert len(warnings("not by_agent and not by_role")) == 1
    assert len(warnings("not (by_agent and not by_role)")) == 1


FIELDS: Final = {"userAgent": ("terraform", "curl"), "sourceIPAddress": ("192.0.2.1", "192.0.2.2"), "eventName": ("A",)}


@given(
    searches=st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.dictionaries(
            st.sampled_from(sorted(FIELDS)), st.sampled_from(["terraform", "curl*", "192.0.2.1", "A"]), min_size=1
        ),
        min_size=1,
    ),
    negated=st.booleans(),
    one=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FIELDS.items()}),
)
def test_rule_and_filter_are_what_pysigma_makes_of_the_two(
    searches: dict[str, Any], negated: bool, one: dict[str, str]
) -> None:
    """The one who wrote the format applies the filter to the rule; ours has to come to the same."""
    condition = "not (1 of them)" if negated else "all of them"
    document = filter_() | {"filter": {"rules": "any", **searches, "condition": condition}}
    rule = {
        "title": "Any A",
        "id": FILTER_ID,
        "logsource": LOGSOURCE,
        "detection": {"selection": {"eventName": "A"}, "condition": "selection"},
    }
    applied = SigmaFilter.from_dict(document).apply_on_rule(SigmaRule.from_dict(rule))
    _, both = compile_rule(applied.to_dict())
    _, alone = compile_rule(rule)
    ours = suppression_of(document, "x", CT_013.rules).condition

    assert both.matches(one) == (alone.matches(one) and ours(one))


@given(document=json_values(), inner=json_values(), until=json_values())
def test_whatever_a_document_holds_it_is_used_or_refused(document: Any, inner: Any, until: Any) -> None:
    for tried in (document, {**filter_(), "filter": inner}, {**filter_(), "until": until}, {**filter_(), "id": inner}):
        if isinstance(tried, dict):
            with contextlib.suppress(ConfigError):
                assert suppression_of(tried, "x", CT_013.rules).id
