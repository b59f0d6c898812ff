"""One digest file: its bytes and its signature in, what it vouches for out.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

ALGORITHM: Final = "SHA256withRSA"
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of its JSON: about a hundred thousand log files in an hour."""

_KEY: Final = re.compile(
    r"(?P<root>(?:.*/)?AWSLogs/(?:o-[a-z0-9]{1,32}/)?(?P<account>\d{12})/CloudTrail-Digest/(?P<region>[a-z0-9-]{1,32})/)"
    r"\d{4}/\d{2}/\d{2}/(?P<chain>\d{12}_CloudTrail-Digest_[a-z0-9-]+_(?P<trail>[^/]+?)_(?P<home>[a-z0-9-]+))_(?P<end>\d{8}T\d{6}Z)(?P<more>_[^/]*)?\.json\.gz"
)
_HEX: Final = re.compile(r"[0-9a-fA-F]+")


class DigestError(Exception):
    """A digest file that is none, or does not prove what it says."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a digest file's key says.

    Attributes:
        key: of the object.
        root: what comes before the date: the folder of one account and region.
        account: whose records.
        region: where they were made.
        chain: the digests of one trail: part of the name, with the trail's own and its home region.
        trail: its name.
        home: its home region, where it is stopped and changed.
        end: Unix time of the end of what it covers.
        backfill: it lists what CloudTrail delivered late, beside the hourly ones.
    """

    key: str
    root: str
    account: str
    region: str
    chain: str
    trail: str
    home: str
    end: float
    backfill: bool = False

    @classmethod
    def of(cls, key: str) -> "Place | None":
        """Of an object's key; `None` if it is no digest file's."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        try:
            end = datetime.strptime(found["end"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
        return cls(
            key,
            found["root"],
            found["account"],
            found["region"],
            found["chain"] + (found["more"] or ""),
            found["trail"],
            found["home"],
            end,
            bool(found["more"]),
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A log file as a digest lists it; `sha256` is of its JSON, in hexadecimal digits."""

    bucket: str
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Previous:
    """The digest before, as the one after it names it."""

    bucket: str
    key: str
    sha256: str
    signature: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What a digest file says; it is believed only once `prove` has returned.

    Attributes:
        bucket: where it was delivered; `key` likewise.
        start: Unix time; with `end`, what was delivered between is listed.
        fingerprint: of the key that signed it.
        previous: the one before; `None`: it begins a chain.
        logs: what was delivered.
        sha256: of its JSON.
    """

    bucket: str
    key: str
    start: float
    end: float
    end_text: str
    fingerprint: str
    algorithm: str
    previous: Previous | None
    logs: tuple[Listed, ...]
    sha256: str

    @classmethod
    def parse(cls, body: bytes) -> "Digest":
        """Read an object's bytes.

        Raises:
            DigestError: it is none.
        """
        text = _inflated(body)
        try:
            data: dict[str, Any] = orjson.loads(text)
            previous = None
            if data["previousDigestS3Object"] is not None:
                previous = Previous(
                    str(data["previousDigestS3Bucket"]),
                    str(data["previousDigestS3Object"]),
                    str(data["previousDigestHashValue"]).lower(),
                    str(data["previousDigestSignature"]),
                )
            return cls(
                bucket=str(data["digestS3Bucket"]),
                key=str(data["digestS3Object"]),
                start=_time(data["digestStartTime"]),
                end=_time(data["digestEndTime"]),
                end_text=data["digestEndTime"],
                fingerprint=str(data["digestPublicKeyFingerprint"]),
                algorithm=str(data["digestSignatureAlgorithm"]),
                previous=previous,
                logs=tuple(
                    Listed(str(log["s3Bucket"]), str(log["s3Object"]), str(log["hashValue"]).lower())
                    for log in data["logFiles"]
                ),
                sha256=hashlib.sha256(text).hexdigest(),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DigestError(f"it is no digest file ({type(error).__name__})") from error

    def signed_text(self) -> bytes:
        """What is signed.

        https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
        """
        previous = self.previous.signature if self.previous else "null"
        return f"{self.end_text}\n{self.bucket}/{self.key}\n{self.sha256}\n{previous}".encode()

    def prove(self, signature: str, public_key: bytes) -> None:
        """See whether a key has signed it.

        Args:
            signature: in hexadecimal digits.
            public_key: PKCS #1, DER, as ListPublicKeys gives it.

        Raises:
            DigestError: it has not.
        """
        if self.algorithm != ALGORITHM or not _HEX.fullmatch(signature) or len(signature) % 2:
            raise DigestError("its signature is of a kind that CloudTrail does not use")
        try:
            key = load_der_public_key(public_key)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise DigestError("the public key can't be read") from error
        if not isinstance(key, RSAPublicKey):
            raise DigestError("the public key is none of RSA")
        try:
            key.verify(bytes.fromhex(signature), self.signed_text(), PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise DigestError("its signature does not fit") from error


def _time(text: Any) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = inflater.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise DigestError("its gzip is damaged") from error
    if inflater.unconsumed_tail:
        raise DigestError("it is too large")
    if not inflater.eof or inflater.unused_data:
        raise DigestError("its gzip is damaged")
    return text
