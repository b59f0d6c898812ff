"""An AWS that refuses, or answers what it is told to: one address for STS, SQS and S3."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from stream.checks.outcome import Outcome

QUEUE_ARN = "arn:aws:sqs:us-east-1:111122223333:trail"
DLQ_ARN = f"{QUEUE_ARN}-dlq"
GOOD: dict[str, Any] = {
    "QueueArn": QUEUE_ARN,
    "VisibilityTimeout": "120",
    "ApproximateNumberOfMessages": "7",
    "ApproximateNumberOfMessagesNotVisible": "2",
    "ApproximateNumberOfMessagesDelayed": "1",
    "RedrivePolicy": {"deadLetterTargetArn": DLQ_ARN, "maxReceiveCount": 10},
}
"""Attributes of a queue where all is well, but for the messages in its dead-letter queue."""

Answer = tuple[int, Mapping[str, str], str]

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::111122223333:assumed-role/trailstream/pod</Arn><UserId>A:pod</UserId><Account>111122223333</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


def attributes(**found: Any) -> Answer:
    """GetQueueAttributes, answered."""
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in found.items()}
    return 200, {}, json.dumps({"Attributes": texts})


def sqs_error(code: str, status: int = 400) -> Answer:
    return status, {"x-amzn-query-error": f"{code};Sender"}, json.dumps({"__type": f"com.amazonaws.sqs#{code}"})


def xml_error(code: str, status: int) -> Answer:
    return status, {}, f"<Error><Code>{code}</Code><Message>hunter2</Message></Error>"


def sts_error(code: str, status: int = 403) -> Answer:
    return status, {}, f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code></Error></ErrorResponse>"


class AwsStub:
    """`with AwsStub() as aws`: set `aws.answers[operation]`; `aws.asked` is what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Answer] = {
            "GetCallerIdentity": (200, {}, IDENTITY),
            "HeadBucket": (200, {"x-amz-bucket-region": "eu-west-1"}, ""),
            "GetObject": xml_error("NoSuchKey", 404),
            "GetQueueAttributes": attributes(**GOOD),
        }
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                operation = stub.operation(self.command, self.headers.get("X-Amz-Target", ""), body)
                stub.asked.append(operation)
                status, headers, text = stub.answers.get(operation, (501, {}, ""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text.encode())

            do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = url = f"http://127.0.0.1:{self._server.server_port}"
        self.answers["GetQueueUrl"] = (200, {}, json.dumps({"QueueUrl": f"{url}/111122223333/trail-dlq"}))

    @staticmethod
    def operation(method: str, target: str, body: str) -> str:
        if target:
            return target.rpartition(".")[2]
        if "Action=" in body:
            return body.partition("Action=")[2].partition("&")[0]
        return {"HEAD": "HeadBucket", "GET": "GetObject"}.get(method, method)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def statement(outcome: Outcome) -> Any:
    """The IAM statement, or statements, that an outcome has to paste."""
    return json.loads((outcome.fix or "").partition("\n")[2])
