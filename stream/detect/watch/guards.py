"""The watch list of what else watches over accounts: the organisation, Control Tower, Config, GuardDuty and others.

https://docs.aws.amazon.com/organizations/latest/userguide/services-that-can-integrate-cloudtrail.html
https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Operations.html
"""

from typing import Final

from stream.detect.watch import kinds, settings
from stream.detect.watch.kinds import Kind
from stream.detect.watch.row import Judge, Row, Rows
from stream.severity import Severity


def _members(verb: str) -> Row:
    return Row(kinds.DETECTOR, ("detectorId",), verb, "high", "GuardDuty's findings of those accounts no longer arrive")


_LEAVING: Final = Row(
    kinds.DETECTOR,
    ("detectorId",),
    "leave the administrator of",
    "high",
    "the organisation's security team no longer sees this account's findings",
)


def _policy(verb: str, effect: str, severity: Severity = "high") -> Row:
    judge = settings.policy_of_organization(effect, severity)
    return Row(kinds.POLICY, ("policyId", "policyType"), verb, severity, effect, judge)


def _account(verb: str, severity: Severity, meaning: str) -> Row:
    return Row(kinds.ACCOUNT, ("accountId",), verb, severity, meaning)


def _config(kind: Kind, path: str, verb: str, severity: Severity, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kind, (path,), verb, severity, meaning, judge)


def _lake(verb: str, meaning: str) -> Row:
    return Row(kinds.LAKE, (), verb, "high", meaning)


def _hub(verb: str, severity: Severity, meaning: str, *paths: str) -> Row:
    return Row(kinds.HUB, paths, verb, severity, meaning)


_NOT_RECORDED: Final = "changes to resources are no longer recorded"

