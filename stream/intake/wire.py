"""The calls of SQS that intake makes, as JSON, signed here: as aiobotocore makes them, by test, at a third of the CPU.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

import hashlib
import time
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.http import Http, Origin, Response
from stream.signing import signed

_JSON: Final = "application/x-amz-json-1.0"
_MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024  # ten messages of a MiB each, and what JSON makes of them


class SqsWire:
    """Has the methods of an aiobotocore client that `Sqs` calls, with their arguments and answers.

    Args:
        aws: the session: its credentials sign.
        http: sends them; see `Aws.http`.
        endpoint: where SQS is, as botocore resolves it.
        region: that is signed.
    """

    def __init__(self, aws: Aws, http: Http, *, endpoint: str, region: str) -> None:
        self._aws = aws
        self._http = http
        self._region = region
        self._origin = Origin.of(endpoint)
        self._path = urlsplit(endpoint).path.rstrip("/") + "/"

    async def receive_message(self, **parameters: Any) -> dict[str, Any]:
        """See botocore's."""
        return await self._call("ReceiveMessage", parameters)

    async def delete_message_batch(self, **parameters: Any) -> dict[str, Any]:
        """See botocore's."""
        return await self._call("DeleteMessageBatch", parameters)

    async def change_message_visibility_batch(self, **parameters: Any) -> dict[str, Any]:
        """See botocore's."""
        return await self._call("ChangeMessageVisibilityBatch", parameters)

    async def get_queue_attributes(self, **parameters: Any) -> dict[str, Any]:
        """See botocore's."""
        return await self._call("GetQueueAttributes", parameters)

    async def get_queue_url(self, **parameters: Any) -> dict[str, Any]:
        """See botocore's."""
        return await self._call("GetQueueUrl", parameters)

    async def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Make one request.

        Raises:
            ClientError: SQS refuses; it has SQS's code and the status.
            aiohttp.ClientError, OSError, BotoCoreError: there was no answer, or none that can be read.
        """
        body = orjson.dumps(parameters)
        headers = signed(
            await self._aws.credentials(),
            service="sqs",
            region=self._region,
            method="POST",
            host=self._origin.authority,
            path=self._path,
            query="",
            headers={"content-type": _JSON, "x-amz-target": f"AmazonSQS.{operation}"},
            payload_hash=hashlib.sha256(body).hexdigest(),
            now=time.time(),
        )
        try:
            async with self._http.request("POST", self._origin, self._path, headers, body) as answer:
                content = await self._read(answer)
                status = answer.status
                told = answer.header("x-amzn-query-error")
        except Exception:
            self._aws.count("sqs", operation, "error")
            raise
        self._aws.count("sqs", operation, str(status))
        try:
            found = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError:
            found = None
        if status == 200 and isinstance(found, dict):
            return found
        raise _refusal(operation, status, told, found)

    @staticmethod
    async def _read(answer: Response) -> bytes:
        parts, size = [], 0
        while part := await answer.read():
            parts.append(part)
            size += len(part)
            if size > _MAX_ANSWER_BYTES:
                raise ConnectionError("an answer without an end")
        return b"".join(parts)


def _refusal(operation: str, status: int, told: str, found: Any) -> ClientError:
    """The error that botocore would make of it: the code of the older protocol comes first, where SQS says it."""
    type_ = found.get("__type", "") if isinstance(found, dict) else ""
    code = told.partition(";")[0] or str(type_).rpartition("#")[2].partition(":")[0] or str(status)
    response = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)
