"""What Trailstream tells of itself and of the trail's own silence: alerts that come of no CloudTrail record.

They are rules of the pack `own-path`, with fixed ids; an occurrence makes the alert's id, so that replicas that find
the same thing tell it once.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from stream.alert import Actor, Alert, Change, Event, Links, LogFile, Resource, RuleInfo
from stream.severity import Severity

PACK: Final = "own-path"
TYPE: Final = "TrailstreamNotice"
"""The type of an event that is none of AWS's."""

_TAGS: Final = ("attack.defense-evasion", "attack.t1562.008", "attack.defense-impairment", "attack.t1685.002")
_COMPLIANCE: Final = ("APRA", "MAS", "NIST 800-53 AU-9")


@dataclass(frozen=True, slots=True)
class Kind:
    """A rule whose alerts are notices.

    Attributes:
        description: when it alerts, in a sentence or two.
        always: whether it is told without the pack too.
    """

    id: str
    title: str
    level: Severity
    description: str
    tags: tuple[str, ...] = _TAGS
    compliance: tuple[str, ...] = _COMPLIANCE
    always: bool = False


KINDS: Final = {
    kind.id: kind
    for kind in (
        Kind(
            "trailstream-channel-outage",
            "A channel of Trailstream's is out of order",
            "high",
            "A channel has accepted nothing for five minutes. The others tell of it, and again when it is back.",
            (),
            (),
            always=True,
        ),
        Kind(
            "trailstream-log-file-past-limits",
            "A log file or a record is larger than may be read",
            "high",
            "MAX_LOG_BYTES or MAX_RECORD_BYTES is passed: somebody may be hiding a record behind padding.",
        ),
        Kind(
            "trailstream-log-file-missing",
            "A log file that was announced is not there",
            "high",
            "S3 has announced a log file, and five minutes later it can't be found: it was deleted unread.",
        ),
        Kind(
            "trailstream-log-file-misplaced",
            "A log file holds records of another account",
            "high",
            "The account of a file's key is not that of its records: CloudTrail does not write such a file.",
        ),
        Kind(
            "trailstream-unreadable-record",
            "A record that can't be read may be a change",
            "high",
            "No parser takes a record whose text holds words that a rule looks for. The records beside it are judged.",
        ),
        Kind(
            "trailstream-silence",
            "Log files that used to come no longer do",
            "high",
            "No log file of an account and region for three times the usual interval, half an hour at least; critical "
            "where nothing at all comes.",
        ),
        Kind(
            "trailstream-log-file-altered",
            "A log file is not as CloudTrail delivered it",
            "critical",
            "With TRAILSTREAM_DIGEST: the content of a log file is not the one whose hash CloudTrail has signed.",
        ),
        Kind(
            "trailstream-log-file-deleted",
            "A log file was deleted",
            "critical",
            "With TRAILSTREAM_DIGEST: a log file that CloudTrail's digest lists is not in the bucket.",
        ),
        Kind(
            "trailstream-log-file-forged",
            "A log file is not of CloudTrail's making",
            "high",
            "With TRAILSTREAM_DIGEST: CloudTrail's digests do not list a log file, in a folder where they list every "
            "other one. A trail without validation that begins to write there looks the same, once.",
        ),
        Kind(
            "trailstream-log-file-unannounced",
            "Log files were never announced",
            "high",
            "With TRAILSTREAM_DIGEST: CloudTrail's digest lists log files of which no replica was told, by more than a "
            "lost message. They are read then, and alerted on.",
        ),
        Kind(
            "trailstream-digest-altered",
            "A digest of log files is not CloudTrail's",
            "critical",
            "With TRAILSTREAM_DIGEST: a digest's signature does not fit, or it is not the one that the next one names.",
        ),
        Kind(
            "trailstream-digest-missing",
            "A digest of log files is missing",
            "high",
            "With TRAILSTREAM_DIGEST: an hour of a trail has no digest, though the next one names it.",
        ),
        Kind(
            "trailstream-digest-chain-restarted",
            "CloudTrail began its digests anew",
            "high",
            "With TRAILSTREAM_DIGEST: a digest names none before it, though one was there: validation was off between.",
        ),
        Kind(
            "trailstream-canary",
            "A call that has to be recorded was not",
            "high",
            "With TRAILSTREAM_CANARY: a harmless call of Trailstream's own does not come back in a log file within 45 "
            "minutes, nor does a later one.",
        ),
    )
}
"""Every kind there is, by its id."""


def kinds_in_force(packs: Collection[str]) -> list[Kind]:
    """The kinds that are told with these packs."""
    return [kind for kind in KINDS.values() if kind.always or PACK in packs]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell.

    Attributes:
        kind: id of the kind, of `KINDS`.
        event_name: what happened, in the manner of AWS's event names: `ChannelDown`.
        incident: what is one incident from its beginning to its end; the same on every replica.
        state: tells the alerts of one incident apart, such as its beginning and its end.
        severity: how grave it is.
        title: one line.
        summary: one or two sentences in plain words.
        time: when, in Unix time.
        account_id: of whose trail it is told, if of one.
        region: likewise.
        log_file: the object that it is about, if about one.
        resources: what it is about, if AWS has an ARN for it.
        changes: particulars, in plain words.
        facts: more of it, for machines; becomes part of the alert's `record`.
    """

    kind: str
    event_name: str
    incident: str
    severity: Severity
    title: str
    summary: str
    time: float
    state: str = ""
    account_id: str | None = None
    account_name: str | None = None
    region: str | None = None
    log_file: LogFile | None = None
    resources: tuple[Resource, ...] = ()
    changes: tuple[Change, ...] = ()
    facts: Mapping[str, Any] | None = None

    def with_facts(self, facts: Mapping[str, Any]) -> "Notice":
        """The same with other facts."""
        return replace(self, facts=facts)

    def alert(self) -> Alert:
        """The alert that tells it."""
        kind = KINDS[self.kind]
        event_id = _id(f"{kind.id} {self.incident}")
        when = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Alert(
            id=_id(f"{kind.id} {self.state} {self.incident}"),
            severity=self.severity,
            title=self.title,
            summary=self.summary,
            rule=RuleInfo(kind.id, kind.title, kind.level, kind.tags, kind.compliance),
            event=Event(
                id=event_id,
                name=self.event_name,
                source="trailstream",
                time=when,
                region=self.region or "none",
                account_id=self.account_id or "none",
                account_name=self.account_name,
                type=TYPE,
                outcome="success",
                error_code=None,
                error_message=None,
            ),
            actor=_OURSELVES,
            resources=self.resources,
            changes=self.changes,
            provenance="log_file" if self.log_file else "inline",
            log_file=self.log_file,
            links=Links(console=None, runbook=None),
            context=None,
            record={"eventID": event_id, "eventTime": when, "eventSource": "trailstream", **(self.facts or {})},
        )


_OURSELVES: Final = Actor(
    type="Trailstream",
    name="trailstream",
    session_name=None,
    source_identity=None,
    arn=None,
    account_id=None,
    principal_id=None,
    access_key_id=None,
    mfa=None,
    source_ip=None,
    location=None,
    user_agent=None,
    via="service",
    invoked_by=None,
)


def is_notice(alert: Alert) -> bool:
    """Whether Trailstream tells of itself. It goes by the rule: whatever a record says of itself may be forged."""
    return alert.rule.id in KINDS


def _id(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
