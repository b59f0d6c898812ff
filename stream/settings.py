"""What can be set: the program's own variables and those that every channel has.

The machinery behind them is `stream.environment`. Every channel keeps its section beside its code.
"""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from stream.environment import CommaSeparated, Section
from stream.severity import SEVERITIES, Severity
from stream.templates import check_template
from stream.urls import http_url

__all__ = ["SEVERITIES", "ChannelSettings", "CommaSeparated", "PeopleSettings", "Section", "Settings", "Severity"]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_DYNAMODB: Final = re.compile(
    r"dynamodb://(arn:aws(-[a-z]+)*:dynamodb:[a-z]+(-[a-z]+)+-\d+:\d{12}:table/)?[A-Za-z0-9_.-]{3,255}"
)

# Values of TRAILSTREAM_HTTP_HOST by which the page's address, 127.0.0.1, is listened on as well.
_WITH_LOOPBACK: Final = frozenset({"", "0.0.0.0", "127.0.0.1", "localhost"})  # noqa: S104 - somebody may have set it


def _bucket_globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    for glob in globs:
        if "/" in glob or ":" in glob:
            raise ValueError("names of buckets, with * and ? where wanted; not URLs, ARNs or keys")
    return globs


def _queue_url(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"https?://[^\s/]+/\S+", url):
        raise ValueError(
            "it should be the queue's URL, such as https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream, not "
            "its name or ARN"
        )
    return url


def _template(text: str | None) -> str | None:
    if text is not None:
        check_template(text)
    return text


def _ledger(value: str) -> str:
    if value != "memory" and not _DYNAMODB.fullmatch(value):
        raise ValueError(
            "it should be `memory`, or `dynamodb://` and a table's name (3 to 255 of A-Z a-z 0-9 _ . -) or its ARN"
        )
    return value


def _bytes(value: object) -> object:
    # pydantic passes over what follows a unit: "4.194304e+06" would be four exabytes, and no limit any more.
    if isinstance(value, str) and not re.fullmatch(r"\s*\d+(\.\d+)?\s*([kmgtp]i?)?b?\s*", value, re.IGNORECASE):
        raise ValueError("it should be a number of bytes, with a unit if wanted: 4194304 or 4MiB")
    return value


def _port_or_off(value: object, port: ValidatorFunctionWrapHandler) -> int | None:
    try:
        return None if value == "off" else port(value)
    except ValidationError:
        raise ValueError("it should be a whole number, at least 0, at most 65535, or `off`") from None


def _portal_url(url: str | None) -> str | None:
    if url is None:
        return None
    url = url.removesuffix("/").removesuffix("/#").removesuffix("/")
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*", url):
        raise ValueError("it should be the portal's address, such as https://d-1234567890.awsapps.com/start")
    return url


PortalUrl = Annotated[str | None, AfterValidator(_portal_url)]
QueueUrl = Annotated[str | None, AfterValidator(_queue_url)]
LedgerAddress = Annotated[str, AfterValidator(_ledger)]
BucketGlobs = Annotated[CommaSeparated, AfterValidator(_bucket_globs)]


class ChannelSettings(Section):
    """What every channel's section has; a channel adds its address and its secrets.

    A subclass sets `env_prefix` to `TRAILSTREAM_<CHANNEL>_`.
    """

    min_severity: Severity | None = Field(
        default=None, description="Mildest severity sent to this channel; unset: `TRAILSTREAM_MIN_SEVERITY`."
    )
    timeout: float = Field(default=10.0, gt=0, le=300, description="Seconds that one request may take.")
    rate: float = Field(default=0.0, ge=0, description="Requests a second, at most; 0: no limit of ours.")
    deadline: float = Field(
        default=36_000.0,
        gt=0,
        le=39_600,
        description="Seconds to keep trying one alert before its message is handed back to the queue and counted "
        "as expired. Stay below the 12 hours for which SQS lets a message be held.",
    )
    rules: CommaSeparated = Field(
        default=(),
        description="Only alerts of these rules: comma-separated globs of their ids or titles. Unset: of all.",
    )
    accounts: CommaSeparated = Field(
        default=(),
        description="Only alerts in these accounts: comma-separated globs of their ids or names. Unset: in all.",
    )
    fallback: str | None = Field(
        default=None,
        min_length=1,
        description="Name of another channel, which gets what this one could not deliver by its deadline.",
    )

    @property
    def enabled(self) -> bool:
        """Whether the channel is on: its address is set."""
        raise NotImplementedError(f"{type(self).__name__}.enabled")


