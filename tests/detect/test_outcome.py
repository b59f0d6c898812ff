import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.detect.outcome import verdict_of
from tests.detect.strategies import json_values


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, "success"),
        ("", "success"),
        ("Success", "success"),
        ("AccessDenied", "denied"),
        ("AccessDeniedException", "denied"),
        ("AccessDeniedForDependencyException", "denied"),
        ("accessdenied", "denied"),
        ("Client.UnauthorizedOperation", "denied"),
        ("UnauthorizedOperation", "denied"),
        ("AuthorizationError", "denied"),
        ("VpceAccessDenied", "denied"),
        ("TrailNotFoundException", "failed"),
        ("InvalidHomeRegionException", "failed"),
        ("NotOrganizationMasterAccountException", "failed"),
        ("ThrottlingException", "failed"),
        ("NotAccessDenied", "failed"),
        ("Client.DryRunOperation", "failed"),
        ("DryRunOperationException", "failed"),
        # Nothing that CloudTrail writes: the worse is assumed.
        (["AccessDenied"], "success"),
        (403, "success"),
    ],
)
def test_success_denied_and_failed_are_told_apart(code: object, outcome: str) -> None:
    assert verdict_of({"errorCode": code}).outcome == outcome


def test_a_message_without_a_code_is_a_failure() -> None:
    assert verdict_of({"errorMessage": "Failed authentication"}).outcome == "failed"


START = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: cloudtrail:StopLogging on resource: r "


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("with an explicit deny in a service control policy", "service control policy (SCP)"),
        ("with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p", "(SCP)"),
        ("because no service control policy allows the cloudtrail:StopLogging action", "(SCP)"),
        ("with an explicit deny in a resource control policy", "resource control policy (RCP)"),
        ("because no resource control policy allows the cloudtrail:StopLogging action", "(RCP)"),
        ("with an explicit deny in an identity-based policy", "the caller's own permissions"),
        ("because no identity-based policy allows the cloudtrail:StopLogging action", "the caller's own permissions"),
        ("because no permissions boundary allows the cloudtrail:StopLogging action", "permissions boundary"),
        ("with an explicit deny in a VPC endpoint policy", "VPC endpoint policy"),
        ("", ""),
    ],
)
def test_the_policy_that_stopped_it_is_named(end: str, words: str) -> None:
    verdict = verdict_of({"errorCode": "AccessDenied", "errorMessage": START + end})

    assert words in verdict.reason
    assert bool(verdict.reason) is bool(words)


def test_a_name_that_speaks_of_a_policy_does_not_pass_for_one() -> None:
    name = "with an explicit deny in a service control policy"
    message = START.replace("user/x", f"user/{name}") + "because no identity-based policy allows it"

    assert "SCP" not in verdict_of({"errorCode": "AccessDenied", "errorMessage": message}).reason


@pytest.mark.parametrize("code", ["Client.DryRunOperation", "DryRunOperationException"])
def test_a_dry_run_would_have_succeeded(code: str) -> None:
    assert "would have succeeded" in verdict_of({"errorCode": code}).reason


@given(st.fixed_dictionaries({}, optional={"errorCode": json_values(), "errorMessage": json_values()}))
def test_every_record_has_an_outcome(one: dict[str, object]) -> None:
    assert verdict_of(one).outcome in ("success", "denied", "failed")
