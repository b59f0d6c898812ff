"""Settings of services that watch over an account: a call's parameters in, findings out."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from stream.detect.finding import Finding
from stream.detect.watch.row import Judge, Scene
from stream.json_value import at, flag, fold, integer_text, items, shown, text_at
from stream.severity import Severity

_TEXT_CHARACTERS: Final = 80
_SECURITY_SERVICES: Final = ("cloudtrail.", "config.", "config-multiaccountsetup.", "guardduty.", "securityhub.")
_WATCHING_SERVICES: Final = (
    *_SECURITY_SERVICES,
    "malware-protection.guardduty.",
    "access-analyzer.",
    "detective.",
    "inspector2.",
    "macie.",
    "securitylake.",
    "controltower.",
    "member.org.stacksets.",
)
_GUARDING_POLICIES: Final = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_UNLOCKING_TASKS: Final = ("S3UnlockBucketPolicy", "SQSUnlockQueuePolicy")
_ACTIONS: Final = ("alarmActions", "okActions", "insufficientDataActions")
_SILENT: Final = "nobody is told any more when it goes off"
_EVERY_TYPE: Final = "ALL_SUPPORTED_RESOURCE_TYPES"
# https://docs.aws.amazon.com/config/latest/developerguide/delete-config-data-with-retention-period.html
_LONGEST_CONFIG_DAYS: Final = 2557
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateEventDataStore.html
_LONGEST_STORE_DAYS: Final = 3653
_LONGEST_FIXED_DAYS: Final = 2557
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_LONGEST_GROUP_DAYS: Final = 3653
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_LONGEST_QUEUE_SECONDS: Final = 1_209_600
_NOTIFICATION_BYTES: Final = 16_384  # one of several files, wrapped by SNS, has room in it
_LONG_DELAY_SECONDS: Final = 60


def event_data_store(scene: Scene) -> Sequence[Finding]:
    """Of UpdateEventDataStore."""
    off: dict[str, tuple[str, Severity]] = {
        "organizationEnabled": ("the organisation's member accounts are no longer collected", "critical"),
        "terminationProtectionEnabled": ("it may now be deleted", "high"),
        "multiRegionEnabled": ("only its own region is collected from now on", "high"),
    }
    findings = []
    for field, (effect, severity) in off.items():
        if (value := scene.parameters.get(field)) is not None and flag(value) is not True:
            findings.append(Finding(field, value, effect, severity))
    if (days := scene.parameters.get("retentionPeriod")) is not None:
        fixed = text_at(scene.response, "billingMode") == "FIXED_RETENTION_PRICING"
        if _is_least(days, _LONGEST_FIXED_DAYS if fixed else _LONGEST_STORE_DAYS):
            findings.append(Finding("retentionPeriod", days, "what it collects is kept for as long as can be"))
        else:
            effect = f"what is older than {shown(days, 16)} days is deleted"
            findings.append(Finding("retentionPeriod", days, effect, "high"))
    if (selectors := scene.parameters.get("advancedEventSelectors")) is not None:
        effect = "what it collects has changed, and may leave out somebody's or some service's calls"
        findings.append(Finding("advancedEventSelectors", selectors, effect, "critical"))
    return findings


def insight_selectors(scene: Scene) -> Sequence[Finding]:
    """Of PutInsightSelectors."""
    chosen = scene.parameters.get("insightSelectors")
    if chosen and isinstance(chosen, list):
        return [Finding("insightSelectors", chosen, "unusual activity is still looked for")]
    return [Finding("insightSelectors", chosen, "unusual activity is no longer looked for", "medium")]


def one_of(field: str, watched: Sequence[str], effect: str, severity: Severity) -> Judge:
    """A judge by the beginning of one parameter: others than these are not watched."""

    def judge(scene: Scene) -> Sequence[Finding] | None:
        value = text_at(scene.parameters, field)
        if value is not None and not fold(value).startswith(tuple(watched)):
            return None
        return [
            Finding(field, value, effect.format(shown(value, _TEXT_CHARACTERS) if value else "a service"), severity)
        ]

    return judge


service_access: Final = one_of(
    "servicePrincipal", _SECURITY_SERVICES, "{} may no longer work for the whole organisation", "critical"
)
delegated_administrator: Final = one_of(
    "servicePrincipal", _WATCHING_SERVICES, "no delegated administrator looks after {} any more", "high"
)


def policy_of_organization(effect: str, severity: Severity) -> Judge:
    """A judge of policies of an organisation, of which those that guard are watched; a type is not always told."""

    def judge(scene: Scene) -> Sequence[Finding] | None:
        kind = text_at(scene.parameters, "policyType") or text_at(scene.response, "policy", "policySummary", "type")
        if kind is not None and kind not in _GUARDING_POLICIES:
            return None
        content = scene.parameters.get("content")
        return [
            Finding(
                "content" if content is not None else "policyId",
                content or scene.parameters.get("policyId"),
                effect,
                severity,
            )
        ]

    return judge


def assume_root(scene: Scene) -> Sequence[Finding] | None:
    """Of AssumeRoot: may the session take away a policy that keeps everybody out?"""
    task = text_at(scene.parameters, "taskPolicyArn", "arn") or text_at(scene.parameters, "taskPolicyArn")
    if task is not None and not any(name in task for name in _UNLOCKING_TASKS):
        return None
    what = "queue" if task and _UNLOCKING_TASKS[1] in task else "bucket"
    effect = f"somebody may delete the policy of any {what} in that account as its root user, whatever it denies"
    return [Finding("taskPolicyArn", task, effect, "critical")]


def recorder(scene: Scene) -> Sequence[Finding]:
    """Of PutConfigurationRecorder."""
    group = at(scene.parameters, "configurationRecorder", "recordingGroup")
    strategy = text_at(group, "recordingStrategy", "useOnly")
    named = at(group, "resourceTypes") or at(group, "exclusionByResourceTypes", "resourceTypes")
    if flag(at(group, "allSupported")) is False or strategy not in (None, _EVERY_TYPE) or named:
        return [Finding("recordingGroup", group, "only some types of resources are recorded", "medium")]
    if text_at(scene.parameters, "configurationRecorder", "recordingMode", "recordingFrequency") == "DAILY":
        return [Finding("recordingMode", "DAILY", "changes are recorded only once a day", "medium")]
    return [Finding("recordingGroup", group, "every supported type of resource is recorded")]


def config_retention(scene: Scene) -> Sequence[Finding]:
    """Of PutRetentionConfiguration."""
    days = scene.parameters.get("retentionPeriodInDays")
    if _is_least(days, _LONGEST_CONFIG_DAYS):
        return [Finding("retentionPeriodInDays", days, "what was recorded is kept for as long as can be")]
    return [Finding("retentionPeriodInDays", days, f"records older than {shown(days, 16)} days are deleted", "medium")]


def log_retention(scene: Scene) -> Sequence[Finding]:
    """Of CloudWatch Logs' PutRetentionPolicy."""
    days = scene.parameters.get("retentionInDays")
    if _is_least(days, _LONGEST_GROUP_DAYS):
        return [Finding("retentionInDays", days, "the live copy is kept for as long as can be set")]
    after = "sooner" if days is None else f"after {shown(days, 16)} days"
    return [Finding("retentionInDays", days, f"the live copy of the trail may be deleted {after}", "high")]


