"""The templates: what they say in each variant, and what linters say of them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from moto.sns.utils import FilterPolicyMatcher

from stream.demo.emulator import ACCOUNT_ID
from stream.detect.rules import pack_text
from stream.ledger.table import KEY, TTL_ATTRIBUTE
from tests.deploy.template import ACCOUNT, REGION, Template
from tests.test_end_to_end import FOLDER

ROOT: Final = Path(__file__).parents[2]
FOLDER_OF_TEMPLATES: Final = ROOT / "deploy/cloudformation"
TEMPLATE: Final = Template(FOLDER_OF_TEMPLATES / "trailstream.yaml")
ORGANIZATION: Final = Template(FOLDER_OF_TEMPLATES / "organization.yaml")
LOGS: Final = "arn:aws:s3:::one,arn:aws:s3:::two"
TOPIC: Final = f"arn:aws:sns:eu-west-1:{ACCOUNT_ID}:logs"
SOURCES: Final[dict[str, dict[str, str]]] = {
    "a new bucket": {"LogSource": "new-bucket"},
    "a topic": {"LogSource": "sns-topic", "LogTopicArn": TOPIC, "LogBucketArns": LOGS, "LogAccount": ACCOUNT_ID},
    "EventBridge": {"LogSource": "eventbridge", "LogBucketArns": LOGS},
    "EventBridge, and records themselves": {
        "LogSource": "eventbridge",
        "LogBucketArns": LOGS,
        "InlineEvents": "true",
        "OrganizationId": "o-abcdefghij",
    },
    "nothing, with buckets that notify": {"LogSource": "none", "LogBucketArns": LOGS, "LogAccount": ACCOUNT_ID},
    "nothing at all": {"LogSource": "none"},
}
SENDERS: Final = {
    "a new bucket": {"s3.amazonaws.com": (ACCOUNT, [f"arn:aws:s3:::trailstream-logs-{ACCOUNT}-{REGION}"])},
    "a topic": {"sns.amazonaws.com": (ACCOUNT_ID, [TOPIC])},
    "EventBridge": {"events.amazonaws.com": (ACCOUNT, [rule := f"arn:aws:events:{REGION}:{ACCOUNT}:rule/trailstream"])},
    "EventBridge, and records themselves": {"events.amazonaws.com": (ACCOUNT, [rule])},
    "nothing, with buckets that notify": {"s3.amazonaws.com": (ACCOUNT_ID, LOGS.split(","))},
    "nothing at all": {},
}
"""Whose service may send, for which account and from which resources (or from what begins so)."""


def statements(resource: dict[str, Any], document: str = "PolicyDocument") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resource["Properties"][document]["Statement"]
    return found


def texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def senders(allowed: list[dict[str, Any]]) -> dict[str, tuple[str, list[str]]]:
    """By service: for which account, from which resources; each has to name both."""
    return {
        statement["Principal"]["Service"]: (
            statement["Condition"]["StringEquals"]["aws:SourceAccount"],
            texts(statement["Condition"]["ArnLike"]["aws:SourceArn"]),
        )
        for statement in allowed
        if "Service" in statement["Principal"]
    }


@pytest.mark.parametrize("source", SOURCES)
def test_only_the_ways_in_that_are_asked_for_may_send_and_use_the_key(source: str) -> None:
    made = TEMPLATE.resources(**SOURCES[source])
    _deny, *allowed = statements(made["QueuePolicy"])
    assert all(each["Action"] == "sqs:SendMessage" for each in allowed)
    root, *with_key = statements(made["Key"], "KeyPolicy")
    assert root["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert all(each["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"] for each in with_key)

    found = senders(allowed)
    assert found == senders(with_key)
    assert found.keys() == SENDERS[source].keys()
    for service, (account, beginnings) in SENDERS[source].items():
        assert found[service][0] == account
        assert all(any(arn.startswith(each) for each in beginnings) for arn in found[service][1])


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_goes_over_plain_http(source: str) -> None:
    made = TEMPLATE.resources(**SOURCES[source])
    policies = [
        name for name, each in made.items() if each["Type"] in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy")
    ]
    assert len(policies) == 2 + ("Bucket" in made)
    for name in policies:
        deny = statements(made[name])[0]
        assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
        assert deny["Action"] in ("sqs:*", "s3:*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("source", SOURCES)
def test_each_rule_is_among_those_that_may_send(source: str) -> None:
    made = TEMPLATE.resources(**SOURCES[source])
    rules = [each["Properties"] for each in made.values() if each["Type"] == "AWS::Events::Rule"]
    allowed = senders(statements(made["QueuePolicy"])[1:]).get("events.amazonaws.com", ("", []))[1]
    assert bool(rules) == ("EventBridge" in source)
    for rule in rules:
        bus = f"{rule['EventBusName']}/" if "EventBusName" in rule else ""
        arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}{rule['Name']}"
        assert any(arn.startswith(each.removesuffix("*")) for each in allowed)


def test_the_queue_keeps_what_fails_for_as_long_as_sqs_can() -> None:
    made = TEMPLATE.resources(LogSource="none")
    queue, dead_letters = made["Queue"]["Properties"], made["DeadLetterQueue"]["Properties"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:trailstream"
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": f"{arn}-dead-letters", "maxReceiveCount": 10}
    assert dead_letters["RedriveAllowPolicy"] == {"redrivePermission": "byQueue", "sourceQueueArns": [arn]}
    for each in (queue, dead_letters):
        assert each["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert each["KmsMasterKeyId"].startswith("arn:aws:kms:")
    assert all(made[name]["DeletionPolicy"] == "Retain" for name in ("Key", "Queue", "DeadLetterQueue", "LedgerTable"))


def test_the_ledger_is_as_the_program_wants_it() -> None:
    table = TEMPLATE.resources(LogSource="none")["LedgerTable"]["Properties"]
    assert table["KeySchema"] == [{"AttributeName": KEY, "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": KEY, "AttributeType": "S"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert "LedgerTable" not in TEMPLATE.resources(LogSource="none", Ledger="false")


def test_three_alarms_need_nothing_of_the_cluster() -> None:
    made = TEMPLATE.resources(LogSource="none", AlarmTopicArn=TOPIC)
    alarms = {name: each["Properties"] for name, each in made.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    assert len(alarms) == 3
    for alarm in alarms.values():
        assert alarm["Namespace"] == "AWS/SQS"
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    watched = {name: each["Dimensions"][0]["Value"] for name, each in alarms.items()}
    assert watched == {
        "DeadLettersAlarm": "trailstream-dead-letters",
        "OldestMessageAlarm": "trailstream",
        "NothingSentAlarm": "trailstream",
    }
    silent = alarms["NothingSentAlarm"]
    assert silent["Period"] * silent["EvaluationPeriods"] == 3600
    assert silent["TreatMissingData"] == "breaching"  # a queue that nothing is sent to has no metric at all
    assert "AlarmActions" not in TEMPLATE.resources(LogSource="none")["NothingSentAlarm"]["Properties"]


def trust(role: dict[str, Any]) -> dict[str, Any]:
    document = role["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    return dict(statement)


def test_only_the_pods_meant_get_a_role() -> None:
    made = TEMPLATE.resources(LogSource="none", Identity="pod-identity", ClusterName="main", Namespace="watch")
    by_pods = trust(made["WorkerRole"])
    assert by_pods["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert by_pods["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert by_pods["Condition"]["StringEquals"] == {
        "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/main",
        "aws:RequestTag/kubernetes-namespace": "watch",
        "aws:RequestTag/kubernetes-service-account": "trailstream",
    }
    assert made["WorkerAssociation"]["Properties"]["Namespace"] == "watch"
    keda = trust(made["ScalerRole"])["Condition"]["StringEquals"]
    assert keda["aws:RequestTag/kubernetes-service-account"] == "keda-operator"

    issuer = f"oidc.eks.{REGION}.amazonaws.com/id/ABC"
    made = TEMPLATE.resources(LogSource="none", Identity="irsa", OidcProvider=issuer)
    by_token = trust(made["WorkerRole"])
    assert by_token["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}
    assert by_token["Condition"]["StringEquals"] == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": "system:serviceaccount:trailstream:trailstream",
    }
    sub = trust(made["ScalerRole"])["Condition"]["StringEquals"][f"{issuer}:sub"]
    assert sub == "system:serviceaccount:keda:keda-operator"
    assert "WorkerAssociation" not in made

    keda_role = f"arn:aws:iam::{ACCOUNT}:role/keda"
    made = TEMPLATE.resources(
        LogSource="none", KedaOperatorRoleArn=keda_role, OperatorPrincipals=f"{keda_role}2,{keda_role}3"
    )
    assert trust(made["ScalerRole"])["Principal"] == {"AWS": keda_role}
    assert trust(made["OperatorRole"])["Principal"] == {"AWS": [f"{keda_role}2", f"{keda_role}3"]}
    assert "WorkerRole" not in made


def allowed(made: dict[str, dict[str, Any]], role: str) -> set[str]:
    arns = {
        f"arn:aws:iam::{ACCOUNT}:policy/{each['Properties']['ManagedPolicyName']}": each
        for each in made.values()
        if each["Type"] == "AWS::IAM::ManagedPolicy"
    }
    attached = [arns[arn] for arn in made[role]["Properties"]["ManagedPolicyArns"]]
    return {action for policy in attached for each in statements(policy) for action in texts(each["Action"])}


def test_worker_scaler_and_operator_are_apart() -> None:
    roles = {"Identity": "pod-identity", "ClusterName": "main", "OperatorPrincipals": f"arn:aws:iam::{ACCOUNT}:role/a"}
    made = TEMPLATE.resources(LogSource="new-bucket", **roles)
    worker, scaler, operator = (allowed(made, f"{name}Role") for name in ("Worker", "Scaler", "Operator"))
    assert scaler == {"sqs:GetQueueAttributes"}
    assert not worker & {"sqs:SendMessage", "sqs:PurgeQueue", "sqs:StartMessageMoveTask", "kms:GenerateDataKey"}
    assert operator >= {"sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks", "sqs:SendMessage"}
    assert not {each for each in operator if each.startswith("dynamodb:")}
    assert not {
        each for each in worker | operator if each.endswith("*") or each.startswith(("iam:", "s3:Put", "s3:Delete"))
    }


def test_digests_are_for_operators_and_for_workers_only_if_asked_for() -> None:
    roles = {"Identity": "pod-identity", "ClusterName": "main", "OperatorPrincipals": f"arn:aws:iam::{ACCOUNT}:role/a"}
    made = TEMPLATE.resources(LogSource="new-bucket", **roles)
    assert "cloudtrail:ListPublicKeys" in allowed(made, "OperatorRole")
    assert "cloudtrail:ListPublicKeys" not in allowed(made, "WorkerRole")
    asked_for = TEMPLATE.resources(LogSource="new-bucket", Digests="true", **roles)
    assert allowed(asked_for, "WorkerRole") - allowed(made, "WorkerRole") == {"cloudtrail:ListPublicKeys"}
    read = statements(made["LogReaderPolicy"])[0]["Resource"]
    assert all(arn.endswith(("/*AWSLogs/*/CloudTrail/*", "/*AWSLogs/*/CloudTrail-NetworkActivity/*")) for arn in read)
    (digests,) = texts(statements(made["DigestPolicy"])[0]["Resource"])
    assert digests.endswith("/*AWSLogs/*/CloudTrail-Digest/*")


def test_every_log_bucket_and_key_of_a_list_may_be_read() -> None:
    keys = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/a,arn:aws:kms:{REGION}:{ACCOUNT}:key/b"
    made = TEMPLATE.resources(LogSource="eventbridge", LogBucketArns=LOGS, LogKeyArns=keys)
    files, buckets, decrypt = statements(made["LogReaderPolicy"])
    assert buckets["Resource"] == LOGS.split(",")
    assert sorted(files["Resource"]) == sorted(
        f"{bucket}/*AWSLogs/*/{kind}/*"
        for bucket in LOGS.split(",")
        for kind in ("CloudTrail", "CloudTrail-NetworkActivity")
    )
    assert decrypt["Resource"] == keys.split(",")
    assert made["LogFilesRule"]["Properties"]["EventPattern"]["resources"] == LOGS.split(",")


def test_members_of_an_organization_pass_on_what_the_packs_ask_for() -> None:
    made = TEMPLATE.resources(**SOURCES["EventBridge, and records themselves"])
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/trailstream"
    member = ORGANIZATION.resources(CentralBusArn=bus)
    pattern = made["InlineEventsRule"]["Properties"]["EventPattern"]
    assert made["OrganizationEventsRule"]["Properties"]["EventPattern"] == pattern
    assert member["ForwardRule"]["Properties"]["EventPattern"] == pattern
    assert len(json.dumps(pattern)) < 2048  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html

    known = pack_text("ct-013") + pack_text("audit-trail")
    assert "cloudtrail.amazonaws.com" in pattern["detail"]["eventSource"]
    assert [source for source in pattern["detail"]["eventSource"] if source not in known] == []

    (put,) = statements(made["EventBus"], "Policy")
    assert put["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    (inline,) = member["ForwardRole"]["Properties"]["Policies"]
    assert inline["PolicyDocument"]["Statement"][0]["Resource"] == put["Resource"] == bus


def test_of_a_noisy_topic_only_what_cloudtrail_tells_comes_through_if_asked_for() -> None:
    topic = {"LogSource": "sns-topic", "LogTopicArn": TOPIC, "LogBucketArns": LOGS}
    assert "FilterPolicy" not in TEMPLATE.resources(**topic)["Subscription"]["Properties"]
    subscription = TEMPLATE.resources(**topic, FilterTopic="true")["Subscription"]["Properties"]
    assert subscription["FilterPolicyScope"] == "MessageBody"
    # The emulator lets everything through; moto does as SNS.
    matcher = FilterPolicyMatcher(subscription["FilterPolicy"], "MessageBody")

    def comes_through(message: object) -> bool:
        return bool(matcher.matches(None, json.dumps(message)))

    assert comes_through({"s3Bucket": "one", "s3ObjectKey": [f"{FOLDER}c.json.gz"]})
    assert not comes_through({"messageType": "ConfigurationItemChangeNotification", "configurationItem": {}})
    history = {"s3Bucket": "one", "s3ObjectKey": "AWSLogs/111122223333/Config/h.json.gz"}
    assert not comes_through(history | {"messageType": "ConfigurationHistoryDeliveryCompleted"})

    elsewhere = TEMPLATE.resources(**topic, SubscribeToTopic="false")
    assert "Subscription" not in elsewhere
    assert senders(statements(elsewhere["QueuePolicy"])[1:]).keys() == {"sns.amazonaws.com"}


def test_everything_is_below_the_limits_of_aws() -> None:
    for path in FOLDER_OF_TEMPLATES.glob("*.yaml"):
        assert path.stat().st_size <= 51_200  # of a template that is sent, not stored
    switches = {name: "true" for name, each in TEMPLATE.parameters.items() if "true" in each.get("AllowedValues", ())}
    arns = dict.fromkeys(("AlertTopicArn", "AlertBusArn"), "arn:aws:sns:eu-central-1:111122223333:" + "x" * 60)
    more = {"AlertBucket": "x" * 63, "SesIdentityArn": arns["AlertTopicArn"], "LogBucketArns": LOGS, "LogKeyArns": LOGS}
    made = TEMPLATE.resources(**(switches | arns | more | {"LogSource": "none"}))
    policies = [each for each in made.values() if each["Type"] == "AWS::IAM::ManagedPolicy"]
    assert len(policies) == 5
    for policy in policies:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: without white space
        assert len(json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))) <= 6144


def run(program: str, *arguments: str | Path) -> None:
    """Have a linter judge; its findings are the failure."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing: .ci/tools installs it")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint_finds_nothing() -> None:
    run("cfn-lint", *FOLDER_OF_TEMPLATES.glob("*.yaml"))


def test_checkov_finds_nothing_that_is_not_explained() -> None:
    options = ("--quiet", "--compact", "--skip-download", "--framework", "cloudformation", "terraform")
    run("checkov", "--directory", ROOT / "deploy", *options)
