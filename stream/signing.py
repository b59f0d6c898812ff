"""AWS's Signature Version 4: a request in, its `Authorization` and the headers that go with it out.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The same as botocore's
signers, by test, at a tenth of their time: the key of a day is made once, and a request is never parsed again.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

ALGORITHM: Final = "AWS4-HMAC-SHA256"
NO_PAYLOAD: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose request it is."""

    access_key: str
    secret_key: str
    token: str | None


def signed(
    credentials: Credentials,
    *,
    service: str,
    region: str,
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload_hash: str,
    now: float,
) -> dict[str, str]:
    """The headers to send: those given, and what makes the request a signed one.

    Args:
        credentials: whose it is.
        service: as AWS signs it (`s3`, `sqs`).
        region: likewise.
        method: of HTTP.
        host: as the `Host` header will say it, with the port unless it is the scheme's own.
        path: as it will be sent, quoted.
        query: as it will be sent, quoted, its parameters in the order of their names.
        headers: names in lower case.
        payload_hash: SHA-256 of the body in hexadecimal digits.
        now: Unix time.
    """
    moment = _moment(int(now))
    day = moment[:8]
    sent = dict(headers)
    sent["x-amz-date"] = moment
    if service == "s3":
        sent["x-amz-content-sha256"] = payload_hash
    if credentials.token:
        sent["x-amz-security-token"] = credentials.token
    counted = {**sent, "host": host}
    names = sorted(counted)
    lines = "".join([f"{name}:{' '.join(counted[name].split())}\n" for name in names])
    signed_names = ";".join(names)
    request = f"{method}\n{path}\n{query}\n{lines}\n{signed_names}\n{payload_hash}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = _signature(_key(credentials.secret_key, day, region, service), text.encode())
    sent["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed_names}, Signature={signature}"
    )
    return sent


@lru_cache(maxsize=4)
def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str, service: str) -> hmac.HMAC:
    """The key of a day, begun to sign with: what is the same in each signature is hashed once."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def _signature(begun: hmac.HMAC, text: bytes) -> str:
    signing = begun.copy()
    signing.update(text)
    return signing.hexdigest()