def detector(scene: Scene) -> Sequence[Finding]:
    """Of UpdateDetector."""
    enable = scene.parameters.get("enable")
    if enable is not None and flag(enable) is not True:
        return [Finding("enable", enable, "GuardDuty is off in that region: nobody looks for threats", "critical")]
    off = [
        text_at(each, "name") or "a feature"
        for each in items(scene.parameters.get("features"))
        if text_at(each, "status") == "DISABLED"
    ]
    sources = shown(scene.parameters.get("dataSources"), 2_000)
    if off or '"enable":false' in sources.replace(" ", "") or "enable:false" in sources:
        what = shown(", ".join(off), _TEXT_CHARACTERS) or "some sources"
        return [Finding("features", off or sources, f"GuardDuty no longer looks at {what}", "medium")]
    return []


def organization_detectors(scene: Scene) -> Sequence[Finding]:
    """Of GuardDuty's UpdateOrganizationConfiguration."""
    members = text_at(scene.parameters, "autoEnableOrganizationMembers")
    enable = scene.parameters.get("autoEnable")
    if members == "NONE" or (enable is not None and flag(enable) is not True):
        effect = "GuardDuty is no longer switched on by itself in new member accounts"
        return [Finding("autoEnableOrganizationMembers", members or enable, effect, "high")]
    return []


def archiving(scene: Scene) -> Sequence[Finding]:
    """Of CreateFilter and UpdateFilter."""
    action = text_at(scene.parameters, "action")
    if action == "ARCHIVE":
        return [Finding("action", action, "findings that match it are put away before anybody sees them", "medium")]
    return []


def cluster_logging(scene: Scene) -> Sequence[Finding]:
    """Of EKS's UpdateClusterConfig."""
    groups = [
        each for each in items(at(scene.parameters, "logging", "clusterLogging")) if flag(at(each, "enabled")) is False
    ]
    off = [str(kind) for each in groups for kind in items(at(each, "types"))]
    if off:
        return [
            Finding("logging", off, f"the cluster no longer logs {shown(', '.join(off), _TEXT_CHARACTERS)}", "medium")
        ]
    return []


def firewall_logging(scene: Scene) -> Sequence[Finding]:
    """Of Network Firewall's UpdateLoggingConfiguration, which takes or adds one destination at a time."""
    left = items(at(scene.parameters, "loggingConfiguration", "logDestinationConfigs"))
    if left:
        return [Finding("loggingConfiguration", left, "the firewall's log goes to other places than before", "medium")]
    return [Finding("loggingConfiguration", left, "the firewall no longer logs", "medium")]


