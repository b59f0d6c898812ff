"""What the worker is allowed only if asked for: each channel's own requests need it, all of it, and no more."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import pytest

from stream.accounts.organizations import ACTIONS as ORGANIZATIONS_ACTIONS
from stream.checks.ledger import check_table
from stream.deliver.channel import Channel
from stream.deliver.channels.email import EmailChannel
from stream.deliver.channels.eventbridge import EventbridgeChannel
from stream.deliver.channels.s3 import S3Channel
from stream.deliver.channels.securityhub import SecurityhubChannel
from stream.deliver.channels.sms import SmsChannel
from stream.deliver.channels.sns import SnsChannel
from stream.detect.sample import sample_alert
from stream.metrics import Metrics
from tests.deploy.enforced import enforced
from tests.deploy.template import ACCOUNT, REGION
from tests.deploy.world import NAME, World, actions, shipped, without, world_at


@pytest.fixture
def world(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    return world_at(moto_endpoint)


@dataclass(frozen=True)
class Option:
    """Something that the worker is allowed only if asked for.

    Attributes:
        parameters: of the template.
        environ: variables that switch the channel on.
        uses: each action that it adds, in its statement, and the request that is refused without it; `None` if that
            is one which moto does not know.
    """

    channel: type[Channel]
    parameters: Mapping[str, str]
    environ: Mapping[str, str]
    uses: Mapping[tuple[str, str], str | None]


TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}"
BUS: Final = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{NAME}"
ALERTS: Final = f"{NAME}-alerts"
OPTIONS: Final = {
    "topic": Option(
        SnsChannel,
        {"AlertTopicArn": TOPIC},
        {"SNS_TOPIC_ARN": TOPIC},
        {("PublishAlerts", "sns:Publish"): "Publish", ("LookAtTopic", "sns:GetTopicAttributes"): "GetTopicAttributes"},
    ),
    "text messages": Option(
        SmsChannel,
        {"Sms": "true"},
        {"SMS_TO": "+12025550123"},
        {("TextAlerts", "sns:Publish"): "Publish", ("LookAtSms", "sns:GetSMSAttributes"): "GetSMSAttributes"},
    ),
    "bus": Option(
        EventbridgeChannel,
        {"AlertBusArn": BUS},
        {"EVENTBRIDGE_BUS": BUS},
        {
            ("PutAlerts", "events:PutEvents"): "PutEvents",
            ("PutAlerts", "events:DescribeEventBus"): "DescribeEventBus",
        },
    ),
    "bucket": Option(
        S3Channel,
        {"AlertBucket": ALERTS},
        {"S3_URL": f"s3://{ALERTS}/findings"},
        {("StoreAlerts", "s3:PutObject"): "PutObject", ("LookAtBucket", "s3:ListBucket"): "HeadBucket"},
    ),
    "mail": Option(
        EmailChannel,
        {"SesIdentityArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/example.com"},
        {"SES": "true", "EMAIL_TO": "people@example.org", "EMAIL_FROM": "alerts@example.com"},
        {
            ("MailAlerts", "ses:SendEmail"): "SendEmail",
            ("MailAlerts", "ses:SendRawEmail"): "SendEmail",
            ("LookAtSes", "ses:GetAccount"): None,
        },
    ),
    "Security Hub": Option(
        SecurityhubChannel,
        {"SecurityHub": "true"},
        {"SECURITYHUB": "true"},
        {
            ("ImportFindings", "securityhub:BatchImportFindings"): "BatchImportFindings",
            ("LookAtSecurityHub", "securityhub:DescribeHub"): "DescribeHub",
        },
    ),
}


@cache
def make_places(world: World) -> None:
    """Where alerts go in moto."""
    world.client("sns").create_topic(Name=NAME)
    world.client("events").create_event_bus(Name=NAME)
    world.client("s3").create_bucket(Bucket=ALERTS)
    world.client("sesv2").create_email_identity(EmailIdentity="example.com")
    world.client("securityhub").enable_security_hub()


def answers(metrics: Metrics) -> Counter[tuple[str, str]]:
    """How often each operation was answered with which status."""
    samples = [sample for family in metrics.aws_requests.collect() for sample in family.samples]
    return Counter(
        {
            (sample.labels["operation"], sample.labels["code"]): int(sample.value)
            for sample in samples
            if sample.name.endswith("_total")
        }
    )


async def refused(world: World, option: Option) -> set[str]:
    """What AWS refuses of a channel's requests: it sends an alert, and looks whether its service answers."""
    before = answers(world.metrics)
    channel = option.channel(option.channel.section(), aws=world.aws)
    try:
        with enforced():
            await channel.send(sample_alert())
            await channel.probe()
    finally:
        await channel.aclose()
    new = answers(world.metrics) - before
    assert {operation for operation, _ in new} >= {*option.uses.values()} - {None}, "it asked for too little"
    assert {code for operation, code in new if operation in option.uses.values()} <= {"200", "403"}
    return {operation for operation, code in new if code == "403"}


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
async def test_each_channel_adds_what_it_needs(world: World, option: Option, monkeypatch: pytest.MonkeyPatch) -> None:
    make_places(world)
    for name, value in option.environ.items():
        monkeypatch.setenv(f"TRAILSTREAM_{name}", value)
    document = json.loads(shipped("WorkerPolicy", Probes="true", **option.parameters))
    usual = actions(json.loads(shipped("WorkerPolicy", Probes="true")))
    assert [each for each in actions(document) if each not in usual] == [*option.uses]

    world.allow(document)
    assert await refused(world, option) == set()
    for (sid, action), operation in option.uses.items():
        if operation is None:
            continue
        world.allow(without(document, sid, action))
        assert await refused(world, option) == {operation}, f"without {action} of {sid}"


async def test_what_looks_at_the_ledger_is_for_check_alone(world: World) -> None:
    async def outcomes() -> list[str]:
        with enforced():
            return [each.status async for each in check_table(world.aws, world.settings)]

    document = json.loads(shipped("WorkerPolicy", Probes="true"))
    world.allow(document)
    assert await outcomes() == ["ok", "warn", "ok"]  # moto's table was made without a TTL
    world.allow(without(document, "LookAtLedger", "dynamodb:DescribeTable"))
    assert await outcomes() == ["warn", "ok"]
    world.allow(without(document, "LookAtLedger", "dynamodb:DescribeTimeToLive"))
    assert await outcomes() == ["ok", "warn", "ok"]


def test_names_of_accounts_are_asked_for_as_the_program_asks() -> None:
    usual = actions(json.loads(shipped("WorkerPolicy")))
    added = [each for each in actions(json.loads(shipped("WorkerPolicy", Organizations="true"))) if each not in usual]
    assert sorted(action for _, action in added) == sorted(ORGANIZATIONS_ACTIONS)
