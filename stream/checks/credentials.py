"""Who AWS takes us for."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from stream.aws import Aws
from stream.checks.outcome import AWS_ERRORS, Outcome, error_code
from stream.intake.faults import UNREACHABLE

_CHECK = "credentials"
_UNUSABLE = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


def session_fault(error: BaseException) -> Outcome | None:
    """What is wrong with the credentials or AWS's settings, where it is for want of them that a request failed."""
    if isinstance(error, _UNUSABLE):
        return _unusable(error)
    if isinstance(error, BotoCoreError | ValueError) and not isinstance(error, UNREACHABLE):
        return settings_fault(error)
    return None


def settings_fault(error: BaseException) -> Outcome:
    """What is wrong with AWS's settings: such as an endpoint that is no URL, or a profile that isn't there."""
    return Outcome(
        "AWS",
        "FAIL",
        f"its settings can't be used: {type(error).__name__}",
        "Look at AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SQS, _S3, _STS.",
    )


def _unusable(error: BaseException) -> Outcome:
    return Outcome(
        _CHECK,
        "FAIL",
        f"the standard chain has none that can be used ({error_code(error)})",
        "Give the pod a role (IRSA, EKS Pod Identity), set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY.",
    )


async def check_credentials(aws: Aws) -> Outcome:
    """Ask STS, which every identity may ask."""
    try:
        async with aws.client("sts", attempts=1) as sts:
            identity = await sts.get_caller_identity()
    except _UNUSABLE as error:
        return _unusable(error)
    except ClientError as error:
        return Outcome(
            _CHECK, "FAIL", f"STS refuses them: {error_code(error)}", "Renew them: they are expired, revoked or wrong."
        )
    except AWS_ERRORS as error:
        return Outcome(
            _CHECK,
            "warn",
            f"STS can't be reached from here ({error_code(error)}), so that nobody can say who we are",
            "Only this check needs it, unless the role is assumed by a web identity: then allow traffic to STS in "
            f"{aws.region}.",
        )
    return Outcome(_CHECK, "ok", f"{identity['Arn']} in account {identity['Account']}")
