"""AWS Security Hub: each alert as one finding, which the same alert, sent again, updates and does not double.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html (errors, of whose account it is).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from stream.alert import Alert
from stream.deliver.arn import parse_arn
from stream.deliver.aws import AwsChannel, Caller, classify_code
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.asff import Product, finding, minimal_finding
from stream.settings import ChannelSettings

_ERRORS: Final[Mapping[str, Answer]] = {
    # Security Hub is not enabled in this account and region.
    "InvalidAccessException": Down("not_found"),
    # Of one finding, with HTTP's 200.
    "InvalidInput": Rejected("payload"),
    "InternalException": Retry("server_error"),
}
_SHOWN: Final = Caller("111122223333", "aws")  # in a rehearsal, where nobody is asked who we are


def _product(value: str | None) -> str | None:
    if value is None:
        return None
    arn = parse_arn(value)
    if arn is None or arn.service != "securityhub" or not arn.region or not arn.resource.startswith("product/"):
        raise ValueError(
            "must be a product's ARN: arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"
        )
    return value


class SecurityhubSettings(ChannelSettings):
    """Variables of the channel `securityhub`."""

    env_prefix = "TRAILSTREAM_SECURITYHUB_"

    switch: bool = Field(
        False,
        alias="TRAILSTREAM_SECURITYHUB",
        description="Import every alert into AWS Security Hub, as a finding; needs securityhub:BatchImportFindings.",
    )
    product_arn: Annotated[str | None, AfterValidator(_product)] = Field(
        None,
        description="ARN of the Security Hub product that findings are of; it decides the region too. Unset: the "
        "default product of our own account and region.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_SECURITYHUB` is true."""
        return self.switch


class SecurityhubChannel(AwsChannel):
    """Imports each alert into Security Hub, of the account that it runs in.

    Findings of the default product must be of the importing account: that of the event is among the product fields.
    """

    kind = "securityhub"
    deduplicates = True
    service = "securityhub"
    errors = _ERRORS
    section = SecurityhubSettings
    example = (("switch", True),)
    settings: SecurityhubSettings

    def region(self) -> str | None:
        """The product's, where one is set."""
        arn = parse_arn(self.settings.product_arn or "")
        return arn.region if arn else None

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Import one finding; see `Channel.send`."""
        product = await self.product()
        if not isinstance(product, Product):
            return product
        made = (minimal_finding if minimal else finding)(alert, product, datetime.now(UTC))
        response = await self.call("batch_import_findings", Findings=[made])
        if isinstance(response, Accepted | Retry | Rejected | Down):
            return response
        return judge(response)

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        product = await self.product()
        return await self.look("describe_hub") if isinstance(product, Product) else product

    async def product(self) -> Product | Answer:
        """In whose name findings are imported, or what it means that nobody could say."""
        arn = parse_arn(self.settings.product_arn or "")
        if arn is not None and arn.account.isdecimal():
            return Product(self.settings.product_arn or "", arn.account)
        caller = _SHOWN if self.rehearsal is not None else await self.caller()
        if not isinstance(caller, Caller):
            return caller
        return Product(self.settings.product_arn or self._default_product(caller), caller.account)

    def _default_product(self, caller: Caller) -> str:
        region = self._aws.region if self._aws is not None else "us-east-1"
        return f"arn:{caller.partition}:securityhub:{region}:{caller.account}:product/{caller.account}/default"


def judge(response: Mapping[str, Any]) -> Answer:
    """What the answer says of the one finding."""
    if not response.get("FailedCount"):
        return Accepted()
    codes = [str(each.get("ErrorCode", "")) for each in response.get("FailedFindings", ())]
    return (classify_code(codes[0], _ERRORS) if codes else None) or Rejected("other")
