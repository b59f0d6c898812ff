"""What watched calls are aimed at: a kind of resource, its names in a record, its ARN in the right partition."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stream.detect.own_path import OwnPath
from stream.detect.targets import partition_of

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
_QUEUE_URL: Final = re.compile(r"https?://[^/]+/(?:queue/)?(?P<account>[0-9]{12})/(?P<name>[^/]+)/?")
_SUBSCRIPTION: Final = re.compile(r"(arn:[^:]*:sns:[^:]*:[^:]*:[^:]+):[^:]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call was recorded: it completes the ARN of what was named without one."""

    region: str
    account: str


Known = Callable[[OwnPath, tuple[str, ...]], bool | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource.

    Attributes:
        type: as CloudFormation calls it.
        noun: what people call it.
        arn: template, with `{p}` the partition, `{r}` the region, `{a}` the account, `{n}` the name.
        known: whether one with these names and ARNs is ours; `None`: nobody knows which ones are. Of a kind without
            it, each is part of what watches over an account: whoever touches one touches that.
        spelt: turns what the record names into a name or ARN of the resource itself.
        by_content: whether parameters that speak of CloudTrail make a target likely to be the trail's.
        alone: the name of the one that an account has in a region, if there is no more than one.
    """

    type: str
    noun: str
    arn: str
    known: Known | None = None
    spelt: Callable[[str], str] | None = None
    by_content: bool = True
    alone: str = ""

    def names(self, named: str, place: Place) -> tuple[str, ...]:
        """The ARN of what was named, and then every name by which somebody may know it."""
        spelt = self.spelt(named) if self.spelt else named
        if spelt.startswith("arn:"):
            arn = spelt
            spelt = re.split(r"[:/]", spelt)[-1] if self is not OBJECT else spelt
        else:
            partition = partition_of(place.region)
            account = place.account
            if self is QUEUE and (found := _QUEUE_URL.fullmatch(named)):
                account, spelt = found["account"], found["name"]
            arn = self.arn.format(p=partition, r=place.region, a=account, n=spelt)
        return tuple(dict.fromkeys((arn, spelt, named)))


def _bucket(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    around = own.around
    for name in names:
        bucket = name.split(":::")[-1].partition("/")[0]
        if bucket and (own.knows(bucket) or around.reads(bucket) or bucket == own.bucket):
            return True
    known = own.bucket or own.log_buckets or any(glob.strip("*") for glob in around.buckets)
    return False if known else None


def _queue(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    return _among(own.around.queues, names)


def _topic(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    topics = own.around.topics + ((own.topic_arn,) if own.topic_arn else ())
    if any(name in topics for name in names):
        return True
    # Who reads a queue knows how its messages come.
    return False if topics or own.around.queues else None


def _key(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    # That some are known does not say that they are all.
    return True if any(name in own.around.keys for name in names) else None


def _role(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    return True if any(name in own.around.roles for name in names) else None


def _table(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    return _among(own.around.tables, names)


def _unknown(own: OwnPath, names: tuple[str, ...]) -> bool | None:
    del own, names
    return None


def _among(known: tuple[str, ...], names: tuple[str, ...]) -> bool | None:
    return any(name in known for name in names) if known else None


def _subscribed(named: str) -> str:
    found = _SUBSCRIPTION.fullmatch(named)
    return found[1] if found else named


BUCKET: Final = Kind("AWS::S3::Bucket", "bucket", "arn:{p}:s3:::{n}", _bucket)
OBJECT: Final = Kind("AWS::S3::Object", "log file", "arn:{p}:s3:::{n}", _bucket)
KEY: Final = Kind("AWS::KMS::Key", "KMS key", "arn:{p}:kms:{r}:{a}:key/{n}", _key)
ALIAS: Final = Kind("AWS::KMS::Alias", "KMS alias", "arn:{p}:kms:{r}:{a}:{n}", _key)
TOPIC: Final = Kind("AWS::SNS::Topic", "SNS topic", "arn:{p}:sns:{r}:{a}:{n}", _topic)
SUBSCRIBED: Final = Kind("AWS::SNS::Topic", "SNS topic", "arn:{p}:sns:{r}:{a}:{n}", _topic, _subscribed)
QUEUE: Final = Kind("AWS::SQS::Queue", "SQS queue", "arn:{p}:sqs:{r}:{a}:{n}", _queue)
RULE: Final = Kind("AWS::Events::Rule", "EventBridge rule", "arn:{p}:events:{r}:{a}:rule/{n}", _unknown)
BUS: Final = Kind("AWS::Events::EventBus", "event bus", "arn:{p}:events:{r}:{a}:event-bus/{n}", _unknown)
LOG_GROUP: Final = Kind("AWS::Logs::LogGroup", "log group", "arn:{p}:logs:{r}:{a}:log-group:{n}", _unknown)
DESTINATION: Final = Kind("AWS::Logs::Destination", "log destination", "arn:{p}:logs:{r}:{a}:destination:{n}", _unknown)
LOG_POLICY: Final = Kind(
    "AWS::Logs::ResourcePolicy", "policy of CloudWatch Logs", "arn:{p}:logs:{r}:{a}:resource-policy:{n}", _unknown
)
ALARM: Final = Kind("AWS::CloudWatch::Alarm", "alarm", "arn:{p}:cloudwatch:{r}:{a}:alarm:{n}", _unknown)
ROLE: Final = Kind("AWS::IAM::Role", "IAM role", "arn:{p}:iam::{a}:role/{n}", _role, by_content=False)
OIDC: Final = Kind(
    "AWS::IAM::OIDCProvider", "OIDC provider", "arn:{p}:iam::{a}:oidc-provider/{n}", _unknown, by_content=False
)
SECRET: Final = Kind(
    "AWS::SecretsManager::Secret", "secret", "arn:{p}:secretsmanager:{r}:{a}:secret:{n}", _unknown, by_content=False
)
TABLE: Final = Kind(
    "AWS::DynamoDB::Table", "DynamoDB table", "arn:{p}:dynamodb:{r}:{a}:table/{n}", _table, by_content=False
)
ENDPOINT: Final = Kind("AWS::EC2::VPCEndpoint", "VPC endpoint", "arn:{p}:ec2:{r}:{a}:vpc-endpoint/{n}", _unknown)
POD_IDENTITY: Final = Kind(
    "AWS::EKS::PodIdentityAssociation", "pod identity", "arn:{p}:eks:{r}:{a}:podidentityassociation/{n}", _unknown
)

TRAIL: Final = Kind("AWS::CloudTrail::Trail", "trail", "arn:{p}:cloudtrail:{r}:{a}:trail/{n}")
STORE: Final = Kind(
    "AWS::CloudTrail::EventDataStore", "event data store", "arn:{p}:cloudtrail:{r}:{a}:eventdatastore/{n}"
)
CHANNEL: Final = Kind("AWS::CloudTrail::Channel", "channel of CloudTrail", "arn:{p}:cloudtrail:{r}:{a}:channel/{n}")
IMPORT: Final = Kind("AWS::CloudTrail::Import", "import of CloudTrail", "arn:{p}:cloudtrail:{r}:{a}:import/{n}")
ACCOUNT: Final = Kind("AWS::Organizations::Account", "account", "arn:{p}:iam::{n}:root")
MEMBERSHIP: Final = Kind("AWS::Organizations::Account", "organisation", "arn:{p}:iam::{a}:root", alone="member")
SERVICE: Final = Kind("AWS::Organizations::Organization", "service", "arn:{p}:organizations::{a}:service/{n}")
POLICY: Final = Kind("AWS::Organizations::Policy", "policy", "arn:{p}:organizations::{a}:policy/{n}")
LANDING_ZONE: Final = Kind(
    "AWS::ControlTower::LandingZone", "landing zone", "arn:{p}:controltower:{r}:{a}:landingzone/{n}"
)
CONTROL: Final = Kind("AWS::ControlTower::EnabledControl", "control", "arn:{p}:controltower:{r}:{a}:enabledcontrol/{n}")
BASELINE: Final = Kind(
    "AWS::ControlTower::EnabledBaseline", "baseline", "arn:{p}:controltower:{r}:{a}:enabledbaseline/{n}"
)
RECORDER: Final = Kind(
    "AWS::Config::ConfigurationRecorder", "recorder of AWS Config", "arn:{p}:config:{r}:{a}:configuration-recorder/{n}"
)
DELIVERY: Final = Kind(
    "AWS::Config::DeliveryChannel", "delivery channel of AWS Config", "arn:{p}:config:{r}:{a}:delivery-channel/{n}"
)
RETENTION: Final = Kind(
    "AWS::Config::RetentionConfiguration",
    "retention of AWS Config",
    "arn:{p}:config:{r}:{a}:retention/{n}",
    alone="default",
)
CONFIG_RULE: Final = Kind("AWS::Config::ConfigRule", "rule of AWS Config", "arn:{p}:config:{r}:{a}:config-rule/{n}")
AGGREGATOR: Final = Kind(
    "AWS::Config::ConfigurationAggregator", "aggregator of AWS Config", "arn:{p}:config:{r}:{a}:config-aggregator/{n}"
)
DETECTOR: Final = Kind("AWS::GuardDuty::Detector", "GuardDuty detector", "arn:{p}:guardduty:{r}:{a}:detector/{n}")
HUB: Final = Kind("AWS::SecurityHub::Hub", "Security Hub", "arn:{p}:securityhub:{r}:{a}:hub/{n}", alone="default")
LAKE: Final = Kind(
    "AWS::SecurityLake::DataLake",
    "data lake of Security Lake",
    "arn:{p}:securitylake:{r}:{a}:data-lake/{n}",
    alone="default",
)
FLOW_LOG: Final = Kind("AWS::EC2::FlowLog", "flow log", "arn:{p}:ec2:{r}:{a}:vpc-flow-log/{n}")
QUERY_LOG: Final = Kind(
    "AWS::Route53Resolver::ResolverQueryLoggingConfig",
    "DNS query log",
    "arn:{p}:route53resolver:{r}:{a}:resolver-query-log-config/{n}",
)
ZONE_LOG: Final = Kind("AWS::Route53::QueryLoggingConfig", "DNS query log", "arn:{p}:route53:::queryloggingconfig/{n}")
CLUSTER: Final = Kind("AWS::EKS::Cluster", "EKS cluster", "arn:{p}:eks:{r}:{a}:cluster/{n}")
WEB_ACL: Final = Kind("AWS::WAFv2::LoggingConfiguration", "web ACL", "arn:{p}:wafv2:{r}:{a}:{n}")
FIREWALL: Final = Kind("AWS::NetworkFirewall::Firewall", "firewall", "arn:{p}:network-firewall:{r}:{a}:firewall/{n}")
ANALYZER: Final = Kind("AWS::AccessAnalyzer::Analyzer", "analyzer", "arn:{p}:access-analyzer:{r}:{a}:analyzer/{n}")
MACIE: Final = Kind("AWS::Macie::Session", "Macie", "arn:{p}:macie2:{r}:{a}:{n}", alone="session")
INSPECTOR: Final = Kind("AWS::InspectorV2::Session", "Inspector", "arn:{p}:inspector2:{r}:{a}:{n}", alone="session")
GRAPH: Final = Kind("AWS::Detective::Graph", "behaviour graph of Detective", "arn:{p}:detective:{r}:{a}:graph:{n}")
REGION: Final = Kind("AWS::Account::Region", "region", "arn:{p}:account::{a}:region/{n}")
SERVICE_ROLE: Final = Kind("AWS::IAM::ServiceLinkedRole", "role", "arn:{p}:iam::{a}:role/{n}")

TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("cloudtrail", "cloud-trail", "trailstream", "controltower"),
    ALARM.type: ("cis-", "cis.", "cisbenchmark"),
    OIDC.type: ("oidc.eks.",),
}
"""Parts of names, in small letters, that make a resource likely to be of the audit trail: by kind, `""` of each."""
