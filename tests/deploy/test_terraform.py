"""The Terraform module against the CloudFormation template: the same parameters, resources, properties and policies."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import hcl2
import pytest

from tests.deploy.template import ACCOUNT, KEY_ID, REGION, Template

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
FOLDER: Final = DEPLOY / "terraform"
TEMPLATE: Final = Template(DEPLOY / "cloudformation/trailstream.yaml")
ORGANIZATION: Final = Template(DEPLOY / "cloudformation/organization.yaml")

TYPES: Final = {
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::EKS::PodIdentityAssociation": "aws_eks_pod_identity_association",
    "AWS::Events::EventBus": "aws_cloudwatch_event_bus",
    "AWS::Events::Rule": "aws_cloudwatch_event_rule",
    "AWS::IAM::ManagedPolicy": "aws_iam_policy",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::KMS::Alias": "aws_kms_alias",
    "AWS::KMS::Key": "aws_kms_key",
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SNS::Subscription": "aws_sns_topic_subscription",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::SQS::QueuePolicy": "aws_sqs_queue_policy",
}
PARTS: Final = {
    "aws_cloudwatch_event_bus_policy",
    "aws_cloudwatch_event_target",
    "aws_iam_role_policy_attachment",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
}
"""What Terraform has as a resource of its own, and CloudFormation as a property."""
DOCUMENTS: Final = {
    "bucket": ("BucketPolicy", "PolicyDocument"),
    "dead_letter_queue": ("DeadLetterQueuePolicy", "PolicyDocument"),
    "digest": ("DigestPolicy", "PolicyDocument"),
    "event_bus": ("EventBus", "Policy"),
    "key": ("Key", "KeyPolicy"),
    "log_reader": ("LogReaderPolicy", "PolicyDocument"),
    "operator": ("OperatorPolicy", "PolicyDocument"),
    "operator_trust": ("OperatorRole", "AssumeRolePolicyDocument"),
    "queue": ("QueuePolicy", "PolicyDocument"),
    "scaler": ("ScalerPolicy", "PolicyDocument"),
    "scaler_trust": ("ScalerRole", "AssumeRolePolicyDocument"),
    "worker": ("WorkerPolicy", "PolicyDocument"),
    "worker_trust": ("WorkerRole", "AssumeRolePolicyDocument"),
}
"""Each policy document of the module, and the property of the template that says the same."""
ISSUER: Final = "example.com/id"
ALL_ON: Final = {
    "LogAccount": "210987654321",
    "TrailAccount": "321098765432",
    "LogKeyArns": "arn:aws:kms:us-east-1:123456789012:key/logs",
    "InlineEvents": "true",
    "OrganizationId": "o-abcdefghij",
    "OidcProvider": ISSUER,
    "ClusterName": "main",
    "OperatorPrincipals": "arn:aws:iam::123456789012:role/people",
    "AlertTopicArn": "arn:aws:sns:us-east-1:123456789012:alerts",
    "AlertBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/alerts",
    "AlertBucket": "alerts",
    "SesIdentityArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
    "Sms": "true",
    "SecurityHub": "true",
    "Organizations": "true",
    "Trails": "true",
    "Digests": "true",
    "Probes": "true",
}
VARIANTS: Final = (
    {"LogSource": "new-bucket", "Identity": "irsa"},
    {"LogSource": "new-bucket", "Identity": "pod-identity"},
    {
        "LogSource": "sns-topic",
        "LogTopicArn": "arn:aws:sns:us-east-1:123456789012:logs",
        "LogBucketArns": "arn:aws:s3:::a",
    },
    {
        "LogSource": "eventbridge",
        "LogBucketArns": "arn:aws:s3:::a",
        "KedaOperatorRoleArn": "arn:aws:iam::123456789012:role/keda",
        "Identity": "irsa",
    },
)
"""Together they have every statement of every document."""


@cache
def module(folder: Path = FOLDER) -> dict[str, Any]:
    """All files as one: blocks by kind, and by type and name where they have them; texts without their quotes."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.tf")):
        for kind, blocks in unquoted(hcl2.loads(path.read_text())).items():
            for block in blocks if isinstance(blocks, list) else []:
                merge(found.setdefault(kind, {}), block)
    return found


