"""What each of the eight CloudTrail changes means: a record in; how grave it is, in plain words, out.

The events, what they mean and how grave they are: CloudTrail's API reference and the ways in which trails have been
blinded. A severity here is that of a call that succeeded; `graded` makes it that of the call that was made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from stream.detect.finding import Finding, shifted, worst, worst_first
from stream.detect.outcome import Verdict
from stream.detect.own_path import OwnPath
from stream.detect.selectors import selector_findings
from stream.detect.targets import Target, target_of
from stream.detect.trail_settings import Call, create_findings, update_findings
from stream.json_value import at, flag, fold, items, shown, text_at
from stream.severity import Severity

CLOUDTRAIL: Final = "cloudtrail.amazonaws.com"
GUARDING_TAGS: Final = ("aws-control-tower*",)
"""Globs of tag keys that policies make conditions of, by default: Control Tower's own."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What a call does, or would have done.

    Attributes:
        operation: the API operation, in AWS's spelling.
        target: what it was aimed at.
        severity: of its success, before anything is known of the caller.
        headline: `CloudTrail logging stopped`.
        attempt: the same as an intention: `stop CloudTrail logging`.
        deed: what the caller did, in the past tense, up to the target: `stopped`.
        intention: the same as an intention: `stop`.
        meaning: what it means, a sentence without a full stop.
        findings: its parameters one by one, the gravest first.
        omitted: CloudTrail left the parameters out of the record, being too large: what they were, nobody knows.
        names_target: headline and attempt have the target's name in them already.
    """

    operation: str
    target: Target
    severity: Severity
    headline: str
    attempt: str
    deed: str
    intention: str
    meaning: str
    findings: tuple[Finding, ...] = ()
    omitted: bool = False
    names_target: bool = False


@dataclass(frozen=True, slots=True)
class _Words:
    """How an operation is told, by whether it weakens the trail or not."""

    headline: str
    attempt: str
    deed: str
    intention: str
    weakening: str = ""


_WORDS: Final[Mapping[str, _Words]] = {
    "StopLogging": _Words("CloudTrail logging stopped", "stop CloudTrail logging", "stopped", "stop"),
    "StartLogging": _Words("CloudTrail logging started", "start CloudTrail logging", "started", "start"),
    "DeleteTrail": _Words("CloudTrail trail deleted", "delete a CloudTrail trail", "deleted", "delete"),
    "CreateTrail": _Words("CloudTrail trail created", "create a CloudTrail trail", "created", "create"),
    "UpdateTrail": _Words(
        "CloudTrail trail changed", "change a CloudTrail trail", "changed", "change", "CloudTrail trail weakened"
    ),
    "PutEventSelectors": _Words(
        "CloudTrail event selection changed",
        "change what CloudTrail records",
        "changed what is recorded by",
        "change what is recorded by",
        "CloudTrail event selection narrowed",
    ),
    "AddTags": _Words("CloudTrail tags added", "add CloudTrail tags", "added tags to", "add tags to"),
    "RemoveTags": _Words("CloudTrail tags removed", "remove CloudTrail tags", "removed tags from", "remove tags from"),
}
_TOLD_BY_PARAMETERS: Final = frozenset({"UpdateTrail", "PutEventSelectors"})
_OPERATIONS: Final[Mapping[str, str]] = {fold(operation): operation for operation in _WORDS}


@dataclass(frozen=True, slots=True)
class _Scene:
    """All that an event's own function may look at."""

    operation: str
    call: Call
    target: Target
    guarding_tags: Sequence[str]
    omitted: bool


def operation_of(record: Mapping[str, Any]) -> str | None:
    """Which of the eight a record is of, in AWS's spelling; `None` if it is of none."""
    if fold(text_at(record, "eventSource") or "") != CLOUDTRAIL:
        return None
    return _OPERATIONS.get(fold(text_at(record, "eventName") or ""))


