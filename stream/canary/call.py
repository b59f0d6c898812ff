"""The call itself: sts:GetCallerIdentity, which needs no permission, changes nothing, and is a management event."""

from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.caller import caller
from stream.canary.mark import user_agent
from stream.canary.watch import CanaryError
from stream.trails import ERRORS


async def call(aws: Aws, token: str) -> str:
    """Make it; the account of whoever made it.

    Raises:
        CanaryError: it could not be made.
    """
    try:
        return (await caller(aws, user_agent=user_agent(token))).account
    except ERRORS as error:
        raise CanaryError("refused" if isinstance(error, ClientError) else "connection") from error
