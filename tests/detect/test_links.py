import dataclasses
import shlex
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.alert import Links
from stream.detect.detector import Detector
from stream.detect.links import Portal, links
from tests.detect.records import ACCOUNT, CT_013, ROLE, alert_of, record

HOSTS = {"console.aws.amazon.com", "console.amazonaws-us-gov.com", "console.amazonaws.cn"}
PORTAL = "https://d-1234567890.awsapps.com/start"
KEY = "ASIAEXAMPLE000000001"
EVENT_ID = "0f8c1a52-3f51-4a2b-9c1d-000000000001"
TEXTS = st.text(st.characters(exclude_categories=()))


def linked(portal: Portal | None = None, operation: str | None = "StopLogging", **fields: Any) -> Links:
    """The links of an alert with these fields in its event or its actor."""
    alert = alert_of(record("StopLogging", {"name": "main"}, userIdentity=ROLE | {"accessKeyId": KEY}))
    names = {field.name for field in dataclasses.fields(alert.event)}
    event = dataclasses.replace(alert.event, **{name: fields.pop(name) for name in names & fields.keys()})
    return links(event, dataclasses.replace(alert.actor, **fields), operation=operation, portal=portal)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("cn-north-1", "console.amazonaws.cn"),
    ],
)
def test_the_console_is_that_of_the_partition(region: str, host: str) -> None:
    found = linked(region=region, id="0f8c-1")

    assert found.console == f"https://{host}/cloudtrailv2/home?region={region}#/events?EventId=0f8c-1"
    assert found.runbook == "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html"


@pytest.mark.parametrize(
    "region", ["", "us-iso-east-1", "evil.example.com", "us-east-1/", "US-EAST-1", "a&b", "us-east-1\n", "x" * 64, "-a"]
)
def test_a_region_that_is_none_gives_no_link(region: str) -> None:
    found = linked(region=region)

    assert found.console is None
    assert (found.lookup_events is not None) is (region == "us-iso-east-1")


def test_without_an_event_id_or_an_operation_there_is_nothing_to_link_to() -> None:
    found = linked(id="", operation=None)

    assert (found.console, found.runbook) == (None, None)


def test_the_portal_leads_to_the_console_in_the_right_account() -> None:
    straight = linked().console

    through = urlsplit(linked(Portal(PORTAL, "Audit,Read")).console or "")
    asking = linked(Portal(PORTAL)).console or ""

    assert f"{through.scheme}://{through.netloc}{through.path}" == f"{PORTAL}/"
    path, _, query = through.fragment.partition("?")
    assert path == "/console"
    assert parse_qsl(query) == [("account_id", ACCOUNT), ("role_name", "Audit,Read"), ("destination", straight)]
    assert "role_name" not in asking
    assert unquote(asking).endswith(straight or "?")
    assert linked(Portal(PORTAL), account_id="1111/../../evil").console == straight


def test_a_detector_links_through_its_portal() -> None:
    detector = Detector(CT_013, portal=Portal(PORTAL))
    (alert,) = detector.alerts(record("StopLogging", {"name": "main"}), provenance="inline", log_file=None)

    assert (alert.links.console or "").startswith(f"{PORTAL}/#/console?account_id={ACCOUNT}&destination=https%3A%2F%2F")


def test_the_other_calls_by_the_same_key_are_a_command_and_a_query_away() -> None:
    found = linked()

    assert found.lookup_events == (
        f"aws cloudtrail lookup-events --region us-east-1 --lookup-attributes "
        f"AttributeKey=AccessKeyId,AttributeValue={KEY} "
        "--start-time 2025-01-01T03:04:05Z --end-time 2025-01-03T03:04:05Z"
    )
    assert found.athena == (
        "SELECT eventtime, eventsource, eventname, awsregion, recipientaccountid, sourceipaddress, useragent, "
        "errorcode, requestparameters FROM cloudtrail_logs WHERE useridentity.accesskeyid = 'KEY' "
        "AND eventtime BETWEEN '2025-01-01T03:04:05Z' AND '2025-01-03T03:04:05Z' ORDER BY eventtime".replace("KEY", KEY)
    )


def test_without_a_key_the_principal_is_asked_for_and_the_event_itself() -> None:
    found = linked(access_key_id="", principal_id="AROAEXAMPLE00001:ci")

    assert f"AttributeKey=EventId,AttributeValue={EVENT_ID} " in (found.lookup_events or "")
    assert "useridentity.principalid LIKE 'AROAEXAMPLE00001:%'" in (found.athena or "")
    root = linked(access_key_id=None, principal_id=ACCOUNT)
    assert f"useridentity.principalid = '{ACCOUNT}'" in (root.athena or "")
    nobody = linked(access_key_id=None, principal_id=None, id="x")
    assert (nobody.lookup_events, nobody.athena) == (None, None)


@pytest.mark.parametrize(
    "time", ["", "yesterday", "2025-01-02T03:04:05Z'", "2025-13-02T03:04:05Z", "0001-01-01T00:00:00Z"]
)
def test_an_event_of_an_unknown_time_is_looked_for_at_any(time: str) -> None:
    found = linked(time=time)

    assert found.athena is None
    assert (found.lookup_events or "").endswith(KEY)


@given(TEXTS, st.text(st.characters(exclude_categories=()), min_size=1))
def test_no_record_makes_a_link_lead_elsewhere(region: str, event_id: str) -> None:
    for one in (region, "us-east-1"):
        console = linked(region=one, id=event_id).console
        if console is not None:
            parts = urlsplit(console)
            assert (parts.scheme, parts.path, parse_qs(parts.query)) == (
                "https",
                "/cloudtrailv2/home",
                {"region": [one]},
            )
            assert parts.netloc in HOSTS
            assert not set(console) & set(" \"'<>\n|()")


NEARLY = st.sampled_from([KEY, EVENT_ID, "eu-west-1", "2025-01-02T03:04:05Z", ACCOUNT])
TYPED = st.one_of(
    TEXTS,
    st.builds("".join, st.tuples(NEARLY, st.sampled_from(["'", ";id", "\n", " ", "$(id)", "`id`", "%", ",x=y", ""]))),
)


@given(TYPED, TYPED, TYPED, TYPED, TYPED, TYPED)
def test_nothing_that_was_typed_gets_into_a_shell_or_a_query(
    key: str, principal: str, event_id: str, region: str, time: str, account: str
) -> None:
    found = linked(access_key_id=key, principal_id=principal, id=event_id, region=region, time=time, account_id=account)

    if found.lookup_events is not None:
        words = shlex.split(found.lookup_events)
        assert " ".join(words) == found.lookup_events
        assert len(words) in (7, 11)
        assert not set(found.lookup_events) & set("'\"`$;&|<>()\\*?~#!\n")
    if found.athena is not None:
        assert found.athena.count("'") == 6
        assert not set(found.athena) & set(';-"\\\n/') - set("-:")
