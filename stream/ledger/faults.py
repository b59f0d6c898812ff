"""Every way in which a request to DynamoDB can fail, as a `TableError` with a bounded reason."""

from typing import Any, Final, Literal

import aiohttp
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

Reason = Literal["throttled", "no_table", "bad_key", "forbidden", "connection", "server_error", "other"]

FAILURES: Final = (ClientError, BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)
"""What aiobotocore may raise of a request; TimeoutError is an OSError."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and, of a missing or wrong
# signature, https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html
_CODES: Final[dict[str, Reason]] = {
    "ProvisionedThroughputExceededException": "throttled",
    "RequestLimitExceeded": "throttled",
    "ThrottlingException": "throttled",
    "ResourceNotFoundException": "no_table",
    "ValidationException": "bad_key",  # nothing else in our requests could be invalid
    "AccessDeniedException": "forbidden",
    "ExpiredTokenException": "forbidden",
    "IncompleteSignature": "forbidden",
    "IncompleteSignatureException": "forbidden",
    "InvalidClientTokenId": "forbidden",
    "InvalidSignatureException": "forbidden",
    "MissingAuthenticationTokenException": "forbidden",
    "UnrecognizedClientException": "forbidden",
}
_CREDENTIALS: Final = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_UNREACHABLE: Final = (BotoConnectionError, HTTPClientError, aiohttp.ClientError, OSError)


class TableError(TrailstreamError):
    """A request to DynamoDB that failed.

    Attributes:
        reason: bounded; becomes a metric label.
        code: DynamoDB's own error code, or the class of the exception; never its text, which may quote anything.
    """

    def __init__(self, reason: Reason, code: str) -> None:
        super().__init__(f"{reason}: {code}")
        self.reason: Reason = reason
        self.code = code


class ConditionFailed(TrailstreamError):
    """A write that DynamoDB has refused for its condition.

    Attributes:
        item: what was there instead; empty if DynamoDB does not say.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the condition of a write was not met")
        self.item = item


def failure(error: BaseException) -> TableError | ConditionFailed:
    """What one of `FAILURES` comes down to."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "ConditionalCheckFailedException":
            return ConditionFailed(error.response.get("Item") or {})
        return TableError(_reason(code, _status(error)), code[:80])
    if isinstance(error, _CREDENTIALS):
        return TableError("forbidden", type(error).__name__)
    return TableError("connection" if isinstance(error, _UNREACHABLE) else "other", type(error).__name__)


def _reason(code: str, status: int) -> Reason:
    known = _CODES.get(code)
    if known is not None:
        return known
    if status >= 500:
        return "server_error"
    return "forbidden" if status in (401, 403) else "other"


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