def impact_of(
    record: Mapping[str, Any],
    operation: str,
    verdict: Verdict,
    *,
    account: str,
    region: str,
    own: OwnPath,
    guarding_tags: Sequence[str] = GUARDING_TAGS,
) -> Impact:
    """Judge a record of one of the eight operations.

    Args:
        record: the record.
        operation: as `operation_of` gives it.
        verdict: what became of the call.
        account: the recipient's, 12 digits; empty if unknown.
        region: where it was recorded; empty if unknown.
        own: what the reader stands on.
        guarding_tags: globs of tag keys that policies make conditions of.
    """
    parameters = at(record, "requestParameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    target = target_of(record, account=account, region=region, around=own.around)
    call = Call(parameters, _response(record, verdict), account, own)
    omitted = flag(parameters.get("omitted")) is True or flag(record.get("omitted")) is True
    severity, meaning, findings = _JUDGES[operation](_Scene(operation, call, target, guarding_tags, omitted))
    findings = worst_first(findings)
    if omitted and operation in _TOLD_BY_PARAMETERS and not _weakens(findings):
        meaning = "what it changed is not known"
    words = _WORDS[operation]
    return Impact(
        operation=operation,
        target=target,
        severity=worst(severity, *(finding.severity for finding in findings)),
        headline=words.weakening if words.weakening and _weakens(findings) else words.headline,
        attempt=words.attempt,
        deed=words.deed,
        intention=words.intention,
        meaning=meaning,
        findings=findings,
        omitted=omitted,
    )


def graded(impact: Impact, verdict: Verdict, *, person: bool, elevated: bool) -> Severity:
    """The severity of the call that was made.

    Args:
        impact: what the call does.
        verdict: what became of it.
        person: the caller is likely a person, or is the root user.
        elevated: the caller is the root user, got the root user's session, or is of another account.
    """
    protected = impact.target.protected
    severity = impact.severity if protected else shifted(impact.severity, -2)
    if verdict.outcome == "denied":
        severity = "medium" if protected or person else "low"
    elif verdict.outcome == "failed":
        severity = "low"
    if elevated:
        severity = shifted(severity, 1)
    if impact.omitted and protected and verdict.outcome == "success":
        severity = worst(severity, "high")
    return severity


def _response(record: Mapping[str, Any], verdict: Verdict) -> Mapping[str, Any] | None:
    response = record.get("responseElements")
    if verdict.outcome != "success" or not isinstance(response, Mapping) or flag(response.get("omitted")):
        return None
    return response


def _weakens(findings: Sequence[Finding]) -> bool:
    return any(finding.severity != "informational" for finding in findings)


_Judged = tuple[Severity, str, Sequence[Finding]]


def _stop(scene: _Scene) -> _Judged:
    if scene.target.stand_in is not None:
        return "critical", f"a secondary trail stopped; trail {scene.target.stand_in} still records this account", ()
    accounts = _recorded(scene.target, "is")
    return "critical", f"recording is now off: API calls in {accounts} are no longer logged by it", ()


def _start(scene: _Scene) -> _Judged:
    del scene
    return "informational", "recording is now on; calls made while it was off, if it was, are not in this trail", ()


def _delete(scene: _Scene) -> _Judged:
    if scene.target.stand_in is not None:
        return "critical", f"one of several trails; trail {scene.target.stand_in} still records this account", ()
    accounts = _recorded(scene.target, "was")
    return "critical", f"files already written remain, but new API calls in {accounts} are not logged by it", ()


def _recorded(target: Target, verb: str) -> str:
    if target.organization:
        return "every account of the organisation"
    return f"this account (in every account, if it {verb} the organisation's trail)"


def _create(scene: _Scene) -> _Judged:
    findings = create_findings(scene.call)
    return "informational", "it records only once StartLogging is called" + _told(findings, before="; "), findings


def _update(scene: _Scene) -> _Judged:
    findings = update_findings(scene.call)
    return "informational", _told(findings) or "none of its settings is known to be weaker than before", findings


def _select(scene: _Scene) -> _Judged:
    findings = selector_findings(scene.call.parameters, scene.call.response, omitted=scene.omitted)
    return "informational", _told(findings) or "nothing is known to be left out", findings


def _told(findings: Sequence[Finding], before: str = "") -> str:
    """The findings that weaken a trail, the gravest first, as one sentence."""
    weakening = [finding.effect for finding in worst_first(findings) if finding.severity != "informational"]
    return before + "; ".join(weakening) if weakening else ""


def _tag(scene: _Scene) -> _Judged:
    adding = scene.operation == "AddTags"
    guarded: Severity = "informational" if not scene.target.protected else "medium" if adding else "high"
    findings = []
    sent = scene.call.parameters.get("tagsList")
    for tag in items(sent) or [None]:
        key = text_at(tag, "key")
        if key is None:
            findings.append(Finding("tagsList", tag, "the tags could not be read and may guard the trail", guarded))
        elif any(fnmatchcase(fold(key), fold(glob)) for glob in scene.guarding_tags):
            effect = (
                f"the tag {shown(key, 64)}, which guards or exempts the trail, has changed"
                if adding
                else f"without the tag {shown(key, 64)}, a Deny that needs it may be lifted: stop or update may follow"
            )
            findings.append(Finding("tagsList", tag, effect, guarded))
        else:
            findings.append(
                Finding("tagsList", tag, f"the label {shown(key, 64)} was {'added' if adding else 'removed'}")
            )
    label = "a label was added" if adding else "a label was removed"
    return "informational", _told(findings) or label, findings


_JUDGES: Final[Mapping[str, Callable[[_Scene], _Judged]]] = {
    "StopLogging": _stop,
    "StartLogging": _start,
    "DeleteTrail": _delete,
    "CreateTrail": _create,
    "UpdateTrail": _update,
    "PutEventSelectors": _select,
    "AddTags": _tag,
    "RemoveTags": _tag,
}
