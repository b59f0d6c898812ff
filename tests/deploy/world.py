"""The shipped policies as documents, and a world for them in moto: what the template would have made, and a worker."""

import gzip
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3

from stream.aws import Aws
from stream.metrics import Metrics
from stream.settings import Settings
from tests.deploy.template import ACCOUNT, KEY_ID, REGION, Template

TEMPLATE: Final = Template(Path(__file__).parents[2] / "deploy/cloudformation/trailstream.yaml")
NAME: Final = "iam-shipped"
DEAD_LETTERS: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-dead-letters"
BUCKET: Final = f"{NAME}-logs-{ACCOUNT}-{REGION}"
LOG_KEY: Final = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
FOLDER: Final = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/24/"
BODY: Final = gzip.compress(b'{"Records":[]}')

Document = dict[str, Any]


@cache
def shipped(policy: str, **parameters: str) -> str:
    """The policy's document, as text: whoever takes it may change his own."""
    resources = TEMPLATE.resources(Name=NAME, LogSource="new-bucket", LogKeyArns=LOG_KEY, **parameters)
    return json.dumps(resources[policy]["Properties"]["PolicyDocument"])


def actions(document: Document) -> list[tuple[str, str]]:
    """Each statement's name with each of its actions."""
    found = []
    for statement in document["Statement"]:
        named = statement["Action"]
        found += [(statement["Sid"], each) for each in ([named] if isinstance(named, str) else named)]
    return found


def without(document: Document, sid: str, action: str) -> Document:
    """The document less one action of one statement."""
    kept = []
    for statement in document["Statement"]:
        named = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        left = [each for each in named if (statement["Sid"], each) != (sid, action)]
        kept += [statement | {"Action": left}] if left else []
    return document | {"Statement": kept}


@dataclass(eq=False)
class World:
    """What the template would have made, in moto; and the worker, whose policies are put as they are needed."""

    endpoint: str
    metrics: Metrics = field(default_factory=Metrics)
    handles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aws = Aws(self.metrics)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """For who may do anything."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self._clients[service]

    @property
    def queue_url(self) -> str:
        return f"{self.endpoint}/{ACCOUNT}/{NAME}"

    @property
    def settings(self) -> Settings:
        return Settings(queue_url=self.queue_url, buckets=(BUCKET,), ledger=f"dynamodb://{NAME}")

    def build(self) -> None:
        key = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        sqs, s3 = self.client("sqs"), self.client("s3")
        for name, more in (
            (f"{NAME}-dead-letters", {}),
            (NAME, {"RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD_LETTERS, "maxReceiveCount": 10})}),
        ):
            sqs.create_queue(QueueName=name, Attributes={"KmsMasterKeyId": key, **more})
        self.key_id = key.rpartition("/")[2]
        self.client("dynamodb").create_table(
            TableName=NAME,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        put = s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}plain.json.gz", Body=BODY)
        self.version: str = put["VersionId"]
        s3.put_object(
            Bucket=BUCKET,
            Key=f"{FOLDER}encrypted.json.gz",
            Body=BODY,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=LOG_KEY,
        )
        iam = self.client("iam")
        iam.create_user(UserName=NAME)
        made = iam.create_access_key(UserName=NAME)["AccessKey"]
        self.keys: tuple[str, str] = made["AccessKeyId"], made["SecretAccessKey"]
        self.aws.session.set_credentials(*self.keys)

    def allow(self, *documents: Document) -> None:
        """Have the worker be allowed this much and no more."""
        iam = self.client("iam")
        for name in iam.list_user_policies(UserName=NAME)["PolicyNames"]:
            iam.delete_user_policy(UserName=NAME, PolicyName=name)
        for number, document in enumerate(documents):
            text = json.dumps(document).replace(KEY_ID, self.key_id)
            iam.put_user_policy(UserName=NAME, PolicyName=str(number), PolicyDocument=text)

    def send(self) -> None:
        """Put three more messages on the queue, two of them into the worker's hands; and one among the dead letters."""
        sqs = self.client("sqs")
        sqs.send_message(QueueUrl=f"{self.queue_url}-dead-letters", MessageBody="poison")
        for _ in range(3):
            sqs.send_message(QueueUrl=self.queue_url, MessageBody="{}")
        received = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=2)["Messages"]
        self.handles = [each["ReceiptHandle"] for each in received]
        assert len(self.handles) == 2


@cache
def world_at(endpoint: str) -> World:
    """The one of that server: moto forgets nothing."""
    world = World(endpoint)
    world.build()
    return world