class PeopleSettings(ChannelSettings):
    """What the section of a channel that people read has besides."""

    template: Annotated[str | None, AfterValidator(_template)] = Field(
        default=None,
        description="Message text of your own: the path of a Jinja2 template, or the template itself. Its first line "
        "is the headline, the rest the text. `trailstream channels show` prints what comes of it.",
    )


class Settings(Section):
    """Everything that is not a channel's."""

    queue_url: QueueUrl = Field(
        default=None,
        description="URL of the SQS queue that receives the notifications. Required by `run`, `check`, `replay` and "
        "`redrive`.",
    )
    buckets: BucketGlobs = Field(
        default=(),
        description="Buckets whose log files are read: comma-separated globs; `*` accepts any. Required by `run`, "
        "`check` and `redrive`.",
    )
    inline_events: bool = Field(
        default=False,
        description="Alert on records that EventBridge brings inside the message (`… via CloudTrail`), in "
        "seconds. Whoever may send to the queue could forge one.",
    )
    log_buckets: BucketGlobs = Field(
        default=(),
        description="Buckets that trails may log to: comma-separated globs. Unset: those of "
        "`TRAILSTREAM_BUCKETS`, save `*`.",
    )
    protected: CommaSeparated = Field(
        default=(),
        description="What is protected: comma-separated globs of names and ARNs (trails, buckets, keys, topics, "
        "queues, roles and the like). What this process uses is so without being named. Unset: every trail is, too. "
        "`trails` among them: a trail of the own account is, unless another records all that it does; that is asked "
        "of CloudTrail at start, hourly, and when a trail is changed (DescribeTrails, GetTrailStatus).",
    )
    packs: CommaSeparated = Field(
        default=("ct-013", "audit-trail", "own-path"), description="Built-in rule packs to load, comma-separated."
    )
    rules: CommaSeparated = Field(
        default=(), description="More rules: paths of Sigma files or of folders of them, comma-separated."
    )
    rules_strict: bool = Field(
        default=False,
        description="Refuse to start if a rule of `TRAILSTREAM_RULES` can't be used. Unset: such a rule is left out, "
        "logged and counted, and the others work.",
    )
    placeholders: str | None = Field(
        default=None,
        description="Values for the modifier `expand` of rules and filters, which stand for `%name%`: "
        "`name=value|value,…`, or the path of a YAML or JSON file with a mapping of names to values.",
    )
    suppress: CommaSeparated = Field(
        default=(),
        description="What is known to be all right: paths of Sigma filters or of folders of them, comma-separated. "
        "`trailstream rules --help` has an example.",
    )
    accounts: str = Field(
        default="",
        description="Names of accounts: `111122223333=prod,…`, or the path of a file (.yml, .yaml, .json, .csv), or "
        "`organizations` to ask AWS Organizations.",
    )
    geoip: str | None = Field(
        default=None,
        description="Path of a City or Country database in MaxMind's format (.mmdb), by which alerts say where an "
        "address is; read again when it changes: move a new one to its place. Needs `pip install "
        "'trailstream[geoip]'`.",
    )
    sso_portal: PortalUrl = Field(
        default=None,
        description="Address of IAM Identity Center's access portal, through which an alert's link opens the console "
        "in the right account: `https://d-1234567890.awsapps.com/start`.",
    )
    sso_role: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_+=,.@-]{1,32}$",
        description="Permission set that such a link takes. Unset: the portal asks.",
    )
    min_severity: Severity = Field(
        default="informational", description="Mildest severity that is delivered: " + ", ".join(SEVERITIES) + "."
    )
    routes: str | None = Field(
        default=None,
        description="Path of a YAML file that names more channels and says which alert goes to which. Unset: every "
        "alert goes to every channel that is on. `trailstream routes --help` has an example.",
    )
    max_event_age: float = Field(
        default=86_400.0,
        ge=0,
        description="Seconds: of events older than that people's channels are told in digests marked late, and nobody "
        "is paged; 0: as of the rest.",
    )
    concurrency: int = Field(default=16, ge=1, le=1024, description="Log files worked on at once.")
    receivers: int = Field(default=2, ge=1, le=64, description="Long polls of the queue at once.")
    visibility_timeout: int | None = Field(
        default=None,
        ge=10,
        le=43_200,
        description="Seconds that a received message stays hidden from other replicas before it is extended. "
        "Unset: the queue's own.",
    )
    retry_delay: float = Field(
        default=30.0,
        ge=0,
        le=900,
        description="Seconds until a failed message is tried again; doubled with each receive, up to 900.",
    )
    require_dlq: bool = Field(
        default=True,
        description="Refuse to run on a queue without a redrive policy: a bad message would come back for ever.",
    )
    max_pending_alerts: int = Field(
        default=1000, ge=1, description="Alerts waiting for a channel at which receiving pauses."
    )
    max_record_bytes: Annotated[ByteSize, BeforeValidator(_bytes)] = Field(
        default=ByteSize(4 * 1024**2),
        ge=1024,
        description="Bytes of JSON that one record may have (`4MiB` is understood).",
    )
    max_log_bytes: Annotated[ByteSize, BeforeValidator(_bytes)] = Field(
        default=ByteSize(2 * 1024**3),
        ge=1024,
        description="Bytes of JSON that one log file may have (`2GiB` is understood).",
    )
    shutdown_grace: float = Field(
        default=25.0,
        ge=0,
        le=3600,
        description="Seconds to finish what is in hand after SIGTERM. Keep it below the pod's "
        "terminationGracePeriodSeconds.",
    )
    ledger: LedgerAddress = Field(
        default="memory",
        description="Where it is remembered what was sent: `memory`, of this process alone, or `dynamodb://<table>`, "
        "which all replicas share (partition key `id`, String; TTL attribute `expires_at`). The table's ARN does too.",
    )
    silence: bool | None = Field(
        default=None,
        description="Alert when log files that used to come from an account and region no longer do, or none at all; "
        "how often they come is learnt, for a week at first. Unset: if `TRAILSTREAM_LEDGER` is a table. Without one, "
        "true is right for a single replica only, since each of several hears a part.",
    )
    canary: bool = Field(
        default=False,
        description="Call sts:GetCallerIdentity every 15 minutes, which needs no permission, and alert when its record "
        "has not come back in a log file after 45. It takes a trail that records this account, this region and read "
        "events, and a ledger that replicas share, or a single replica.",
    )
    digest: bool = Field(
        default=False,
        description="Look at the digest files of trails with log file validation as they are announced: their "
        "signatures, that none is missing, and that each log file that they list is as it was delivered, for which it "
        "is read again; log files that none lists, where they list all others; and, if TRAILSTREAM_LEDGER is a table, "
        "or TRAILSTREAM_SILENCE=true says that there is one replica, log files that were never announced, which are "
        "read then. Needs cloudtrail:ListPublicKeys. `trailstream verify` does so for what is there already.",
    )
    source_metrics: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How many sources (account and region) may have a metric of their own, "
        "`trailstream_source_age_seconds`; 0: none.",
    )
    http_host: str = Field(
        default="", description="Address that /metrics, /healthz and /readyz listen on; empty: every one."
    )
    http_port: int = Field(
        default=8080,
        ge=0,
        le=65_535,
        description="Port of /metrics, /healthz and /readyz; 0: any free one, which is logged.",
    )
    status_port: Annotated[int | None, Field(ge=0, le=65_535), WrapValidator(_port_or_off)] = Field(
        default=8081,
        description="Port of the page for people, on 127.0.0.1 alone: `kubectl port-forward POD 8081`, then a browser "
        "on http://localhost:8081. 0: any free one, which is logged; `off`: no page.",
    )
    heartbeat_url: Annotated[SecretStr | None, AfterValidator(http_url)] = Field(
        default=None,
        description="Called by GET once a minute while all is well: no call to SQS has failed, no pause of receiving "
        "and no outage of a channel has lasted for five minutes, and no message is unaccounted for. The service behind "
        "it (healthchecks.io, Better Stack, Cronitor) pages when no call comes. Each replica calls: silence means that "
        "all are gone or unwell, not that one is.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Quietest level that is logged: debug, info, warning, error."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="`json` for machines, `console` for people."
    )

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        """Refuse one port for both, where the page is asked for: by default it can be done without."""
        port = self.status_port if "status_port" in self.model_fields_set else None
        if port and port == self.http_port and self.http_host in _WITH_LOOPBACK:
            raise ValueError(
                f"TRAILSTREAM_HTTP_PORT and TRAILSTREAM_STATUS_PORT are both {port}: each needs one of its own, or "
                "TRAILSTREAM_STATUS_PORT=off"
            )
        return self