def attribute(watched: dict[str, tuple[str, Severity, str]], check: Callable[[str, Any], bool] | None = None) -> Judge:
    """A judge of one attribute named in `attributeName`: its effect, severity, and a milder effect if `check` holds."""

    def judge(scene: Scene) -> Sequence[Finding]:
        name = text_at(scene.parameters, "attributeName") or ""
        value = scene.parameters.get("attributeValue")
        if name not in watched:
            return [Finding(name or "attributeName", value, f"{shown(name, 40) or 'an attribute'} was set")]
        effect, severity, harmless = watched[name]
        if check is not None and check(name, value):
            return [Finding(name, value, harmless)]
        return [Finding(name, value, effect, severity)]

    return judge


subscription: Final = attribute(
    {
        "FilterPolicy": ("only some of the messages still reach the queue", "high", "every message reaches the queue"),
        "FilterPolicyScope": ("other messages than before reach the queue", "high", ""),
        "RawMessageDelivery": ("messages come in another form than before", "high", ""),
    },
    lambda name, value: name == "FilterPolicy" and value in (None, "", "{}"),
)
topic: Final = attribute(
    {
        "Policy": ("whoever announces new log files may no longer be allowed to", "critical", ""),
        "KmsMasterKeyId": ("whoever announces new log files may not be allowed to use its key", "high", ""),
    }
)


def queue(scene: Scene) -> Sequence[Finding]:
    """Of SQS's SetQueueAttributes."""
    watched: dict[str, tuple[str, Severity]] = {
        "Policy": ("whoever announces new log files may no longer be allowed to send", "critical"),
        "MessageRetentionPeriod": ("messages that wait longer than {} seconds are lost", "high"),
        "RedrivePolicy": ("messages that fail may be lost instead of kept in the dead-letter queue", "high"),
        "KmsMasterKeyId": ("whoever announces new log files may not be allowed to use its key", "high"),
        "MaximumMessageSize": ("messages larger than {} bytes are refused, which may be all of them", "high"),
        "DelaySeconds": ("new log files are heard of {} seconds later", "medium"),
    }
    attributes = scene.parameters.get("attributes")
    if not isinstance(attributes, dict):
        effect = "what was set could not be read: messages may no longer arrive, or be lost"
        return [Finding("attributes", attributes, effect, "critical")]
    findings = []
    for name, value in attributes.items():
        if name in watched and not _is_harmless(name, value):
            effect, severity = watched[name]
            findings.append(Finding(name, value, effect.format(shown(value, 16)), severity))
        else:
            findings.append(Finding(name, value, f"{shown(name, 40)} was set"))
    return findings


def _is_harmless(name: str, value: Any) -> bool:
    """Whether a queue's attribute is set to what loses no message and keeps none waiting."""
    if name == "DelaySeconds":
        seconds = _number(value)
        return seconds is not None and seconds < _LONG_DELAY_SECONDS
    least = {"MessageRetentionPeriod": _LONGEST_QUEUE_SECONDS, "MaximumMessageSize": _NOTIFICATION_BYTES}
    return name in least and _is_least(value, least[name])


def rule(scene: Scene) -> Sequence[Finding]:
    """Of EventBridge's PutRule."""
    if fold(text_at(scene.parameters, "state") or "") == "disabled":
        return [Finding("state", "DISABLED", "its events are no longer passed on", "high")]
    pattern = scene.parameters.get("eventPattern")
    return [Finding("eventPattern", pattern, "which events are passed on may have changed", "high")]


def alarm(scene: Scene) -> Sequence[Finding]:
    """Of PutMetricAlarm."""
    enabled = scene.parameters.get("actionsEnabled")
    if enabled is not None and flag(enabled) is not True:
        return [Finding("actionsEnabled", enabled, _SILENT, "medium")]
    actions = [scene.parameters.get(name) for name in _ACTIONS]
    # The call replaces the whole alarm. One that names no list at all is most likely a part of a composite alarm.
    if any(each is not None for each in actions) and not any(map(items, actions)):
        return [Finding("alarmActions", actions[0], _SILENT, "medium")]
    return []


def service_linked_role(scene: Scene) -> Sequence[Finding] | None:
    """Of DeleteServiceLinkedRole: CloudTrail's own."""
    name = text_at(scene.parameters, "roleName")
    if name is not None and "cloudtrail" not in fold(name):
        return None
    return [Finding("roleName", name, "CloudTrail can no longer work for the organisation", "high")]


def _number(value: Any) -> int | None:
    """A whole number, also one spelt as text, as SQS takes them; `None` for anything else."""
    text = value.strip() if isinstance(value, str) else integer_text(value)
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None


def _is_least(value: Any, least: int) -> bool:
    number = _number(value)
    return number is not None and number >= least
