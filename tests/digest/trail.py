"""A trail with log file validation, of our own making: signed with our own key, and tampered with as wanted."""

import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ACCOUNT: Final = "111122223333"
REGION: Final = "us-east-1"
HOUR: Final = 3600
KEYS: Final = [rsa.generate_private_key(65_537, 2048) for _ in range(2)]
"""CloudTrail's, and an intruder's."""


def public(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def fingerprint(key: rsa.RSAPublicKey) -> str:
    return hashlib.md5(public(key), usedforsecurity=False).hexdigest()


def clock(unix: float, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return datetime.fromtimestamp(unix, UTC).strftime(form)


@dataclass
class Trail:
    """What CloudTrail delivers, hour by hour, the last of them an hour that is not over.

    Attributes:
        s3: aiobotocore's client.
        bucket: where to.
        end: Unix time of the last digest's end.
        records: that each hour's first log file holds.
        digests: keys of digests, oldest first; `logs`: of the log files of each hour.
    """

    s3: Any
    bucket: str
    end: float
    prefix: str = ""
    account: str = ACCOUNT
    region: str = REGION
    name: str = "main"
    backfill: bool = False
    records: list[dict[str, Any]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    logs: list[list[str]] = field(default_factory=list)
    _previous: dict[str, Any] = field(default_factory=dict)

    def folder(self, kind: str, at: float) -> str:
        return f"{self.prefix}AWSLogs/{self.account}/{kind}/{self.region}/{clock(at, '%Y/%m/%d')}/"

    async def deliver(self, hours: int, *, logs: int = 2, first: bool = True, tamper: bool = False) -> None:
        """So many hours of log files and their digests, up to `end`; may alter the first log file before its digest."""
        if first:
            self._previous = {}
        for hour in range(hours):
            end = self.end - (hours - 1 - hour) * HOUR
            await self._hour(end, logs, tamper=tamper)

    async def _hour(self, end: float, logs: int, *, tamper: bool) -> None:
        listed, keys = [], []
        for number in range(logs):
            at = end - HOUR + 60 * (number + 1)
            key = (
                f"{self.folder('CloudTrail', at)}{self.account}_CloudTrail_{self.region}_"
                f"{clock(at, '%Y%m%dT%H%MZ')}_{number:016}.json.gz"
            )
            text = json.dumps({"Records": [{"eventID": key}, *([] if number else self.records)]}).encode()
            await self.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(text))
            listed.append(
                {
                    "s3Bucket": self.bucket,
                    "s3Object": key,
                    "hashValue": hashlib.sha256(text).hexdigest(),
                    "hashAlgorithm": "SHA-256",
                    "newestEventTime": clock(at),
                    "oldestEventTime": clock(at),
                }
            )
            keys.append(key)
        self.logs.append(keys)
        if tamper:
            await self.rewrite(keys[0], b"{}")
        await self.sign(end, listed)

    async def log(self, at: float, *records: dict[str, Any], name: str = "0000000000stranger") -> str:
        """A log file that no digest lists; its key."""
        stamp = clock(at, "%Y%m%dT%H%MZ")
        key = f"{self.folder('CloudTrail', at)}{self.account}_CloudTrail_{self.region}_{stamp}_{name:.16}.json.gz"
        await self.s3.put_object(
            Bucket=self.bucket, Key=key, Body=gzip.compress(json.dumps({"Records": records}).encode())
        )
        return key

    def call(self, name: str, at: float, **parameters: Any) -> dict[str, Any]:
        """A record of a call to the trail."""
        return {
            "eventSource": "cloudtrail.amazonaws.com",
            "eventName": name,
            "eventTime": clock(at),
            "eventID": f"id-of-{name}",
            "userIdentity": {"arn": "arn:aws:iam::111122223333:user/mallory\u202e"},
            "requestParameters": {"name": f"arn:aws:cloudtrail:{REGION}:{self.account}:trail/{self.name}"} | parameters,
        }

    def key_at(self, end: float) -> str:
        name = f"{self.account}_CloudTrail-Digest_{self.region}_{self.name}_{REGION}"
        time = clock(end, "%Y%m%dT%H%M%SZ") + self.backfill * "_backfill"
        return f"{self.folder('CloudTrail-Digest', end)}{name}_{time}.json.gz"

    async def sign(self, end: float, listed: list[dict[str, Any]], *, by: int = 0, chained: bool = True) -> None:
        """Deliver a digest of these log files."""
        key, signer = self.key_at(end), KEYS[by]
        nothing = dict.fromkeys(("Bucket", "Object", "HashValue", "HashAlgorithm", "Signature"))
        previous = self._previous if chained and self._previous else nothing
        document = {
            "awsAccountId": self.account,
            "digestStartTime": clock(end - HOUR),
            "digestEndTime": clock(end),
            "digestS3Bucket": self.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": fingerprint(signer.public_key()),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": clock(end),
            "oldestEventTime": clock(end - HOUR),
            "previousDigestS3Bucket": previous["Bucket"],
            "previousDigestS3Object": previous["Object"],
            "previousDigestHashValue": previous["HashValue"],
            "previousDigestHashAlgorithm": previous["HashAlgorithm"],
            "previousDigestSignature": previous["Signature"],
            "logFiles": listed,
        }
        text = json.dumps(document).encode()
        sha256 = hashlib.sha256(text).hexdigest()
        signed = f"{clock(end)}\n{self.bucket}/{key}\n{sha256}\n{previous['Signature'] or 'null'}"
        signature = signer.sign(signed.encode(), PKCS1v15(), SHA256()).hex()
        await self.s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=gzip.compress(text),
            Metadata={"signature": signature, "signature-algorithm": "SHA256withRSA"},
        )
        if not self.digests or self.digests[-1] != key:
            self.digests.append(key)
        self._previous = {
            "Bucket": self.bucket,
            "Object": key,
            "HashValue": sha256,
            "HashAlgorithm": "SHA-256",
            "Signature": signature,
        }

    async def delete(self, *keys: str) -> None:
        for key in keys:
            await self.s3.delete_object(Bucket=self.bucket, Key=key)

    async def rewrite(self, key: str, text: bytes) -> None:
        """Somebody writes other content; the metadata stays."""
        found = await self.s3.head_object(Bucket=self.bucket, Key=key)
        await self.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(text), Metadata=found["Metadata"])

    async def text(self, key: str) -> bytes:
        found = await self.s3.get_object(Bucket=self.bucket, Key=key)
        return gzip.decompress(await found["Body"].read())


@asynccontextmanager
async def cloudtrail(*, refuses: bool = False) -> AsyncIterator[str]:
    """The address of a CloudTrail that knows one public key."""

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["X-Amz-Target"].endswith("ListPublicKeys")
        if refuses:
            return web.json_response({"__type": "AccessDeniedException"}, status=400)
        key = KEYS[0].public_key()
        found = {
            "Value": base64.b64encode(public(key)).decode(),
            "Fingerprint": fingerprint(key),
            "ValidityStartTime": 0,
            "ValidityEndTime": 4_000_000_000,
        }
        return web.json_response({"PublicKeyList": [found]}, content_type="application/x-amz-json-1.1")

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
