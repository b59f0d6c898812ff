"""The two texts that everybody reads: an alert's title and its summary, each one line, whatever the record holds.

Written for somebody who has never heard of CloudTrail. A state is told as what is so now, never as what was so before.
"""

from collections.abc import Sequence
from typing import Final

from stream.alert import Actor, Event
from stream.detect.actor import described
from stream.detect.finding import Finding
from stream.detect.impact import Impact
from stream.detect.outcome import Verdict
from stream.json_value import shown

TITLE_CHARACTERS: Final = 200
SUMMARY_CHARACTERS: Final = 600
_PLACE_CHARACTERS: Final = 32
_NAME_CHARACTERS: Final = 100
_REASON_CHARACTERS: Final = 100


def title(event: Event, *, headline: str, attempt: str, target: str | None) -> str:
    """One line: what happened, to what, where.

    Args:
        event: of the alert.
        headline: of a success.
        attempt: of a call that did not succeed: what was tried.
        target: what to call what it was aimed at, if that is known.
    """
    name = shown(event.account_name, _PLACE_CHARACTERS) if event.account_name else ""
    account, region = _place(event.account_id), _place(event.region)
    place = f"in account {name} ({account}, {region})" if name else f"in account {account} ({region})"
    what = headline if event.outcome == "success" else f"Attempt {event.outcome}: {attempt}"
    return shown(f"{what}: {target} {place}" if target else f"{what} {place}", TITLE_CHARACTERS)


def impact_summary(impact: Impact, event: Event, actor: Actor, verdict: Verdict, notes: Sequence[str]) -> str:
    """Who did what, and what it means."""
    who, where = described(actor), f"in account {_account(event)}"
    reason = shown(verdict.reason, _REASON_CHARACTERS)
    if verdict.outcome == "success":
        told = f"{who} {impact.deed} {impact.target.words} {where}: {impact.meaning}."
    elif verdict.outcome == "denied":
        by = f", {reason}" if reason else ""
        told = f"{who} tried to {impact.intention} {impact.target.words} {where} and was denied{by}; nothing changed."
    else:
        why = f" ({reason})" if reason else ""
        told = f"{who} tried to {impact.intention} {impact.target.words} {where}, which failed{why}; nothing changed."
    return _with_notes(told, notes)


def rule_summary(rule_title: str, event: Event, actor: Actor, verdict: Verdict, notes: Sequence[str]) -> str:
    """The same of an event whose meaning only its rule knows."""
    call = f"{shown(event.name, 64)} of {shown(event.source, 64)}"
    reason = shown(verdict.reason, _REASON_CHARACTERS)
    became = {
        "success": "",
        "denied": f" and was denied{', ' + reason if reason else ''}; nothing changed",
        "failed": f", which failed{' (' + reason + ')' if reason else ''}; nothing changed",
    }[verdict.outcome]
    called = "called" if verdict.outcome == "success" else "tried to call"
    told = f"{described(actor)} {called} {call} in account {_account(event)}{became}."
    return _with_notes(f"{told[:-1]} (rule: {shown(rule_title, 100)}).", notes)


def effect(finding: Finding, verdict: Verdict) -> str:
    """A finding's effect as an alert's change tells it."""
    return finding.effect if verdict.outcome == "success" else f"not done; it would have meant: {finding.effect}"


def _with_notes(told: str, notes: Sequence[str]) -> str:
    """The notes are few and ours, and say that something is amiss: they stay when the rest has to be cut."""
    tail = " ".join(f"{note[0].upper()}{note[1:]}." for note in notes)
    if not tail:
        return shown(told, SUMMARY_CHARACTERS)
    return f"{shown(told, SUMMARY_CHARACTERS - len(tail) - 1)} {tail}"


def _account(event: Event) -> str:
    name = shown(event.account_name, _NAME_CHARACTERS) if event.account_name else ""
    return f"{name} ({_place(event.account_id)})" if name else _place(event.account_id)


def _place(text: str) -> str:
    return shown(text, _PLACE_CHARACTERS) or "unknown"
