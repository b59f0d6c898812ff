"""What each target begins with: made here, so that it is as current as the code, and small."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Final

import yaml

from tests.decode.logs import log_file, ordinary, spelt
from tests.fuzz import notification, rules
from tests.intake.bodies import DIGEST, VALIDATION, in_sns, s3_entry, s3_event

_STOP: Final = {"eventName": "StopLogging", "requestParameters": {"name": "main"}}


def _drawn(kinds: bytes = b"") -> Iterator[bytes]:
    """For targets that draw from the bytes: a few of every length, with every first byte that means something."""
    random = Random(0)
    for kind in range(24):
        for size in (3, 40, 200):
            first = kinds[kind % len(kinds) :][:1] if kinds else b""
            yield first + bytes([kind]) + random.randbytes(size)


def _notifications() -> Iterator[bytes]:
    for body in notification.BODIES:
        yield json.dumps(body).encode()
        yield in_sns(json.dumps(body)).encode()
    yield s3_event(s3_entry(DIGEST), s3_entry(event="ObjectRemoved:Delete")).encode()
    yield VALIDATION.encode()
    yield in_sns(in_sns(s3_event())).encode()
    yield b"[" * 2000
    yield from _drawn(b"\0")


def _files() -> Iterator[bytes]:
    text = json.dumps({"Records": [_STOP, ordinary(1)]}).encode()
    for body in (
        text,
        b"\xef\xbb\xbf" + text,
        log_file(_STOP, ordinary(1)),
        gzip.compress(text[:20]) + gzip.compress(text[20:]) + bytes(9),
        gzip.compress(bytes(300_000)),
        b"\x1f\x8b",
        b"PK\x03\x04",
    ):
        for end in (b"\0\0\0\0\7\2", b"\1\11\0\0\5\1", b"\1\20\30\4\5\1"):
            yield body + end


def _texts() -> Iterator[bytes]:
    for seed in range(6):
        yield spelt({"Records": [_STOP, ordinary(seed), None, [_STOP]]}, Random(seed)).encode() + bytes(4)
    yield json.dumps({"Records": [_STOP], "x": [{"Records": [_STOP]}]}, indent=1).encode() + b"\5\1\3\1"
    yield b'{"Records":[' + b"[" * 3000 + b"\5\1\3\1"
    yield b'{"Records":[1],"\\u0052ecords":[{"eventName":"\\u0053topLogging"}]}' + bytes(4)
    yield b'{"Records":[{"eventName":"DeleteTrail","x":NaN,"y":"\\ud800"}]} ' + bytes(4)


def _rules() -> Iterator[bytes]:
    for rule in rules.RULES:
        yield yaml.safe_dump(rule).encode()
    yield from _drawn(b"\0\1")


_CORPUS: Final[Mapping[str, Callable[[], Iterator[bytes]]]] = {
    "notification": _notifications,
    "inflate": _files,
    "splitting": _texts,
    "records": _drawn,
    "rules": _rules,
    "impact": _drawn,
    "channels": _drawn,
}

TARGETS: Final = tuple(_CORPUS)
"""Names of the modules beside this one that have a `TestOneInput`."""


def corpus(target: str) -> list[bytes]:
    """The inputs that fuzzing a target begins with."""
    return list(_CORPUS[target]())
