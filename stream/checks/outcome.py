"""What a check comes to, and the IAM statement to paste where a permission is missing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

Status = Literal["ok", "warn", "FAIL"]

AWS_ERRORS: Final = (ClientError, BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)
"""What a request to AWS may end in, cut connections included."""

_FORBIDDEN: Final = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "UnauthorizedOperation",
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the report; `fix` says what to do, where there is something to do."""

    check: str
    status: Status
    evidence: str
    fix: str | None = None

    def __str__(self) -> str:
        """What is wrong, and below it what to do, for commands that end in it."""
        return "\n".join(filter(None, (f"{self.check}: {self.evidence}", self.fix)))


def allow(*statements: tuple[Sequence[str], str | Sequence[str]]) -> str:
    """A sentence that ends in IAM statements to paste, each made of its actions and its resource or resources."""
    documents = [
        {
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": resource if isinstance(resource, str) else list(resource),
        }
        for actions, resource in statements
    ]
    text = json.dumps(documents if len(documents) > 1 else documents[0], indent=2)
    return f"Allow it in the policy of the identity above:\n{text}"


def partition(region: str) -> str:
    """The part of the AWS world that a region is in, as ARNs begin with it."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def error_code(error: BaseException) -> str:
    """AWS's own error code, or the class of the exception; never its text, which may quote anything."""
    if isinstance(error, ClientError):
        return str(_response(error, "Error").get("Code", "") or error_status(error))[:80]
    return type(error).__name__


def error_status(error: BaseException) -> int:
    """The HTTP status of AWS's answer, 0 if there was none."""
    return int(_response(error, "ResponseMetadata").get("HTTPStatusCode", 0)) if isinstance(error, ClientError) else 0


def is_forbidden(error: BaseException) -> bool:
    """Whether AWS knows who we are, and refuses."""
    return isinstance(error, ClientError) and error_code(error).rpartition(".")[2] in _FORBIDDEN


def _response(error: ClientError, part: str) -> dict[str, Any]:
    found: dict[str, Any] = error.response.get(part, {})
    return found