def merge(into: dict[str, Any], block: Mapping[str, Any]) -> None:
    for name, value in block.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def unquoted(value: Any) -> Any:
    if isinstance(value, dict):
        return {unquoted(name): unquoted(each) for name, each in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [unquoted(each) for each in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def default(value: Any) -> str:
    """As the template would spell it."""
    return "" if value == [] else str(value).lower() if isinstance(value, bool) else str(value)


def test_parameters_and_variables_are_the_same() -> None:
    variables = module()["variable"]
    assert sorted(variables) == sorted(map(snake, TEMPLATE.parameters))
    for name, parameter in TEMPLATE.parameters.items():
        variable = variables[snake(name)]
        assert ("default" in variable) == ("Default" in parameter), name
        if "Default" in parameter:
            assert default(variable["default"]) == str(parameter["Default"]), name


def test_outputs_are_the_same() -> None:
    assert sorted(module()["output"]) == sorted(map(snake, TEMPLATE.outputs))


def test_resources_are_the_same() -> None:
    made = {(kind, name) for kind, named in module()["resource"].items() for name in named}
    declared = {(TYPES[each["Type"]], snake(name)) for name, each in TEMPLATE.declared.items()}
    assert declared <= made
    assert {kind for kind, _ in made - declared} == PARTS
    for kind in PARTS - {"aws_iam_role_policy_attachment", "aws_cloudwatch_event_target"}:
        assert len(module()["resource"][kind]) == 1
    rules = module()["resource"]["aws_cloudwatch_event_rule"]
    assert module()["resource"]["aws_cloudwatch_event_target"].keys() == rules.keys()
    attached = sum(len(each["Properties"]["ManagedPolicyArns"]) for each in roles())
    assert len(module()["resource"]["aws_iam_role_policy_attachment"]) == attached


def roles() -> Iterator[dict[str, Any]]:
    return (each for each in TEMPLATE.declared.values() if each["Type"] == "AWS::IAM::Role")


def test_what_is_conditional_here_is_conditional_there() -> None:
    for name, each in TEMPLATE.declared.items():
        there = module()["resource"][TYPES[each["Type"]]][snake(name)]
        assert ("count" in there) == ("Condition" in each), name


PROPERTIES: Final = {
    "aws_sqs_queue": {
        "VisibilityTimeout": "visibility_timeout_seconds",
        "MessageRetentionPeriod": "message_retention_seconds",
        "ReceiveMessageWaitTimeSeconds": "receive_wait_time_seconds",
        "KmsDataKeyReusePeriodSeconds": "kms_data_key_reuse_period_seconds",
    },
    "aws_cloudwatch_metric_alarm": {
        "AlarmDescription": "alarm_description",
        "Namespace": "namespace",
        "MetricName": "metric_name",
        "Statistic": "statistic",
        "Period": "period",
        "EvaluationPeriods": "evaluation_periods",
        "ComparisonOperator": "comparison_operator",
        "TreatMissingData": "treat_missing_data",
    },
    "aws_kms_key": {"EnableKeyRotation": "enable_key_rotation", "PendingWindowInDays": "deletion_window_in_days"},
    "aws_dynamodb_table": {"BillingMode": "billing_mode", "DeletionProtectionEnabled": "deletion_protection_enabled"},
    "aws_iam_policy": {"Description": "description"},
    "aws_iam_role": {"Description": "description"},
    "aws_cloudwatch_event_rule": {"Description": "description"},
}


def test_properties_are_the_same() -> None:
    compared = 0
    for name, each in TEMPLATE.declared.items():
        there = module()["resource"][TYPES[each["Type"]]][snake(name)]
        for here, attribute in PROPERTIES.get(TYPES[each["Type"]], {}).items():
            assert there[attribute] == each["Properties"][here], f"{name}.{here}"
            compared += 1
    assert compared > 40
    queue, dead_letters = (module()["resource"]["aws_sqs_queue"][name] for name in ("queue", "dead_letter_queue"))
    assert "maxReceiveCount = 10" in queue["redrive_policy"]
    assert 'redrivePermission = "byQueue"' in dead_letters["redrive_allow_policy"]
    table = module()["resource"]["aws_dynamodb_table"]["ledger_table"]
    assert (table["hash_key"], table["attribute"]) == ("id", [{"name": "id", "type": "S"}])
    assert table["ttl"] == [{"attribute_name": "expires_at", "enabled": True}]
    assert table["point_in_time_recovery"] == table["server_side_encryption"] == [{"enabled": True}]


def test_event_patterns_are_the_same() -> None:
    declared = TEMPLATE.declared["InlineEventsRule"]["Properties"]["EventPattern"]
    pattern = module()["locals"]["inline_events"]
    assert re.findall(r'"([a-z0-9-]+\.amazonaws\.com)"', pattern) == declared["detail"]["eventSource"]
    for text in (*declared["detail-type"], "aws."):
        assert f'"{text}"' in pattern
    assert "s3Bucket = [{exists = true}], messageType = [{exists = false}]" in module()["locals"]["own_notifications"]
    log_files = module()["resource"]["aws_cloudwatch_event_rule"]["log_files_rule"]["event_pattern"]
    for text in ("aws.s3", "Object Created", "detail-type"):
        assert f'"{text}"' in log_files


def of_module(document: str) -> list[dict[str, Any]]:
    """Every statement that the document may have, in its order but for those that are conditional."""
    declared = module()["data"]["aws_iam_policy_document"][document]
    dynamic = [content for each in declared.get("dynamic", []) for content in each["statement"]["content"]]
    return [*declared.get("statement", []), *dynamic]


class Resolved:
    """What the module's expressions come to, with the template's parameters."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        given = {snake(name): str(each.get("Default", "")) for name, each in TEMPLATE.parameters.items()}
        self._variables = given | {snake(name): value for name, value in parameters.items()}
        here = module()["locals"]
        new_bucket = self._variables["log_source"] == "new-bucket"
        self._names = {
            **{f"local.arn.{name}": text for name, text in here["arn"].items()},
            **{f"var.{name}": value for name, value in self._variables.items()},
            "local.account": ACCOUNT,
            "local.log_account": ACCOUNT if new_bucket else self._variables["log_account"],
            "local.trail_account": self._variables["trail_account"],
            "local.oidc_arn": here["oidc_arn"],
            "local.partition": "aws",
            "local.region": REGION,
            "aws_kms_key.key.arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}",
            "aws_sqs_queue.dead_letter_queue.arn": here["arn"]["dead_letter_queue"],
            "aws_sqs_queue.queue.arn": here["arn"]["queue"],
        }
        buckets = [here["arn"]["bucket"]] if new_bucket else self._variables["log_bucket_arns"].split(",")
        self._lists: dict[str, list[str]] = {
            "local.log_bucket_arns": buckets,
            "local.rule_arns": here["rule_arns"],
            "var.log_key_arns": self._variables["log_key_arns"].split(","),
            "var.operator_principals": self._variables["operator_principals"].split(","),
        }

    def text(self, expression: str) -> str:
        while "${" in expression:
            expression = re.sub(r"\$\{([\w.]+)\}", lambda match: self._names[match[1]], expression)
        return expression

    def texts(self, expression: str | list[str]) -> list[str]:
        """Of a list, or of an expression that is one, sorted."""
        if isinstance(expression, list):
            return sorted(map(self.text, expression))
        if endings := re.findall(r'for arn in local\.log_bucket_arns : "\$\{arn\}([^"]+)"', expression):
            return sorted(self.text(arn) + end for end in endings for arn in self._lists["local.log_bucket_arns"])
        return sorted(map(self.text, self._lists[expression.removeprefix("${").removesuffix("}")]))

    def statement(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """A statement of the module in IAM's own words, each list sorted."""
        made: dict[str, Any] = {
            "Sid": statement["sid"],
            "Effect": statement.get("effect", "Allow"),
            "Action": sorted(statement["actions"]),
        }
        for name, here in (("Resource", "resources"), ("NotResource", "not_resources")):
            if here in statement:
                made[name] = self.texts(statement[here])
        for each in statement.get("principals", []):
            made.setdefault("Principal", {})[each["type"]] = self.texts(each["identifiers"])
        for each in statement.get("condition", []):
            operator = made.setdefault("Condition", {}).setdefault(each["test"], {})
            operator[self.text(each["variable"])] = self.texts(each["values"])
        return made


def in_the_same_words(value: Any) -> Any:
    """A statement of the template, each text that may be a list made one, and each list sorted."""
    statement = dict(value)
    for name in ("Action", "Resource", "NotResource"):
        if name in statement:
            statement[name] = listed(statement[name])
    if (principal := statement.get("Principal")) is not None:
        statement["Principal"] = {
            kind: listed(named) for kind, named in ({"*": "*"} if principal == "*" else principal).items()
        }
    if "Condition" in statement:
        statement["Condition"] = {
            test: {variable: listed(values) for variable, values in variables.items()}
            for test, variables in statement["Condition"].items()
        }
    return statement


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else sorted(value)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_policies_are_the_same(document: str) -> None:
    logical_id, name = DOCUMENTS[document]
    left = [*of_module(document)]
    for parameters in (ALL_ON | variant for variant in VARIANTS):
        resource = TEMPLATE.resources(**parameters).get(logical_id)
        if resource is None:
            continue
        found = resource["Properties"][name]
        there = {_key(each): each for each in map(Resolved(parameters).statement, of_module(document))}
        for statement in (json.loads(found) if isinstance(found, str) else found)["Statement"]:
            here = in_the_same_words(statement)
            assert here == there[_key(here)]
            left = [each for each in left if (each["sid"], sorted(each["actions"])) != (here["Sid"], here["Action"])]
    assert left == [], "the template has none of these"


def _key(statement: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    return statement["Sid"], tuple(statement["Action"])


def test_no_policy_is_left_out() -> None:
    assert module()["data"]["aws_iam_policy_document"].keys() == DOCUMENTS.keys()


def test_the_stack_set_has_the_parameters_of_its_template() -> None:
    (members,) = module(FOLDER / "organization")["resource"]["aws_cloudformation_stack_set"].values()
    assert members["parameters"].keys() == ORGANIZATION.parameters.keys()
    assert "cloudformation/organization.yaml" in members["template_body"]


@pytest.mark.parametrize("folder", ["terraform", "terraform/organization"])
def test_terraform_takes_it(folder: str, tmp_path: Path) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is missing")
    for each in ("terraform", "cloudformation"):
        shutil.copytree(DEPLOY / each, tmp_path / each)
    at = tmp_path / folder
    terraform(at, "fmt", "-check", "-diff")
    if (mirror := os.environ.get("TF_PLUGIN_MIRROR")) is None:
        pytest.skip("TF_PLUGIN_MIRROR names no folder with the provider hashicorp/aws, of which 700 MB are not loaded")
    terraform(at, "init", "-backend=false", f"-plugin-dir={mirror}")
    terraform(at, "validate")


def terraform(at: Path, *arguments: str) -> None:
    done = subprocess.run(["terraform", *arguments], cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
