"""A record in, its alerts out: one for each rule that matches, judged and put in words. Raises for no JSON object."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stream.alert import Actor, Alert, Change, Event, LogFile, Provenance, Resource
from stream.detect.actor import actor_of, is_person, is_root
from stream.detect.impact import GUARDING_TAGS, Impact, graded, impact_of, operation_of
from stream.detect.links import Portal, links
from stream.detect.network_activity import is_network_activity
from stream.detect.outcome import Verdict, verdict_of
from stream.detect.own_path import OwnPath, key_account, own_path
from stream.detect.rules import CUSTOM, Rule, RuleSet
from stream.detect.surroundings import Surroundings
from stream.detect.targets import listed_resources
from stream.detect.watch.judging import watched_impact
from stream.detect.wording import effect, impact_summary, rule_summary, title
from stream.json_value import canonical, shown, text_at
from stream.location import nowhere

_ID_CHARACTERS: Final = 32
_BY_TARGET: Final = ("audit-trail", "own-path")
"""Packs whose rules find an event, which is then told only if what it was aimed at may be ours."""
_YIELDING: Final = "cis"
"""A pack that asks for a few of the same events: nobody is to be told twice by what is built in."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A record that some rule matched, with all that is the same for each of those rules.

    Attributes:
        impact: what it does to the audit trail; `None`: nothing that we know of.
        watched: the impact is not of one of the eight changes to a trail: operators' own rules know better.
    """

    record: dict[str, Any]
    event: Event
    actor: Actor
    verdict: Verdict
    impact: Impact | None
    watched: bool
    notes: tuple[str, ...]
    provenance: Provenance
    log_file: LogFile | None
    portal: Portal | None


def _nameless(_: str) -> None:
    """Of no account a name is known."""


class Detector:
    """Judges records by a rule set. Holds no state, and may be used from several threads."""

    def __init__(
        self,
        rules: RuleSet,
        surroundings: Callable[[], Surroundings] = Surroundings,
        *,
        guarding_tags: Sequence[str] = GUARDING_TAGS,
        account_name: Callable[[str], str | None] = _nameless,
        location: Callable[[str | None], str | None] = nowhere,
        portal: Portal | None = None,
    ) -> None:
        """Take the rules and what is known of the surroundings.

        Args:
            rules: the rules in force.
            surroundings: what is ours, as far as it is known by now; asked for each record that matches.
            guarding_tags: globs of tag keys that policies make conditions of.
            account_name: the name of an account by its id, `None` if none is known; asked for each record that matches.
            location: where an address is, `None` if that is not known; asked for each record that matches.
            portal: through which links lead to the console; `None`: they lead there straight.
        """
        self.rules = rules
        self._surroundings = surroundings
        self._guarding_tags = tuple(guarding_tags)
        self._account_name = account_name
        self._location = location
        self._portal = portal

    def alerts(
        self,
        record: dict[str, Any],
        *,
        provenance: Provenance,
        log_file: LogFile | None,
        topic_arn: str | None = None,
        envelope: str | None = None,
    ) -> list[Alert]:
        """The alerts that a record gives rise to, in the order of the rules.

        Args:
            record: any JSON object.
            provenance: how it came to us.
            log_file: that held it, if one did.
            topic_arn: SNS topic that the notification came through, if one did.
            envelope: shape of that notification, one of `stream.metrics.ENVELOPES`, if one came.
        """
        matched = self.rules.match(record)
        if not matched:
            return []
        passing = is_network_activity(record, log_file)
        if passing and not (matched := [rule for rule in matched if rule.pack == CUSTOM]):
            return []
        own = own_path(log_file, topic_arn, self._surroundings(), envelope)
        case = self._case(record, provenance, log_file, own, passing=passing)
        if case.impact is None:
            matched = [rule for rule in matched if rule.pack not in _BY_TARGET]
        if any(rule.pack not in (_YIELDING, CUSTOM) for rule in matched):
            matched = [rule for rule in matched if rule.pack != _YIELDING]
        return [_alert(case, rule) for rule in matched]

    def _case(
        self, record: dict[str, Any], provenance: Provenance, log_file: LogFile | None, own: OwnPath, *, passing: bool
    ) -> _Case:
        verdict = verdict_of(record)
        event = _event(record, verdict, self._account_name)
        account, region = event.account_id, event.region
        operation = operation_of(record)
        impact: Impact | None = None
        if operation is not None and not passing:
            impact = impact_of(
                record, operation, verdict, account=account, region=region, own=own, guarding_tags=self._guarding_tags
            )
        elif not passing:
            impact = watched_impact(record, verdict, account=account, region=region, own=own)
        actor = actor_of(record, self._location)
        notes = _notes(record, event, actor, impact, log_file)
        return _Case(
            record, event, actor, verdict, impact, operation is None, notes, provenance, log_file, self._portal
        )


def account_mismatch(record: Mapping[str, Any], log_file: LogFile | None) -> bool:
    """Whether a record's account is another than the one that its log file's key names: forged or misplaced."""
    if log_file is None or record.get("recipientAccountId") is None:
        return False
    named = key_account(log_file.key)
    return named is not None and text_at(record, "recipientAccountId") != named


def alert_id(record: Mapping[str, Any], rule_id: str) -> str:
    """The id of a record's alert by a rule, 32 hexadecimal digits: the same on every replica and route, for ever.

    Copies of one event share their `eventID` in the files of several trails, and a `sharedEventID` in those of several
    accounts, of which each is alerted of. A record without either is known by all that it says.
    """
    event = text_at(record, "sharedEventID") or text_at(record, "eventID") or canonical(record)
    identity = canonical([event, _account(record), rule_id])
    return hashlib.sha256(identity.encode()).hexdigest()[:_ID_CHARACTERS]


def _account(record: Mapping[str, Any]) -> str:
    return text_at(record, "recipientAccountId") or text_at(record, "userIdentity", "accountId") or ""


def _event(record: Mapping[str, Any], verdict: Verdict, account_name: Callable[[str], str | None]) -> Event:
    account_id = _account(record)
    return Event(
        id=text_at(record, "eventID") or "",
        name=text_at(record, "eventName") or "",
        source=text_at(record, "eventSource") or "",
        time=text_at(record, "eventTime") or "",
        region=text_at(record, "awsRegion") or "",
        account_id=account_id,
        account_name=account_name(account_id),
        type=text_at(record, "eventType") or "",
        outcome=verdict.outcome,
        error_code=verdict.error_code,
        error_message=verdict.error_message,
    )


def _is_foreign(event: Event, actor: Actor) -> bool:
    return bool(actor.account_id and event.account_id and actor.account_id != event.account_id)


def _notes(
    record: Mapping[str, Any], event: Event, actor: Actor, impact: Impact | None, log_file: LogFile | None
) -> tuple[str, ...]:
    notes = []
    if impact is not None and impact.omitted:
        notes.append("its parameters were too large for the record and are unknown: take them for the worst")
    if _is_foreign(event, actor):
        notes.append(f"the caller is of another account ({shown(actor.account_id, 32)})")
    if account_mismatch(record, log_file):
        notes.append("the record's account is not that of its log file: it may be forged or misplaced")
    return tuple(notes)


def _alert(case: _Case, rule: Rule) -> Alert:
    event, actor, verdict = case.event, case.actor, case.verdict
    impact = None if case.watched and rule.pack == CUSTOM else case.impact
    resources: tuple[Resource, ...]
    target: str | None
    if impact is None:
        severity = rule.info.level
        headline = attempt = f"{shown(rule.info.title, 100)}: {shown(event.name, 64)}"
        target = None
        summary = rule_summary(rule.info.title, event, actor, verdict, case.notes)
        resources = listed_resources(case.record)
    else:
        root = is_root(case.record, actor)
        severity = graded(impact, verdict, person=root or is_person(actor), elevated=root or _is_foreign(event, actor))
        headline, attempt = impact.headline, impact.attempt
        target = None if impact.names_target else impact.target.words
        summary = impact_summary(impact, event, actor, verdict, case.notes)
        resources = (impact.target.resource,) if impact.target.resource else ()
    return Alert(
        id=alert_id(case.record, rule.info.id),
        severity=severity,
        title=title(event, headline=headline, attempt=attempt, target=target),
        summary=summary,
        rule=rule.info,
        event=event,
        actor=actor,
        resources=resources,
        changes=tuple(
            Change(finding.field, finding.value, effect(finding, verdict))
            for finding in (impact.findings if impact else ())
        ),
        provenance=case.provenance,
        log_file=case.log_file,
        links=links(
            event,
            actor,
            operation=impact.operation if impact and not case.watched else None,
            reference=next(iter(rule.info.references), None) if rule.pack != CUSTOM else None,
            portal=case.portal,
        ),
        context=None,
        record=case.record,
    )
