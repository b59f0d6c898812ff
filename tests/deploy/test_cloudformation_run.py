"""The template executed on the embedded AWS, and the main job through what it makes."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from stream.demo.emulator import ACCOUNT_ID, Emulator
from stream.demo.workload import Workload
from stream.intake.notification import Notification, parse
from tests.deploy.template import ACCOUNT, REGION
from tests.deploy.test_cloudformation import FOLDER_OF_TEMPLATES, LOGS, TEMPLATE, trust
from tests.receiver import Receiver
from tests.test_end_to_end import FOLDER, log_file, stop_logging, until


class Stacks:
    """CloudFormation as the emulator has it."""

    def __init__(self, emulator: Emulator) -> None:
        self._endpoint = emulator.endpoint

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def make(self, name: str, **parameters: str) -> dict[str, str]:
        """Deploy `trailstream.yaml`; the outputs."""
        cloudformation = self.client("cloudformation")
        given = {"Name": name, **parameters}
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=(FOLDER_OF_TEMPLATES / "trailstream.yaml").read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
        )
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        # Its CloudFormation makes queues without their redrive policy: set it as the template has it.
        redrive = TEMPLATE.resources(**given)["Queue"]["Properties"]["RedrivePolicy"]
        text = json.dumps(redrive).replace(ACCOUNT, ACCOUNT_ID)
        self.client("sqs").set_queue_attributes(QueueUrl=outputs["QueueUrl"], Attributes={"RedrivePolicy": text})
        return outputs

    def received(self, queue_url: str) -> Iterator[Notification]:
        """What is in the queue, as the program understands it."""
        answer = self.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", ()):
            yield parse(message["Body"])

    def queue_attributes(self, queue_url: str) -> dict[str, str]:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        found: dict[str, str] = answer["Attributes"]
        return found


@pytest.fixture
def stacks(emulator: Emulator) -> Stacks:
    return Stacks(emulator)


async def test_a_log_file_in_the_new_bucket_becomes_an_alert(
    stacks: Stacks, emulator: Emulator, receiver: Receiver, tmp_path: Path
) -> None:
    outputs = await asyncio.to_thread(stacks.make, "cfn-bucket", LogSource="new-bucket")
    settings = {
        "QUEUE_URL": outputs["QueueUrl"],
        "BUCKETS": outputs["Buckets"],
        "LEDGER": outputs["Ledger"],
        "WEBHOOK_URL": receiver.url,
        "MAX_EVENT_AGE": "0",
        "RETRY_DELAY": "0",
    }
    async with Workload(settings, emulator.environ, tmp_path) as workload:
        s3 = stacks.client("s3")
        body = log_file(stop_logging("from-the-stack"))
        await asyncio.to_thread(s3.put_object, Bucket=outputs["Buckets"], Key=f"{FOLDER}a.json.gz", Body=body)
        (request,) = await receiver.wait_for(1)
        assert request.json()["data"]["event"]["name"] == "StopLogging"

        async def is_empty() -> bool:
            queue = await asyncio.to_thread(stacks.queue_attributes, outputs["QueueUrl"])
            return {queue[f"ApproximateNumberOfMessages{state}"] for state in ("", "NotVisible", "Delayed")} == {"0"}

        await until(is_empty)
        samples = await workload.scrape()
        assert samples.total("messages_settled_total", outcome="acknowledged") == 2  # S3's test event is the other
        assert samples.total("dead_letter_messages") == 0
    assert workload.exit_code == 0
    items = await asyncio.to_thread(lambda: stacks.client("dynamodb").scan(TableName="cfn-bucket")["Items"])
    assert [item["id"]["S"].partition("#")[0] for item in items if "state" in item] == ["webhook"]


def test_the_other_ways_in_arrive_as_the_program_knows_them(stacks: Stacks) -> None:
    s3, sns, events = stacks.client("s3"), stacks.client("sns"), stacks.client("events")
    bucket, key = "cfn-other-logs", f"{FOLDER}b.json.gz"
    s3.create_bucket(Bucket=bucket)
    topic = sns.create_topic(Name=bucket)["TopicArn"]
    logs = {"LogBucketArns": f"arn:aws:s3:::another,arn:aws:s3:::{bucket}"}
    by_topic = stacks.make("cfn-topic", LogSource="sns-topic", LogTopicArn=topic, **logs)
    by_rule = stacks.make(
        "cfn-rule", LogSource="eventbridge", InlineEvents="true", OrganizationId="o-abcdefghij", **logs
    )
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "EventBridgeConfiguration": {},
            "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}],
        },
    )
    s3.put_object(Bucket=bucket, Key=key, Body=log_file())
    for outputs, envelope in ((by_topic, "sns_s3"), (by_rule, "eventbridge")):
        found = [each for each in stacks.received(outputs["QueueUrl"]) if each.objects]
        assert [(each.envelope, each.objects[0].key) for each in found] == [(envelope, key)]

    record = stop_logging("inline")
    for bus in ("default", by_rule["EventBusArn"]):
        events.put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": source,
                    "DetailType": "AWS API Call via CloudTrail",
                    "Detail": json.dumps(record),
                }
                for source in ("aws.cloudtrail", "forged")
            ]
        )
        (inline,) = stacks.received(by_rule["QueueUrl"])
        assert inline.envelope == "inline"
        assert inline.record == record


def test_the_emulator_makes_the_policies_that_these_tests_judge(stacks: Stacks) -> None:
    parameters = {"LogSource": "none", "LogBucketArns": LOGS, "Identity": "irsa", "OidcProvider": "example.com/id"}
    outputs = stacks.make("cfn-policies", **parameters)
    resolved = TEMPLATE.resources(Name="cfn-policies", **parameters)
    for name, queue_url in (("Queue", outputs["QueueUrl"]), ("DeadLetterQueue", outputs["DeadLetterQueueUrl"])):
        made = json.loads(stacks.queue_attributes(queue_url)["Policy"].replace(ACCOUNT_ID, ACCOUNT))
        assert made == resolved[f"{name}Policy"]["Properties"]["PolicyDocument"]
    role = stacks.client("iam").get_role(RoleName="cfn-policies-worker")["Role"]["AssumeRolePolicyDocument"]
    assert json.loads(json.dumps(role).replace(ACCOUNT_ID, ACCOUNT))["Statement"] == [trust(resolved["WorkerRole"])]
    key = stacks.client("kms").get_key_policy(KeyId="alias/cfn-policies", PolicyName="default")["Policy"]
    assert json.loads(key.replace(ACCOUNT_ID, ACCOUNT)) == resolved["Key"]["Properties"]["KeyPolicy"]
