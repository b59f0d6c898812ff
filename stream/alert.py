"""The alert: what people are told, and the JSON that `scan --format jsonl` prints and webhooks carry.

Field names are a contract. Every text in `event`, `actor`, `resources`, `changes` and `record` may have been typed by
the attacker who is being reported: a channel makes it inert for its own format.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from stream.json_value import one_line, plain, strict_json
from stream.severity import Severity

Outcome = Literal["success", "denied", "failed"]
Via = Literal["console", "cli", "sdk", "service"]
Provenance = Literal["log_file", "inline"]


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """The rule that matched."""

    id: str
    title: str
    level: Severity
    tags: tuple[str, ...] = ()
    compliance: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """The recorded API call; `time` is ISO 8601 in UTC, as CloudTrail wrote it."""

    id: str
    name: str
    source: str
    time: str
    region: str
    account_id: str
    account_name: str | None
    type: str
    outcome: Outcome
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made the call; `mfa` is `None` where the record can't say.

    Attributes:
        name: of an Identity Center user, that user's; of another session of a role, the role's.
        issuer: whose permissions a session has: the role's name, or of a federated user the IAM user's.
        provider: the identity provider of a web or SAML identity, as its ARN or host name.
        on_behalf_of: id of the Identity Center user for whom the call was made.
        assumed_root: the session is one that `AssumeRoot` gave.
    """

    type: str
    name: str
    session_name: str | None
    source_identity: str | None
    arn: str | None
    account_id: str | None
    principal_id: str | None
    access_key_id: str | None
    mfa: bool | None
    source_ip: str | None
    location: str | None
    user_agent: str | None
    via: Via
    invoked_by: str | None
    issuer: str | None = None
    provider: str | None = None
    on_behalf_of: str | None = None
    credential_id: str | None = None
    assumed_root: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """What the call was aimed at; `protected` is `None` where nobody can say."""

    type: str
    arn: str
    protected: bool | None


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter of the call and what it does, in plain words."""

    field: str
    value: Any
    effect: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """The object in S3 (or the path, in a local scan: then `bucket` is empty) that held the record."""

    bucket: str
    key: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Where to look next.

    Attributes:
        console: the event in AWS's console.
        runbook: what to read.
        lookup_events: the shell command that lists what the same access key did around then, in that region.
        athena: the query for the same, everywhere.
    """

    console: str | None
    runbook: str | None
    lookup_events: str | None = None
    athena: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One change to the audit trail, judged. `id` is the same on every replica and route, for ever."""

    id: str
    severity: Severity
    title: str
    summary: str
    rule: RuleInfo
    event: Event
    actor: Actor
    resources: tuple[Resource, ...]
    changes: tuple[Change, ...]
    provenance: Provenance
    log_file: LogFile | None
    links: Links
    context: dict[str, Any] | None
    record: dict[str, Any]

    def to_json(self) -> bytes:
        """The alert as one line of strict JSON, whatever the record holds.

        orjson refuses what a record may hold (a lone surrogate, an integer of more than 64 bits, 254 levels): an alert
        is not lost to that. What is nested deeper than anything that CloudTrail writes is then cut off.
        """
        try:
            return one_line(orjson.dumps(self))
        except (TypeError, orjson.JSONEncodeError):
            fields = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
            return strict_json(fields)


_DEPTH: Final = 100


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return plain(value, _DEPTH)
