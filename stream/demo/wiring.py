"""Everything between a log file and the queue: buckets, topics, a rule, the queue and its dead-letter queue.

Each route has a bucket of its own, and all of them end in the one queue, as six different message bodies.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from stream.demo.emulator import REGION

Route = Literal["s3", "sns", "sns_raw", "eventbridge", "eventbridge_sns", "cloudtrail_sns"]
ROUTES: Final[tuple[Route, ...]] = get_args(Route)
"""How a log file is announced: by S3 itself, by S3 through SNS (in SNS's envelope, or raw), by EventBridge (directly,
or through SNS), or by CloudTrail through SNS."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages in a queue, as SQS estimates them."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.in_flight + self.delayed


class Wiring:
    """A whole set of these things, made by `wire`, with clients of it.

    Attributes:
        queue_url: the queue that a workload reads.
        dead_letter_url: where SQS moves what was received too often.
        buckets: of each route.
        s3, sqs, sns, events: aiobotocore clients of the same AWS.
    """

    def __init__(self, name: str, clients: Mapping[str, Any], routes: Sequence[Route]) -> None:
        self.name = name
        self.buckets: dict[Route, str] = {route: f"{name}-{route.replace('_', '-')}" for route in routes}
        self.queue_url = ""
        self.dead_letter_url = ""
        self.s3, self.sqs = clients["s3"], clients["sqs"]
        self.sns, self.events = clients["sns"], clients["events"]
        self._topics: dict[str, str] = {}

    async def put(self, route: Route, key: str, body: bytes) -> None:
        """Write an object as CloudTrail would, so that the route announces it."""
        await self.s3.put_object(Bucket=self.buckets[route], Key=key, Body=body)
        if route == "cloudtrail_sns":
            await self.announce([key])

    async def announce(self, keys: Sequence[str], bucket: str | None = None) -> None:
        """Publish CloudTrail's own notification of these keys; S3 has no part in it."""
        await self.publish(
            json.dumps({"s3Bucket": bucket or self.buckets["cloudtrail_sns"], "s3ObjectKey": list(keys)})
        )

    async def publish(self, message: str) -> None:
        """Publish any text on the topic of the route `cloudtrail_sns`: it arrives in SNS's envelope."""
        await self.sns.publish(TopicArn=self._topics["cloudtrail_sns"], Message=message)

    async def send(self, body: str) -> None:
        """Send any text to the queue, by none of the routes."""
        await self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)

    async def depth(self) -> Depth:
        """How many messages the queue holds."""
        return await self._depth(self.queue_url)

    async def dead_letters(self) -> int:
        """How many messages the dead-letter queue holds."""
        return (await self._depth(self.dead_letter_url)).total

    async def _depth(self, queue_url: str) -> Depth:
        answer = await self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        counts = answer["Attributes"]
        return Depth(
            visible=int(counts["ApproximateNumberOfMessages"]),
            in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(counts.get("ApproximateNumberOfMessagesDelayed", 0)),
        )

    async def build(self, max_receive_count: int, visibility_timeout_s: int) -> None:
        """Make everything; S3 sends its test events to the queue, as it does when notifications are set up."""
        self.dead_letter_url = await self._queue(f"{self.name}-dead-letters", {})
        dead_letter_arn = await self._arn(self.dead_letter_url)
        self.queue_url = await self._queue(
            self.name,
            {
                "VisibilityTimeout": str(visibility_timeout_s),
                "RedrivePolicy": json.dumps(
                    {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": max_receive_count}
                ),
            },
        )
        queue_arn = await self._arn(self.queue_url)
        await asyncio.gather(*(self._route(route, queue_arn) for route in self.buckets))

    async def _queue(self, name: str, attributes: Mapping[str, str]) -> str:
        created = await self.sqs.create_queue(QueueName=name, Attributes=attributes)
        return str(created["QueueUrl"])

    async def _arn(self, queue_url: str) -> str:
        answer = await self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    async def _route(self, route: Route, queue_arn: str) -> None:
        bucket = self.buckets[route]
        await self.s3.create_bucket(Bucket=bucket)
        if route == "s3":
            configuration: dict[str, Any] = {
                "QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]
            }
        elif route in ("sns", "sns_raw"):
            topic = await self._topic(route, queue_arn, raw=route == "sns_raw")
            configuration = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
        elif route == "cloudtrail_sns":
            await self._topic(route, queue_arn)
            return
        else:
            target = queue_arn if route == "eventbridge" else await self._topic(route, queue_arn)
            await self._rule(route, bucket, target)
            configuration = {"EventBridgeConfiguration": {}}
        await self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)

    async def _topic(self, route: Route, queue_arn: str, *, raw: bool = False) -> str:
        topic = str((await self.sns.create_topic(Name=self.buckets[route]))["TopicArn"])
        await self.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=queue_arn,
            Attributes={"RawMessageDelivery": str(raw).lower()},
        )
        self._topics[route] = topic
        return topic

    async def _rule(self, route: Route, bucket: str, target_arn: str) -> None:
        name = f"{self.name}-{route.replace('_', '-')}"
        pattern = {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}},
        }
        await self.events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")
        await self.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": target_arn}])


@asynccontextmanager
async def wire(
    endpoint: str,
    name: str = "trailstream",
    *,
    routes: Sequence[Route] = ROUTES,
    max_receive_count: int = 10,
    visibility_timeout_s: int = 30,
) -> AsyncIterator[Wiring]:
    """Make all of it in the AWS at `endpoint`; nothing is unmade, since an emulator forgets.

    Args:
        endpoint: of an emulator.
        name: of the queue, and the beginning of every other name.
        routes: the ones that are needed.
        max_receive_count: of the queue's redrive policy.
        visibility_timeout_s: of the queue.
    """
    # Nothing of the machine's own AWS configuration, nor a proxy, has a part in this.
    session = AioSession(
        {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    config = AioConfig(
        region_name=REGION,
        proxies={},
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
        max_pool_connections=64,
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    async with AsyncExitStack() as stack:
        clients = {
            service: await stack.enter_async_context(
                session.create_client(
                    service,
                    endpoint_url=endpoint,
                    aws_access_key_id="test",
                    aws_secret_access_key="test",  # noqa: S106 - any will do for an emulator
                    config=config,
                )
            )
            for service in ("s3", "sqs", "sns", "events")
        }
        wiring = Wiring(name, clients, routes)
        await wiring.build(max_receive_count, visibility_timeout_s)
        yield wiring
