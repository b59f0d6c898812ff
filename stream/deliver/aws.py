"""What all channels that speak to AWS share: a client of the process's session, and AWS's errors classified.

https://docs.aws.amazon.com/general/latest/gr/api-error-handling.html and the "Errors" of each action.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointProviderError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from stream.deliver.arn import parse_arn
from stream.deliver.channel import Accepted, Answer, Channel, Down, Rejected, Retry
from stream.deliver.http import parse_retry_after
from stream.deliver.rehearsal import api_call
from stream.settings import ChannelSettings

if TYPE_CHECKING:
    from stream.aws import Aws

_UNUSABLE: Final = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_MISCONFIGURED: Final = (ConfigNotFound, EndpointProviderError, InvalidRegionError, NoRegionError, ProfileNotFound)
_UNAUTHORIZED: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_FORBIDDEN: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "OptInRequired"}
)
_MISSING: Final = frozenset({"NotFound", "NotFoundException", "ResourceNotFoundException", "NoSuchBucket"})
# These two, and the statuses below, are what botocore's own standard retries go by:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html#standard-retry-mode
_TRANSIENT: Final = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "PriorRequestNotComplete",
        "ServiceUnavailable",
        "TransactionInProgressException",
    }
)
_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def classify_error(error: BaseException, own: Mapping[str, Answer] | None = None) -> Answer:
    """What the end of a request to AWS means for an alert.

    Args:
        error: what a client raised.
        own: what this service means by its codes, before what they mean everywhere.

    Raises:
        BaseException: the error itself, if it is none that a request ends in.
    """
    if isinstance(error, ClientError):
        return _client_error(error, own or {})
    if isinstance(error, _UNUSABLE):
        return Down("unauthorized")
    if isinstance(error, _MISCONFIGURED):
        return Down("other")
    if isinstance(error, SSLError | aiohttp.ClientSSLError):
        return Down("tls")
    if isinstance(error, ParamValidationError):
        return Rejected("payload")
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError | TimeoutError):
        return Retry("timeout")
    if isinstance(error, BotoCoreError | aiohttp.ClientError | OSError):
        return Retry("connection")
    raise error


def classify_code(code: str, own: Mapping[str, Answer] | None = None) -> Answer | None:
    """What an error code means, of a request or of one entry of it; `None` if it says nothing by itself."""
    if own and code in own:
        return own[code]
    if code in _UNAUTHORIZED:
        return Down("unauthorized")
    if code in _FORBIDDEN:
        return Down("forbidden")
    if code in _MISSING:
        return Down("not_found")
    if code in _THROTTLED:
        return Retry("throttled")
    if code.startswith("RequestTimeout"):
        return Retry("timeout")
    return Retry("server_error") if code in _TRANSIENT else None


def _client_error(error: ClientError, own: Mapping[str, Answer]) -> Answer:
    response: Mapping[str, Any] = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    metadata = response.get("ResponseMetadata", {})
    answer = classify_code(code, own) or _by_status(int(metadata.get("HTTPStatusCode", 0)))
    if isinstance(answer, Retry) and answer.after_s is None:
        return Retry(answer.reason, parse_retry_after(metadata.get("HTTPHeaders", {}).get("retry-after"), time.time()))
    return answer


def _by_status(status: int) -> Answer:
    if status in (401, 403):
        return Down("unauthorized" if status == 401 else "forbidden")
    if status == 429:
        return Retry("throttled")
    if status == 408:
        return Retry("timeout")
    if status >= 500 or not status:
        return Retry("server_error")
    return Rejected("too_large" if status == 413 else "bad_request")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credentials the requests are signed with.

    Attributes:
        account: its id, 12 digits.
        partition: `aws`, `aws-cn`, `aws-us-gov`, …
    """

    account: str
    partition: str


class AwsChannel(Channel):
    """A channel that calls one AWS service, by a client that is made at its first request.

    Attributes:
        service: as botocore names it.
        errors: what this service means by its own codes.
    """

    service: ClassVar[str]
    errors: ClassVar[Mapping[str, Answer]] = {}

    def __init__(self, settings: ChannelSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._open = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()
        self._caller: Caller | None = None

    def region(self) -> str | None:
        """The region that the settings name; `None`: the session's."""
        return None

    async def call(self, operation: str, **parameters: Any) -> Mapping[str, Any] | Answer:
        """Make one request: its response, or what it means that it failed.

        Args:
            operation: a method of botocore's client, such as `publish`.
            parameters: as botocore takes them.
        """
        if self.rehearsal is not None:
            self.rehearsal(api_call(self.settings, self.service, operation, parameters))
            return {}
        return await self._request(self.service, operation, parameters)

    async def attempt(self, operation: str, **parameters: Any) -> Answer:
        """Make one request whose response says no more than that it was taken; see `call`."""
        response = await self.call(operation, **parameters)
        return response if isinstance(response, Accepted | Retry | Rejected | Down) else Accepted()

    async def look(self, operation: str, **parameters: Any) -> Answer:
        """Make one request that only reads, to find out whether the service answers.

        That it is forbidden proves nothing: who may send need not be allowed to look.
        """
        answer = await self.attempt(operation, **parameters)
        return Accepted() if answer == Down("forbidden") else answer

    async def caller(self) -> Caller | Answer:
        """Whose credentials these are, asked of STS once (which needs no permission), or what it means that it failed.

        https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
        """
        if self._caller is None:
            response = await self._request("sts", "get_caller_identity", {})
            if isinstance(response, Accepted | Retry | Rejected | Down):
                return response
            arn = parse_arn(str(response.get("Arn", "")))
            self._caller = Caller(str(response.get("Account", "")), arn.partition if arn else "aws")
        return self._caller

    async def client(self, service: str | None = None) -> Any:
        """A client, of the channel's own service unless another is named.

        Its own retries are off: the dispatcher has them.
        """
        service = service or self.service
        async with self._opening:
            if service not in self._clients:
                if self._aws is None:
                    raise RuntimeError(f"the channel {self.name} was made without an AWS session")
                self._clients[service] = await self._open.enter_async_context(
                    self._aws.client(service, region=self.region(), connections=self.concurrency, attempts=1)
                )
            return self._clients[service]

    def judge(self, error: Exception) -> Answer:
        """Classify what a request ended in; a service whose codes don't say enough overrides this."""
        return classify_error(error, self.errors)

    async def aclose(self) -> None:
        """Close the clients."""
        self._clients.clear()
        await self._open.aclose()

    async def _request(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | Answer:
        try:
            async with asyncio.timeout(self.settings.timeout):
                response: Mapping[str, Any] = await getattr(await self.client(service), operation)(**parameters)
        except Exception as error:  # noqa: BLE001 - whatever no request ends in is raised again
            return self.judge(error)
        return response
