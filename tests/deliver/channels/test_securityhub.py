import json
from collections.abc import AsyncIterator

import pytest

from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.securityhub import SecurityhubChannel, SecurityhubSettings
from stream.environment import load
from stream.errors import ConfigError
from tests.deliver.alerts import make_alert
from tests.deliver.aws import aws
from tests.deliver.channels.attacks import ATTACKS, hostile
from tests.deliver.channels.test_asff import faults
from tests.deliver.test_aws import IDENTITY
from tests.receiver import Receiver, Reply, Request

DEFAULT = "arn:aws-cn:securityhub:us-east-1:111122223333:product/111122223333/default"
OTHER = "arn:aws:securityhub:eu-west-1:444455556666:product/444455556666/default"
PARTNER = "arn:aws:securityhub:eu-west-1::product/company/product"
TAKEN = '{"FailedCount":0,"SuccessCount":1,"FailedFindings":[]}'


class _SecurityHub:
    """Takes findings, and says who its caller is, unless it is told otherwise."""

    def __init__(self) -> None:
        self.import_ = Reply(200, TAKEN)
        self.hub = Reply(200, "{}")
        self.identity = Reply(200, IDENTITY)
        self.paths: list[str] = []
        self.findings: list[dict[str, object]] = []

    def __call__(self, request: Request) -> Reply:
        self.paths.append(request.path)
        if request.path == "/findings/import":
            self.findings += request.json()["Findings"]
            return self.import_
        return self.hub if request.path == "/accounts" else self.identity


@pytest.fixture
def hub(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> _SecurityHub:
    for name in ("SECURITYHUB", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", receiver.url)
    service = _SecurityHub()
    receiver.default = service
    return service


def _make(**values: object) -> SecurityhubChannel:
    return SecurityhubChannel(SecurityhubSettings.model_validate({"switch": True, "timeout": 20, **values}), aws=aws())


@pytest.fixture
async def channel(hub: _SecurityHub) -> AsyncIterator[SecurityhubChannel]:
    del hub
    made = _make()
    yield made
    await made.aclose()


async def test_a_finding_that_is_sent_again_is_updated_and_not_doubled(
    moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    channel = _make()
    assert await channel.probe() == Down("not_found")
    async with aws().client("securityhub") as client:
        await client.enable_security_hub()
        assert await channel.probe() == Accepted()
        for alert in (make_alert("a"), make_alert("a"), hostile(ATTACKS["half a surrogate"])):
            assert await channel.send(alert) == Accepted()
        assert await channel.send(make_alert("a"), minimal=True) == Accepted()
        await channel.aclose()
        found = (await client.get_findings())["Findings"]
        await client.disable_security_hub()
    assert sorted(each["Id"] for each in found) == ["trailstream/a", "trailstream/alert-1"]
    assert all(each["AwsAccountId"] == "123456789012" for each in found)
    assert all(
        each["ProductArn"] == "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default"
        for each in found
    )


async def test_findings_are_of_the_account_that_imports_them_which_is_asked_for_once(
    channel: SecurityhubChannel, hub: _SecurityHub
) -> None:
    for _ in range(2):
        assert await channel.send(make_alert(event_account_id="999999999999")) == Accepted()
    assert hub.paths == ["/", "/findings/import", "/findings/import"]
    for made in hub.findings:
        assert (made["ProductArn"], made["AwsAccountId"]) == (DEFAULT, "111122223333")
        assert faults(made) == []


@pytest.mark.parametrize(
    ("arn", "account", "paths"),
    [(OTHER, "444455556666", ["/findings/import"]), (PARTNER, "111122223333", ["/", "/findings/import"])],
)
async def test_a_products_arn_decides_the_region_and_the_account_where_it_names_one(
    arn: str, account: str, paths: list[str], hub: _SecurityHub
) -> None:
    channel = _make(product_arn=arn)
    assert channel.region() == "eu-west-1"
    assert await channel.send(make_alert()) == Accepted()
    await channel.aclose()
    assert hub.paths == paths
    assert (hub.findings[0]["ProductArn"], hub.findings[0]["AwsAccountId"]) == (arn, account)


async def test_if_nobody_says_who_we_are_it_is_tried_again(channel: SecurityhubChannel, hub: _SecurityHub) -> None:
    hub.identity = Reply(503)
    assert await channel.send(make_alert()) == await channel.probe() == Retry("server_error")
    hub.identity = Reply(200, IDENTITY)
    assert await channel.send(make_alert()) == Accepted()


async def test_a_failure_of_the_finding_is_none_of_the_requests(channel: SecurityhubChannel, hub: _SecurityHub) -> None:
    answers: dict[str, Answer] = {
        "InvalidInput": Rejected("payload"),
        "InternalError": Retry("server_error"),
        "ThrottlingException": Retry("throttled"),
        "AccessDeniedException": Down("forbidden"),
        "SomethingNew": Rejected("other"),
    }
    received: dict[str, Answer] = {}
    for code in answers:
        failed = [{"Id": "trailstream/alert-1", "ErrorCode": code, "ErrorMessage": "no"}]
        hub.import_ = Reply(200, json.dumps({"FailedCount": 1, "SuccessCount": 0, "FailedFindings": failed}))
        received[code] = await channel.send(make_alert())
    assert received == answers


async def test_errors_of_the_request_are_classified(channel: SecurityhubChannel, hub: _SecurityHub) -> None:
    answers: dict[tuple[str, int], Answer] = {
        ("AccessDeniedException", 403): Down("forbidden"),
        ("InvalidAccessException", 401): Down("not_found"),
        ("InvalidInputException", 400): Rejected("bad_request"),
        ("InternalException", 500): Retry("server_error"),
        ("LimitExceededException", 429): Retry("throttled"),
    }
    received: dict[tuple[str, int], Answer] = {}
    for code, status in answers:
        hub.import_ = Reply(status, '{"message":"no"}', {"x-amzn-ErrorType": code})
        received[code, status] = await channel.send(make_alert())
    assert received == answers


async def test_who_may_not_look_may_import_all_the_same(channel: SecurityhubChannel, hub: _SecurityHub) -> None:
    hub.hub = Reply(403, '{"message":"no"}', {"x-amzn-ErrorType": "AccessDeniedException"})
    assert await channel.probe() == Accepted()
    assert hub.findings == []


async def test_a_rehearsal_shows_the_request_and_makes_none(channel: SecurityhubChannel, receiver: Receiver) -> None:
    written: list[str] = []
    channel.rehearsal = written.append
    assert await channel.send(make_alert()) == Accepted()
    assert written[0].startswith("securityhub:batch_import_findings\n")
    assert receiver.requests == []


def test_a_switch_turns_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_SECURITYHUB", "true")
    monkeypatch.setenv("TRAILSTREAM_SECURITYHUB_PRODUCT_ARN", OTHER)
    section = load([SecurityhubSettings])[SecurityhubSettings]
    assert isinstance(section, SecurityhubSettings)
    assert (section.enabled, section.product_arn) == (True, OTHER)


@pytest.mark.parametrize("value", ["default", OTHER.replace("product/", "hub/"), OTHER.replace("eu-west-1", "")])
def test_a_bad_arn_is_an_error_that_names_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_SECURITYHUB_PRODUCT_ARN", value)
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_SECURITYHUB_PRODUCT_ARN: must be a product's ARN"):
        load([SecurityhubSettings])
