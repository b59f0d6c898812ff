"""Whose credentials these are: sts:GetCallerIdentity, which everybody may call, signed here.

A client of botocore's would do; it takes eleven megabytes, for one call at the start.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

import hashlib
import re
import time
from dataclasses import dataclass
from html import unescape
from typing import Final

import aiohttp
from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.http import Origin, Response
from stream.signing import signed

_BODY: Final = b"Action=GetCallerIdentity&Version=2011-06-15"
_FORM: Final = "application/x-www-form-urlencoded; charset=utf-8"
_STALL_S: Final = 10.0
_MAX_ANSWER_BYTES: Final = 64 * 1024
_OPERATION: Final = "GetCallerIdentity"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose they are.

    Attributes:
        account: its id.
        arn: of the user, or of the role's session.
    """

    account: str
    arn: str


async def caller(aws: Aws, *, user_agent: str = "") -> Caller:
    """Ask STS, once.

    Args:
        aws: the session.
        user_agent: a word to put into it beside our own.

    Raises:
        ClientError: STS refuses.
        BotoCoreError: there are no credentials.
        OSError: there was no answer, or none that can be read.
    """
    origin = Origin.of(await aws.endpoint("sts", aws.region))
    headers = signed(
        await aws.credentials(),
        service="sts",
        region=aws.region,
        method="POST",
        host=origin.authority,
        path="/",
        query="",
        headers={"content-type": _FORM},
        payload_hash=hashlib.sha256(_BODY).hexdigest(),
        now=time.time(),
    )
    try:
        async with (
            aws.http(stall_s=_STALL_S, user_agent=user_agent) as http,
            http.request("POST", origin, "/", headers, _BODY) as answer,
        ):
            text = (await _text(answer)).decode("utf-8", "replace")
            status = answer.status
    except (aiohttp.ClientError, OSError) as error:
        aws.count("sts", _OPERATION, "error")
        raise ConnectionError(f"STS does not answer ({type(error).__name__})") from error
    aws.count("sts", _OPERATION, str(status))
    account, arn = _element(text, "Account"), _element(text, "Arn")
    if status != 200 or not account or not arn:
        refusal = {"Code": _element(text, "Code") or str(status), "Message": ""}
        raise ClientError({"Error": refusal, "ResponseMetadata": {"HTTPStatusCode": status}}, _OPERATION)
    return Caller(account, arn)


async def _text(answer: Response) -> bytes:
    text = b""
    while len(text) < _MAX_ANSWER_BYTES and (part := await answer.read()):
        text += part
    return text


def _element(text: str, name: str) -> str:
    """What an element of the answer says that holds nothing but text; empty if there is none."""
    found = re.search(rf"<{name}>([^<]{{1,2048}})</{name}>", text)
    return unescape(found[1]) if found else ""
