"""What all channels that speak to AWS share: a client of the process's session, and AWS's errors classified.

https://docs.aws.amazon.com/general/latest/gr/api-error-handling.html and the "Errors" of each action.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from stream.deliver.channel import Accepted, Answer, Channel, Down, Rejected, Retry
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
_UNAUTHORIZED: Final = frozenset(
    {
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
_THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
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
    return Retry("throttled") if code in _THROTTLED else None


def _client_error(error: ClientError, own: Mapping[str, Answer]) -> Answer:
    response: Mapping[str, Any] = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    if (answer := classify_code(code, own)) is not None:
        return answer
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status == 429:
        return Retry("throttled")
    if status >= 500 or not status:
        return Retry("server_error")
    if status == 403:
        return Down("forbidden")
    return Rejected("too_large" if status == 413 else "bad_request")


class AwsChannel(Channel):
    """A channel that calls one AWS service, by one client that is made at its first request.

    Attributes:
        service: as botocore names it.
        errors: what this service means by its own codes.
    """

    service: ClassVar[str]
    errors: ClassVar[Mapping[str, Answer]] = {}

    def __init__(self, settings: ChannelSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._open = AsyncExitStack()
        self._client: Any = None
        self._opening = asyncio.Lock()

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
        try:
            async with asyncio.timeout(self.settings.timeout):
                response: Mapping[str, Any] = await getattr(await self.client(), operation)(**parameters)
        except Exception as error:  # noqa: BLE001 - whatever no request ends in is raised again
            return classify_error(error, self.errors)
        return response

    async def attempt(self, operation: str, **parameters: Any) -> Answer:
        """Make one request whose response says no more than that it was taken; see `call`."""
        response = await self.call(operation, **parameters)
        return response if isinstance(response, Accepted | Retry | Rejected | Down) else Accepted()

    async def client(self) -> Any:
        """The client. Its own retries are off: the dispatcher has them."""
        async with self._opening:
            if self._client is None:
                if self._aws is None:
                    raise RuntimeError(f"the channel {self.name} was made without an AWS session")
                self._client = await self._open.enter_async_context(
                    self._aws.client(self.service, region=self.region(), connections=self.concurrency, attempts=1)
                )
            return self._client

    async def aclose(self) -> None:
        """Close the client."""
        self._client = None
        await self._open.aclose()
