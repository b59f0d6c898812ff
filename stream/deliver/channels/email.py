"""Mail, by an SMTP server or by Amazon SES: one message for each alert, to everybody, in a thread for each trail.

Who has it is not told again because somebody else was refused. https://docs.aws.amazon.com/ses/latest/APIReference-V2
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import TYPE_CHECKING, Annotated, Final, Self

import structlog
from botocore.exceptions import ClientError
from pydantic import AfterValidator, Field, SecretStr, model_validator

from stream.alert import Alert
from stream.deliver.aws import AwsChannel
from stream.deliver.channel import Accepted, Answer, Down, PeopleChannel, Rejected, Retry
from stream.deliver.channels.mail_body import MAX_SUBJECT, MAX_TEXT, STYLE, body, short_text, subject_line
from stream.deliver.channels.mail_message import Envelope, is_address, message, sender_address, text_message
from stream.deliver.channels.smtp import Sent, Server, knock, server, server_url, submit
from stream.deliver.channels.told import Told
from stream.deliver.group import Group
from stream.deliver.rehearsal import without_secrets
from stream.environment import CommaSeparated
from stream.settings import PeopleSettings

if TYPE_CHECKING:
    from stream.aws import Aws

_log = structlog.get_logger()

_MAX_RECIPIENTS: Final = 50  # of one message, with SES: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
# "Errors" of https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html, save those of all of AWS.
_ERRORS: Final[Mapping[str, Answer]] = {
    "AccountSuspendedException": Down("forbidden"),
    "MailFromDomainNotVerifiedException": Down("forbidden"),
    "MessageRejected": Rejected("payload"),
    "SendingPausedException": Down("forbidden"),
}
_MINIMAL_SUBJECT: Final = 80
_MINIMAL_TEXT: Final = 600


def _recipients(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not all(is_address(each) for each in addresses):
        raise ValueError(
            "must be addresses in ASCII, as name@example.com, with commas between them; a host in other letters is "
            "written as xn--…"
        )
    if len(addresses) > _MAX_RECIPIENTS:
        raise ValueError(f"more than {_MAX_RECIPIENTS} addresses are a mailing list's business")
    return tuple(dict.fromkeys(addresses))


def _sender(text: str | None) -> str | None:
    if text is not None:
        sender_address(text)
    return text


class EmailSettings(PeopleSettings):
    """Variables of the channel `email`."""

    env_prefix = "TRAILSTREAM_EMAIL_"

    to: Annotated[CommaSeparated, AfterValidator(_recipients)] = Field(
        (), description="Addresses that alerts are mailed to, comma-separated; each sees the others."
    )
    sender: Annotated[str | None, AfterValidator(_sender)] = Field(
        None,
        alias="TRAILSTREAM_EMAIL_FROM",
        description="Address that alerts are mailed from: `alerts@example.com` or `Trailstream <alerts@example.com>`.",
    )
    smtp_url: Annotated[SecretStr | None, AfterValidator(server_url)] = Field(
        None,
        alias="TRAILSTREAM_SMTP_URL",
        description="Mail server: `smtp://user:password@host:587` (STARTTLS is required; `?starttls=optional` and "
        "`?starttls=no` are for servers without a login) or `smtps://…:465` (TLS from the start); the login "
        "percent-encoded. Certificates are verified against the system's, or SSL_CERT_FILE. `?helo=name`: what to "
        "call ourselves.",
    )
    ses: bool = Field(
        False, alias="TRAILSTREAM_SES", description="Mail by Amazon SES (`ses:SendEmail`) instead of a mail server."
    )
    ses_region: str | None = Field(
        None, alias="TRAILSTREAM_SES_REGION", description="Region of SES; unset: that of the session."
    )
    ses_configuration_set: str | None = Field(
        None, alias="TRAILSTREAM_SES_CONFIGURATION_SET", description="Configuration set that SES sends by."
    )
    timeout: float = Field(
        30.0, gt=0, le=300, description="Seconds that one mail may take; a server may let strangers wait."
    )
    rate: float = Field(
        0.5,
        ge=0,
        description="Mails a second in the long run (Exchange Online takes 30 a minute); a short burst goes at once. "
        "0: no limit of ours.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_EMAIL_TO` is set."""
        return bool(self.to)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.to and self.sender is None:
            raise ValueError("TRAILSTREAM_EMAIL_FROM: it is required where TRAILSTREAM_EMAIL_TO is set")
        if self.to and self.smtp_url is None and not self.ses:
            raise ValueError("TRAILSTREAM_SMTP_URL: it, or TRAILSTREAM_SES=true, is required with TRAILSTREAM_EMAIL_TO")
        if self.smtp_url is not None and self.ses:
            raise ValueError("TRAILSTREAM_SMTP_URL: TRAILSTREAM_SES is set as well; keep one of them")
        return self


