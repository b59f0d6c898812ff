"""Every way in which a request to SQS can fail, as an `SqsError` with a bounded reason; and how that is logged."""

import time
from typing import Final, Literal

import aiohttp
import structlog
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from stream.errors import TrailstreamError

log = structlog.get_logger()

Reason = Literal["throttled", "no_queue", "forbidden", "connection", "handle_expired", "other"]

_CODES: Final[dict[str, Reason]] = {
    "RequestThrottled": "throttled",
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "KmsThrottled": "throttled",
    "KMS.ThrottlingException": "throttled",
    "OverLimit": "throttled",
    "QueueDoesNotExist": "no_queue",
    "NonExistentQueue": "no_queue",
    "QueueDeletedRecently": "no_queue",
    "InvalidAddress": "no_queue",
    "AccessDenied": "forbidden",
    "AccessDeniedException": "forbidden",
    "InvalidSecurity": "forbidden",
    "KmsAccessDenied": "forbidden",
    "KMS.AccessDeniedException": "forbidden",
    "InvalidClientTokenId": "forbidden",
    "UnrecognizedClientException": "forbidden",
    "SignatureDoesNotMatch": "forbidden",
    "ExpiredToken": "forbidden",
    "ExpiredTokenException": "forbidden",
    # A handle that is no longer good. SQS answers InvalidParameterValue both when "the receipt handle has expired" (or
    # "message does not exist or is not available for visibility timeout change") and when "total VisibilityTimeout for
    # the message is beyond the limit [43200 seconds]"; no other parameter of ours could be invalid.
    "ReceiptHandleIsInvalid": "handle_expired",
    "MessageNotInflight": "handle_expired",
    "InvalidParameterValue": "handle_expired",
}
_CREDENTIALS: Final = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
UNREACHABLE: Final = (BotoConnectionError, HTTPClientError, aiohttp.ClientError, OSError)
"""What says that there was no answer."""
FAILURES: Final = (ClientError, BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)
"""What aiobotocore may raise of a request; TimeoutError is an OSError."""
_LOG_EVERY_S: Final = 60.0


class SqsError(TrailstreamError):
    """A request to SQS that failed as a whole.

    Attributes:
        reason: bounded; becomes a metric label.
        code: SQS's own error code, or the class of the exception; never its text, which may quote anything.
    """

    def __init__(self, reason: Reason, code: str) -> None:
        super().__init__(f"{reason}: {code}")
        self.reason: Reason = reason
        self.code = code


class Streak:
    """A row of failures in the log: its first and its end, but never more than one of each a minute."""

    def __init__(self, event: str, over: str) -> None:
        self._event = event
        self._over = over
        self._failures = 0
        self._announced = False
        self._silent_until = 0.0

    def failed(self, **fields: object) -> None:
        """Count one more, and say so if it is time to."""
        self._failures += 1
        now = time.monotonic()
        if now >= self._silent_until:
            log.warning(self._event, failures=self._failures, **fields)
            self._failures = 0
            self._announced = True
            self._silent_until = now + _LOG_EVERY_S

    def ended(self) -> None:
        """The last request went well."""
        if self._announced:
            log.info(self._over)
            self._announced = False


def reason_of(code: str, status: int = 0) -> Reason:
    """What an error code of SQS's comes down to, with or without the prefix that older ones have."""
    known = _CODES.get(code) or _CODES.get(code.removeprefix("AWS.SimpleQueueService."))
    return known or ("forbidden" if status in (401, 403) else "other")


def sqs_error(error: BaseException) -> SqsError:
    """What one of `FAILURES` comes down to."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        reason = reason_of(code, status)
        # Of a whole request no handle can be to blame.
        return SqsError("other" if reason == "handle_expired" else reason, code[:80])
    if isinstance(error, _CREDENTIALS):
        return SqsError("forbidden", type(error).__name__)
    return SqsError("connection" if isinstance(error, UNREACHABLE) else "other", type(error).__name__)
