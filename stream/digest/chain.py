"""One trail's digests of one account and region, newest first: what is missing, altered or new about them.

Each names the one before it, with its hash and its signature: who deletes or changes one is found out by the next, and
who signs with another key by the signature. A digest that can't be believed vouches for nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from stream.digest.digest import Digest, DigestError, Place, Previous
from stream.digest.finding import Finding

HOUR_S: Final = 3600.0
LATE_S: Final = 3 * HOUR_S
"""A digest is delivered within the hour after the one that it covers, as a rule; so much later there should be one."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A digest file as it lies there: its bytes, and the signature that its metadata has."""

    body: bytes
    signature: str


Fetch = Callable[[str], Awaitable[Fetched | None]]
"""Gets an object by its key; `None`: it is gone. Raises `Unreadable`."""
PublicKey = Callable[[str, str, float], Awaitable[bytes | None]]
"""Gets a region's public key by its fingerprint, valid at a time; `None`: there is none. Raises `Unreadable`."""


class Unreadable(Exception):
    """Something can't be looked at; the message says why."""


async def walk(
    bucket: str,
    places: Sequence[Place],
    fetch: Fetch,
    public_key: PublicKey,
    *,
    since: float,
    until: float,
) -> AsyncIterator[Digest | Finding]:
    """Look at a chain, from its newest digest on.

    Args:
        bucket: where it is.
        places: of its digests that are there; any order.
        fetch: gets one.
        public_key: finds who may have signed it.
        since: Unix time; before it nothing is expected.
        until: likewise; the moment up to which digests are expected to be there.

    Yields:
        Digests that are proven, and what is wrong.
    """
    expected: Previous | None = None
    newer: Digest | None = None
    ordered = sorted(places, key=lambda place: place.end, reverse=True)
    if ordered and until - ordered[0].end > LATE_S and not ordered[0].backfill:
        last = _clock(ordered[0].end)
        detail = f"none came after that of {last}: logging or validation was stopped, or they were deleted"
        yield Finding("digest_missing", bucket, ordered[0].root, detail, gap=(ordered[0].end, until))
    for place in ordered:
        if expected is not None and newer is not None and expected.key != place.key:
            for finding in _missing(bucket, expected, newer, place):
                yield finding
            expected = None
        try:
            fetched = await fetch(place.key)
            if fetched is None:
                yield Finding("digest_missing", bucket, place.key, "it was deleted while this was running")
                expected = newer = None
                continue
            digest = await _proven(bucket, place, fetched, public_key)
            if expected is not None and (digest.sha256 != expected.sha256 or fetched.signature != expected.signature):
                raise DigestError("it is not the one that the next digest names")
        except DigestError as error:
            yield Finding("digest_altered", bucket, place.key, str(error))
            expected = newer = None
            continue
        except Unreadable as error:
            yield Finding("unreadable", bucket, place.key, str(error))
            expected = newer = None
            continue
        if newer is not None and newer.previous is None:
            detail = (
                f"validation began anew at {_clock(newer.start)}; the digest before it ends at {_clock(digest.end)}"
            )
            yield Finding("chain_restarted", bucket, newer.key, detail, gap=(digest.end, newer.start))
        yield digest
        expected, newer = digest.previous, digest
    if expected is not None and (place_before := Place.of(expected.key)) and place_before.end >= since:
        yield Finding("digest_missing", bucket, expected.key, "the digest after it names it, and it is not there")


async def _proven(bucket: str, place: Place, fetched: Fetched, public_key: PublicKey) -> Digest:
    digest = Digest.parse(fetched.body)
    if (digest.bucket, digest.key) != (bucket, place.key):
        raise DigestError("it is not where it was delivered")
    if not fetched.signature:
        raise DigestError("it has no signature")
    key = await public_key(place.region, digest.fingerprint, digest.end)
    if key is None:
        raise DigestError("CloudTrail knows no such key")
    digest.prove(fetched.signature, key)
    return digest


def _missing(bucket: str, expected: Previous, newer: Digest, older: Place) -> list[Finding]:
    """The digest that is named and not there, and those before it that nobody names any more."""
    found = [Finding("digest_missing", bucket, expected.key, "the digest after it names it, and it is not there")]
    named = Place.of(expected.key)
    hours = round(((named.end if named else newer.start) - older.end) / HOUR_S)
    if older.backfill:
        return found  # they come when there is something to list, and not by the hour
    for hour in range(hours - 1, 0, -1):
        detail = f"one that ended at about {_clock(older.end + hour * HOUR_S)}; nothing that is left names it"
        found.append(Finding("digest_missing", bucket, older.root, detail, gap=(older.end, newer.start)))
    return found


def _clock(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