GUARDS: Final[Rows] = {
    "iam": {
        "DeleteServiceLinkedRole": Row(
            kinds.SERVICE_ROLE,
            ("roleName",),
            "delete",
            "high",
            "CloudTrail can no longer work for the organisation",
            settings.service_linked_role,
        )
    },
    "organizations": {
        "DisableAWSServiceAccess": Row(
            kinds.SERVICE,
            ("servicePrincipal",),
            "cut the organisation off from",
            "critical",
            "it may no longer work for the whole organisation",
            settings.service_access,
        ),
        "DeregisterDelegatedAdministrator": Row(
            kinds.ACCOUNT,
            ("accountId",),
            "remove the delegated administration from",
            "high",
            "nobody looks after a security service any more",
            settings.delegated_administrator,
        ),
        "AttachPolicy": _policy("attach", "what accounts may do has changed, for good or ill"),
        "DetachPolicy": _policy("detach", "what it kept accounts from doing may now be done"),
        "UpdatePolicy": _policy("change", "what it kept accounts from doing may now be done"),
        "DeletePolicy": _policy("delete", "what it kept accounts from doing may now be done"),
        "DisablePolicyType": _policy("disable", "no policy of that type guards the organisation any more", "critical"),
        "MoveAccount": _account("move", "high", "other policies than before guard it, if any"),
        "RemoveAccountFromOrganization": _account(
            "remove", "critical", "neither the organisation's trail nor its policies reach it any more"
        ),
        "LeaveOrganization": Row(
            kinds.MEMBERSHIP,
            (),
            "leave the",
            "critical",
            "neither its trail nor its policies reach this account any more",
        ),
        "CloseAccount": _account("close", "critical", "it is suspended, and what it recorded will be lost"),
    },
    "sts": {
        "AssumeRoot": Row(
            kinds.ACCOUNT,
            ("targetPrincipal",),
            "take the root user's session of",
            "critical",
            "policies that protect buckets or queues may be deleted",
            settings.assume_root,
        )
    },
    "controltower": {
        "UpdateLandingZone": Row(
            kinds.LANDING_ZONE,
            ("landingZoneIdentifier",),
            "change",
            "high",
            "where its trail logs, and whether, may have changed",
        ),
        "DeleteLandingZone": Row(
            kinds.LANDING_ZONE,
            ("landingZoneIdentifier",),
            "delete",
            "critical",
            "its trail and its controls go with it",
        ),
        "ResetLandingZone": Row(
            kinds.LANDING_ZONE, ("landingZoneIdentifier",), "reset", "medium", "it is as it was first set up"
        ),
        "DisableControl": Row(
            kinds.CONTROL,
            ("enabledControlIdentifier", "controlIdentifier"),
            "disable",
            "high",
            "what it forbade or looked for is no longer guarded",
        ),
        "DisableBaseline": Row(
            kinds.BASELINE,
            ("enabledBaselineIdentifier",),
            "disable",
            "high",
            "accounts it was applied to are no longer governed",
        ),
    },
    "config": {
        "StopConfigurationRecorder": _config(
            kinds.RECORDER, "configurationRecorderName", "stop", "high", _NOT_RECORDED
        ),
        "DeleteConfigurationRecorder": _config(
            kinds.RECORDER, "configurationRecorderName", "delete", "high", _NOT_RECORDED
        ),
        "DeleteDeliveryChannel": _config(
            kinds.DELIVERY, "deliveryChannelName", "delete", "high", "what is recorded no longer goes anywhere"
        ),
        "PutConfigurationRecorder": _config(
            kinds.RECORDER,
            "configurationRecorder.name",
            "change",
            "medium",
            "fewer changes to resources may be recorded",
            settings.recorder,
        ),
        "PutDeliveryChannel": _config(
            kinds.DELIVERY, "deliveryChannel.name", "change", "medium", "what is recorded goes to another place"
        ),
        "PutRetentionConfiguration": Row(
            kinds.RETENTION,
            (),
            "change the",
            "medium",
            "records may be deleted sooner",
            settings.config_retention,
        ),
        "DeleteConfigRule": _config(
            kinds.CONFIG_RULE, "configRuleName", "delete", "medium", "what it looked for is no longer looked for"
        ),
        "DeleteConfigurationAggregator": _config(
            kinds.AGGREGATOR,
            "configurationAggregatorName",
            "delete",
            "medium",
            "nobody sees the accounts it gathered in one place",
        ),
    },
    "guardduty": {
        "DeleteDetector": Row(
            kinds.DETECTOR, ("detectorId",), "delete", "critical", "nobody looks for threats in that region any more"
        ),
        "UpdateDetector": Row(
            kinds.DETECTOR, ("detectorId",), "change", "critical", "it may be off", settings.detector
        ),
        "StopMonitoringMembers": _members("stop watching members of"),
        "DisassociateMembers": _members("cut members off from"),
        "DeleteMembers": _members("delete members of"),
        "DisassociateFromAdministratorAccount": _LEAVING,
        "DisassociateFromMasterAccount": _LEAVING,
        "UpdateOrganizationConfiguration": Row(
            kinds.DETECTOR,
            ("detectorId",),
            "change the organisation's settings of",
            "high",
            "new member accounts may not be watched",
            settings.organization_detectors,
        ),
        "DisableOrganizationAdminAccount": Row(
            kinds.ACCOUNT,
            ("adminAccountId",),
            "remove the administration of GuardDuty from",
            "high",
            "nobody looks after GuardDuty in the organisation any more",
        ),
        "DeletePublishingDestination": Row(
            kinds.DETECTOR, ("detectorId",), "cut the export of", "medium", "its findings are no longer kept elsewhere"
        ),
        "CreateFilter": Row(
            kinds.DETECTOR, ("detectorId",), "add a filter to", "medium", "findings may be hidden", settings.archiving
        ),
        "UpdateFilter": Row(
            kinds.DETECTOR,
            ("detectorId",),
            "change a filter of",
            "medium",
            "findings may be hidden",
            settings.archiving,
        ),
        "CreateIPSet": Row(
            kinds.DETECTOR,
            ("detectorId",),
            "add trusted addresses to",
            "medium",
            "what those addresses do is no longer looked at",
        ),
        "UpdateIPSet": Row(
            kinds.DETECTOR,
            ("detectorId",),
            "change the trusted addresses of",
            "medium",
            "what those addresses do is no longer looked at",
        ),
    },
    "securityhub": {
        "DisableSecurityHub": _hub("disable", "high", "findings of every service are no longer gathered"),
        "DisassociateMembers": _hub("cut members off from", "high", "findings of those accounts no longer arrive"),
        "DisableOrganizationAdminAccount": Row(
            kinds.ACCOUNT,
            ("adminAccountId",),
            "remove the administration of Security Hub from",
            "high",
            "nobody looks after Security Hub in the organisation any more",
        ),
        "BatchDisableStandards": _hub("disable standards of", "medium", "what they ask for is no longer checked"),
        "DisableImportFindingsForProduct": _hub(
            "disable an import into", "medium", "findings of that product no longer arrive"
        ),
        "DeleteFindingAggregator": _hub(
            "stop the gathering of findings by",
            "medium",
            "findings of other regions no longer arrive",
            "findingAggregatorArn",
        ),
        "CreateAutomationRule": _hub("add an automation rule to", "medium", "findings that match it may be put away"),
    },
    "securitylake": {
        "DeleteDataLake": _lake("delete", "logs are no longer gathered there"),
        "DeleteAwsLogSource": _lake("remove a source from", "logs of that source are no longer gathered"),
        "DeleteSubscriber": _lake("remove a subscriber from", "whoever read those logs gets no more of them"),
        "DeleteDataLakeOrganizationConfiguration": _lake(
            "change the organisation's settings of", "logs of new member accounts are no longer gathered"
        ),
    },
    "ec2": {
        "DeleteFlowLogs": Row(
            kinds.FLOW_LOG,
            ("DeleteFlowLogsRequest.FlowLogId", "flowLogIds"),
            "delete",
            "high",
            "network traffic is no longer recorded by it",
        )
    },
    "route53resolver": {
        "DeleteResolverQueryLogConfig": Row(
            kinds.QUERY_LOG, ("resolverQueryLogConfigId",), "delete", "high", "DNS queries are no longer recorded"
        ),
        "DisassociateResolverQueryLogConfig": Row(
            kinds.QUERY_LOG,
            ("resolverQueryLogConfigId",),
            "cut a network off from",
            "high",
            "DNS queries from that network are no longer recorded",
        ),
    },
    "route53": {
        "DeleteQueryLoggingConfig": Row(
            kinds.ZONE_LOG, ("id",), "delete", "medium", "queries for that zone are no longer recorded"
        )
    },
    "eks": {
        "UpdateClusterConfig": Row(
            kinds.CLUSTER, ("name",), "change", "medium", "it may log less", settings.cluster_logging
        )
    },
    "wafv2": {
        "DeleteLoggingConfiguration": Row(
            kinds.WEB_ACL, ("resourceArn",), "stop the log of", "medium", "requests are no longer recorded"
        )
    },
    "network-firewall": {
        "UpdateLoggingConfiguration": Row(
            kinds.FIREWALL,
            ("firewallArn", "firewallName"),
            "change the log of",
            "medium",
            "traffic may no longer be recorded",
            settings.firewall_logging,
        )
    },
    "access-analyzer": {
        "DeleteAnalyzer": Row(
            kinds.ANALYZER, ("analyzerName",), "delete", "medium", "access from outside is no longer looked for"
        ),
        "CreateArchiveRule": Row(
            kinds.ANALYZER, ("analyzerName",), "add an archive rule to", "medium", "findings that match it are put away"
        ),
    },
    "macie2": {"DisableMacie": Row(kinds.MACIE, (), "disable", "medium", "sensitive data is no longer looked for")},
    "inspector2": {
        "Disable": Row(kinds.INSPECTOR, (), "disable", "medium", "vulnerabilities are no longer looked for")
    },
    "detective": {
        "DeleteGraph": Row(
            kinds.GRAPH, ("graphArn",), "delete", "medium", "what was gathered for investigations is lost"
        )
    },
    "account": {
        "EnableRegion": Row(
            kinds.REGION,
            ("regionName",),
            "enable",
            "medium",
            "work may go on in a region where nobody looks; a trail of one region does not see it",
        ),
        "DisableRegion": Row(
            kinds.REGION, ("regionName",), "disable", "low", "resources there go on, but can't be reached"
        ),
    },
}
