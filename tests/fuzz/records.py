"""Log files of any records in any spelling, compressed: every record whose name is looked for comes out."""

import gzip
import json
from random import Random

from tests.decode.logs import matching, read, read_until_fault, spelt
from tests.fuzz.draw import Draw


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One file; the first bytes say how it is spelt and whether it is damaged."""
    draw = Draw(data)
    random, flip, at, cut = Random(draw.byte()), draw.byte(), draw.byte(), draw.byte()
    records = [
        {"eventName": draw.one_of(("StopLogging", "DeleteTrail", "GetTrail", None)), "x": draw.json()}
        if draw.byte() % 4
        else draw.json()
        for _ in range(draw.byte() % 8)
    ]
    text = spelt({"Records": records}, random)
    body = bytearray(gzip.compress(text.encode("utf-8", "backslashreplace"), 1))
    if flip % 4 == 1:
        body[at * 31 % len(body)] ^= flip
        read_until_fault(bytes(body))
        return
    assert _plain(matching(read(bytes(body), (at * 7, cut * 31)))) == _plain(matching(json.loads(text)["Records"]))


def _plain(value: object) -> str:
    """So that a NaN is the same as another, and an integer of more than 64 bits as the float that stands for it."""
    text = json.dumps(value, sort_keys=True)
    return json.dumps(json.loads(text, parse_int=_number), sort_keys=True)


def _number(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(number)
