from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.detect.links import links

HOSTS = {"console.aws.amazon.com", "console.amazonaws-us-gov.com", "console.amazonaws.cn"}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("cn-north-1", "console.amazonaws.cn"),
    ],
)
def test_the_console_is_that_of_the_partition(region: str, host: str) -> None:
    found = links(region=region, event_id="0f8c-1", operation="StopLogging")

    assert found.console == f"https://{host}/cloudtrailv2/home?region={region}#/events?EventId=0f8c-1"
    assert found.runbook == "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html"


@pytest.mark.parametrize(
    "region", ["", "us-iso-east-1", "evil.example.com", "us-east-1/", "US-EAST-1", "a&b", "us-east-1\n", "x" * 64, "-a"]
)
def test_a_region_that_is_none_gives_no_link(region: str) -> None:
    assert links(region=region, event_id="e", operation=None).console is None


def test_without_an_event_id_or_an_operation_there_is_nothing_to_link_to() -> None:
    found = links(region="us-east-1", event_id="", operation=None)

    assert (found.console, found.runbook) == (None, None)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=()), min_size=1))
def test_no_record_makes_a_link_lead_elsewhere(region: str, event_id: str) -> None:
    for one in (region, "us-east-1"):
        console = links(region=one, event_id=event_id, operation=None).console
        if console is not None:
            parts = urlsplit(console)
            assert (parts.scheme, parts.path, parse_qs(parts.query)) == (
                "https",
                "/cloudtrailv2/home",
                {"region": [one]},
            )
            assert parts.netloc in HOSTS
            assert not set(console) & set(" \"'<>\n|()")
