"""Log files in many spellings, and the plain reading of them that the decoder is held against."""

import gzip
import json
import zlib
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import strategies as st

from stream.decode import Literal, LogDecoder, Prefilter, Record
from stream.errors import LogFileError

NAMES = ("StopLogging", "DeleteTrail", "AddTags")
LITERALS = frozenset(Literal(name) for name in NAMES)
PREFILTER = Prefilter(LITERALS)
MIB = 1024 * 1024


def decoder(prefilter: Prefilter = PREFILTER, *, record: int = 4 * MIB, log: int = 64 * MIB) -> LogDecoder:
    return LogDecoder(prefilter, max_record_bytes=record, max_log_bytes=log)


def read(body: bytes, cuts: Sequence[int] = (), **limits: int) -> list[dict[str, Any]]:
    """All candidates of a file that arrives in chunks cut at these offsets."""
    reading = decoder(PREFILTER, **limits)
    found: list[Record] = []
    edges = [0, *sorted({cut % (len(body) + 1) for cut in cuts}), len(body)]
    for start, end in pairwise(edges):
        found += reading.feed(body[start:end])
    return [*found, *reading.finish()]


def read_until_fault(body: bytes, **limits: int) -> tuple[list[dict[str, Any]], str | None]:
    """The candidates, and the reason of the fault that ended the reading, if there was one."""
    reading = decoder(PREFILTER, **limits)
    try:
        found = [*reading.feed(body), *reading.finish()]
    except LogFileError as error:
        return reading.take(), error.reason
    return found, None


def matching(records: object) -> list[dict[str, Any]]:
    """What a full parse finds: the elements whose eventName is one of ours."""
    elements = records if isinstance(records, list) else []
    return [
        element
        for element in elements
        if isinstance(element, dict) and str(element.get("eventName")).lower() in [name.lower() for name in NAMES]
    ]


def gz(text: bytes) -> bytes:
    """Always the same bytes: they are in tests' names, by which two processes know that they mean the same tests."""
    return gzip.compress(text, 1, mtime=0)


def log_file(*records: object, indent: int | None = None) -> bytes:
    return gz(json.dumps({"Records": list(records)}, indent=indent).encode())


def ordinary(index: int) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventName": "DescribeInstances",
        "eventID": f"ordinary-{index}",
        "requestParameters": {"items": [{"eventVersion": index}, {"eventVersion": "x" * (index % 97)}]},
    }


# How something is spelt comes from a seed: hypothesis would take most of a test's time for each character's choice.
SEEDS = st.integers(0, 2**64).map(Random)


def spell(text: str, random: Random) -> str:
    """A JSON string of this text, some of its characters as escapes."""
    out = []
    for character in text:
        if ord(character) < 0x10000 and random.random() < 0.1:
            code = f"{ord(character):04x}"
            out.append("\\u" + (code.upper() if random.random() < 0.5 else code))
        else:
            out.append(json.dumps(character, ensure_ascii=random.random() < 0.5)[1:-1])
    return '"' + "".join(out) + '"'


def spelt(value: object, random: Random) -> str:
    """Any JSON text of a value: white space, escapes, repeated keys of which the last one counts."""
    space = random.choice(["", "", " ", "\n", "\r\n\t"])
    if isinstance(value, str):
        return spell(value, random)
    if isinstance(value, list):
        return "[" + space + f"{space},{space}".join(spelt(each, random) for each in value) + space + "]"
    if isinstance(value, dict):
        members = []
        for key, member in random.sample(list(value.items()), k=len(value)):
            if random.random() < 0.125:
                members.append(spell(key, random) + ":" + random.choice(['"StopLogging"', "null", "[{}]"]))
            members.append(spell(key, random) + space + ":" + space + spelt(member, random))
        return "{" + space + f"{space},{space}".join(members) + space + "}"
    return json.dumps(value)


TEXTS = st.one_of(
    st.sampled_from([*NAMES, "stoplogging", "STOPLOGGING", '},{"eventVersion"', "]}", "\\", '"', "\u2028", "é", "😀"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries(
    {"eventVersion": st.just("1.08"), "eventID": st.uuids().map(str)},
    optional={
        "eventName": st.one_of(st.sampled_from([*NAMES, "stoplogging", "GetObject"]), VALUES),
        "requestParameters": VALUES,
        "userAgent": TEXTS,
        "nested": st.fixed_dictionaries({"eventName": st.sampled_from(NAMES)}),
    },
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The JSON text of a whole log file."""
    elements = draw(st.lists(st.one_of(RECORDS, RECORDS, RECORDS, VALUES), max_size=8))
    random = draw(SEEDS)
    members = [(spell("Records", random), spelt(elements, random))]
    if draw(st.booleans()):
        members.insert(draw(st.integers(0, 1)), (spell("meta", random), spelt({"Records": elements}, random)))
    if draw(st.integers(0, 5)) == 0:
        members.append(('"Records"', spelt(draw(st.lists(RECORDS, max_size=3)), random)))
    inside = ",".join(f"{key}:{value}" for key, value in members)
    return draw(st.sampled_from(["", "\ufeff", " \n"])) + "{" + inside + "}" + draw(st.sampled_from(["", "\n "]))


@st.composite
def compressed(draw: st.DrawFn, body: bytes) -> bytes:
    """These bytes as gzip of one or several members, padded or not, or as they are."""
    if draw(st.integers(0, 3)) == 0:
        return body
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
    edges = [0, *cuts, len(body)]
    members = b"".join(
        gzip.compress(body[start:end], draw(st.sampled_from([0, 1, 9]))) for start, end in pairwise(edges)
    )
    return members + b"\0" * draw(st.sampled_from([0, 0, 1, 700]))


def giant(inner: bytes, repeats: int, tail: bytes = b"") -> bytes:
    """gzip of a log file whose array holds `inner` so often, and then `tail`; made without holding it inflated."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"Records":[' + inner)]
    parts += [packer.compress(b"," + inner) for _ in range(repeats - 1)]
    parts += [packer.compress((b"," + tail if tail else b"") + b"]}"), packer.flush()]
    return b"".join(parts)