class EmailChannel(AwsChannel, PeopleChannel):
    """Mails each alert, or group, to all addresses in one message.

    SES takes a message for all of its recipients or for none, and replaces its Message-ID; an SMTP server answers for
    each recipient, and those it refused for now are tried again by themselves.
    """

    kind = "email"
    section = EmailSettings
    example = (
        ("to", ("soc@example.com",)),
        ("sender", "trailstream@example.com"),
        ("smtp_url", "smtp://trailstream:placeholder@mail.example:587"),
    )
    concurrency = 2  # Exchange Online takes three connections at once from one mailbox
    burst = 10
    service = "sesv2"
    errors = _ERRORS
    settings: EmailSettings

    def __init__(self, settings: EmailSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._told = Told()

    def region(self) -> str | None:
        """See `AwsChannel.region`."""
        return self.settings.ses_region

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Mail those who lack it; see `PeopleChannel.tell`."""
        alert_ids = (alert.id,) if group is None else group.ids
        recipients = self._told.missing(alert_ids, self.settings.to)
        if not recipients:
            return Accepted()
        source = self._source(alert, group, minimal=minimal)
        if self.rehearsal is not None:
            self.rehearsal(without_secrets(self.settings, source.decode("ascii").replace("\r\n", "\n")))
            return Accepted()
        if self.settings.ses:
            return await self._by_ses(recipients, source)
        sent = await submit(self._server, self._from.addr_spec, recipients, source, self.settings.timeout)
        if not isinstance(sent, Sent):
            return sent
        self._told.add(alert_ids, sent.taken)
        if not sent.refused:
            self._told.forget(alert_ids)
            return Accepted()
        anybody = bool(sent.taken) or len(recipients) < len(self.settings.to)
        return self._refused([*sent.refused.values()], anybody=anybody)

    async def probe(self) -> Answer:
        """Log in without mailing anything, or ask SES whether it would send; see `Channel.probe`."""
        if not self.settings.ses:
            return await knock(self._server, self.settings.timeout)
        account = await self.call("get_account")
        if isinstance(account, Accepted | Retry | Rejected | Down):
            # Who may send need not be allowed to look.
            return Accepted() if account == Down("forbidden") else account
        return Accepted() if account.get("SendingEnabled", True) else Down("forbidden")

    def judge(self, error: Exception) -> Answer:
        """Classify; of an address that is not verified, SES says what it says of a bad message."""
        if isinstance(error, ClientError) and "not verified" in str(error.response.get("Error", {}).get("Message")):
            return Down("forbidden")
        return super().judge(error)

    def _refused(self, refusals: Sequence[Answer], *, anybody: bool) -> Answer:
        """What it means that some were refused. Addresses are people's data: only how many is logged."""
        later = [each for each in refusals if isinstance(each, Retry)]
        _log.warning("recipients refused", channel=self.name, refused=len(refusals), for_now=len(later))
        if later:
            return replace(later[0], partial=anybody)
        # If nobody can be told, it is the settings' fault and the alerts wait; if somebody can, this one has to go on.
        return Rejected("other") if anybody else refusals[0]

    async def _by_ses(self, recipients: Sequence[str], source: bytes) -> Answer:
        named = self.settings.ses_configuration_set
        return await self.attempt(
            "send_email",
            FromEmailAddress=self._from.addr_spec,
            Destination={"ToAddresses": [*recipients]},
            Content={"Raw": {"Data": source}},
            **({"ConfigurationSetName": named} if named else {}),
        )

    def _source(self, alert: Alert, group: Group | None, *, minimal: bool) -> bytes:
        envelope = Envelope(self._from, self.settings.to, datetime.now(UTC))
        if minimal:
            said = self.words(alert, group, STYLE, headline=_MINIMAL_SUBJECT, text=_MINIMAL_TEXT)
            subject = subject_line(alert, group, said)
            return bytes(text_message(alert, group, subject, short_text(alert, said), envelope))
        said = self.words(alert, group, STYLE, headline=MAX_SUBJECT, text=MAX_TEXT)
        return bytes(message(alert, group, body(alert, group, said), envelope))

    @property
    def _from(self) -> Address:
        return sender_address(self.settings.sender or "")

    @property
    def _server(self) -> Server:
        return server(self.settings.smtp_url or SecretStr(""))
