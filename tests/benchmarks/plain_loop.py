"""What one would write in an hour: receive, get, gunzip, parse all, look, delete, with aiobotocore and orjson.

`python -m tests.benchmarks.plain_loop QUEUE_URL MESSAGES` works on that many messages and prints its CPU-seconds.
"""

import asyncio
import gzip
import sys
import time
from typing import Any

import orjson
from aiobotocore.session import get_session

NAMES = {
    *("CreateTrail", "UpdateTrail", "DeleteTrail", "PutEventSelectors"),
    *("AddTags", "RemoveTags", "StartLogging", "StopLogging"),
}


async def work(queue_url: str, messages: int) -> float:
    """CPU-seconds of this process from the first receive on."""
    session = get_session()
    done = 0
    async with session.create_client("sqs") as sqs, session.create_client("s3") as s3:
        began = time.process_time()
        while done < messages:
            answer = await sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            received: list[dict[str, Any]] = answer.get("Messages", [])
            await asyncio.gather(*(read(s3, message["Body"]) for message in received))
            if received:
                entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(received)]
                await sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
            done += len(received)
        return time.process_time() - began


async def read(s3: Any, body: str) -> None:
    for entry in orjson.loads(body)["Records"]:
        entity = entry["s3"]
        found = await s3.get_object(Bucket=entity["bucket"]["name"], Key=entity["object"]["key"])
        for record in orjson.loads(gzip.decompress(await found["Body"].read()))["Records"]:
            if record["eventName"] in NAMES and record["eventSource"] == "cloudtrail.amazonaws.com":
                print(orjson.dumps(record).decode())


if __name__ == "__main__":
    print(asyncio.run(work(sys.argv[1], int(sys.argv[2]))))
