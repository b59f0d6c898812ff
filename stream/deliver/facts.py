"""What every message to people says below its first lines, in one order and in the same words: labels and values."""

from collections.abc import Iterator, Mapping
from typing import Final

from stream.alert import Actor, Alert
from stream.deliver.words import Lengths, Style
from stream.notice import is_notice
from stream.severity import Severity

MARKS: Final[Mapping[Severity, str]] = {
    "critical": "🔴",
    "high": "🟠",
    "medium": "🟡",
    "low": "🔵",
    "informational": "⚪",
}
"""A sign for each severity, where there are colours."""

_MAX_NAME: Final = 300  # of what AWS lets have 64 characters
_MFA: Final = {True: "with MFA", False: "without MFA", None: ""}

Fact = tuple[str, list[str]]
"""A label, and its lines, inert in the format they were made for."""


def details(alert: Alert, style: Style, lengths: Lengths) -> Iterator[Fact]:
    """When, who and with what, and what was aimed at: eight at most."""
    event, actor = alert.event, alert.actor

    def code(text: str) -> str:
        return style.code(text, lengths.ids)

    yield "When", [code(event.time)]
    if not is_notice(alert):
        yield "Who", [_who(actor, style, min(lengths.ids, _MAX_NAME))]
    if actor.arn:
        yield "Identity", [code(actor.arn)]
    if actor.access_key_id:
        yield "Access key", [code(actor.access_key_id)]
    if not is_notice(alert):
        yield "Via", [actor.via + (f", {code(actor.invoked_by)}" if actor.invoked_by else "")]
    if actor.user_agent:
        yield "User agent", [style.code(actor.user_agent, lengths.free)]
    if event.error_code or event.error_message:
        shown = [code(event.error_code)] if event.error_code else []
        yield "Error", [" ".join([*shown, style.prose(event.error_message or "", lengths.free)]).strip()]
    if alert.resources:
        targets = [code(resource.arn) for resource in alert.resources[: lengths.items]]
        yield "Target", [*targets, *more(len(alert.resources) - len(targets))]


def origin(alert: Alert, style: Style, lengths: Lengths) -> Iterator[Fact]:
    """Where all this was found: five at most."""
    yield "Rule", [f"{style.code(alert.rule.id, lengths.ids)} {style.prose(alert.rule.title, lengths.free)}".strip()]
    if alert.log_file is not None:
        yield "Log file", [style.code(f"s3://{alert.log_file.bucket}/{alert.log_file.key}", lengths.ids)]
    elif not is_notice(alert):
        yield "Log file", ["none: the event was brought by EventBridge"]
    yield "Event", [style.code(alert.event.id, lengths.ids)]
    yield "Alert", [style.code(alert.id, lengths.ids)]
    calls = (alert.context or {}).get("calls")
    if isinstance(calls, Mapping) and calls:
        first = [*calls.items()][: lengths.items]
        shown = ", ".join(f"{style.code(str(name), 60)} x {style.prose(str(count), 20)}" for name, count in first)
        rest = f" and {len(calls) - len(first)} more" if len(calls) > len(first) else ""
        scope = style.prose(str((alert.context or {}).get("scope") or "this log file"), 60)
        yield f"By the same principal in {scope}", [shown + rest]


def links(alert: Alert) -> Iterator[tuple[str, str]]:
    """Where to look next: an address, which may be none that a browser opens, and what to call it."""
    for url, label in ((alert.links.console, "Open in the CloudTrail console"), (alert.links.runbook, "Runbook")):
        if url is not None:
            yield url, label


def questions(alert: Alert) -> Iterator[Fact]:
    """What to ask next, to be copied: made of ids that were checked, so that nothing in it has to be made inert."""
    if alert.links.lookup_events is not None:
        yield "What else it did, by the AWS CLI", [alert.links.lookup_events]
    if alert.links.athena is not None:
        yield "By Athena", [alert.links.athena]


def more(hidden: int) -> list[str]:
    """A line that counts what is left out of a list, if anything is."""
    return [f"… and {hidden} more"] if hidden > 0 else []


def _who(actor: Actor, style: Style, limit: int) -> str:
    parts = (
        style.prose(actor.type, 100),
        f"session {style.code(actor.session_name, limit)}" if actor.session_name else "",
        f"source identity {style.code(actor.source_identity, limit)}" if actor.source_identity else "",
        f"of account {style.code(actor.account_id, limit)}" if actor.account_id else "",
        _MFA[actor.mfa],
    )
    return ", ".join(part for part in parts if part)
