r"""Literals in, a prefilter out that proves their absence: what it does not hit can hold none, in any JSON spelling.

A literal is searched in either ASCII case. JSON may spell one of its characters as an escape (`\u0053topLogging`): a
sentinel pattern hits every escape that could stand for such a character, and a hit only ever means "look closely".

Literals of one member (`"eventName":"StopLogging"`) are one pattern that begins with the member's name. An engine has
to look closely at that name alone, and goes through 150 literals at more than twice the speed. The same pattern hits
the name wherever something else follows it than a text as CloudTrail and JSON's usual writers set it.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, Final

from stream.decode.literals import Literal
from stream.logger import logger

hyperscan: Any
try:
    hyperscan = import_module("hyperscan")
except ImportError:  # no wheel for this platform: the standard library's engine is as right, only slower
    hyperscan = None

_UNSAFE: Final = frozenset('"\\/')
"""Characters that JSON spells in further ways (`\\"`, `\\\\`, `\\/`): no part of a literal."""

_MAX_ALTERNATION: Final = 12_000
"""Characters of a pattern's alternatives; Hyperscan takes patterns of 16,000 at most."""

Search = Callable[[bytes], bool]


class Prefilter:
    """Answers whether a stretch of JSON could hold one of the literals.

    With `None` for the literals (a rule that has none) the answer is always yes. May be used from several threads.
    """

    def __init__(self, literals: Iterable[Literal] | None) -> None:
        self.literals = None if literals is None else tuple(sorted(set(literals)))
        self.longest_bytes = max(map(_span, self.literals or ()), default=0)
        """Of the longest match: two stretches that overlap by as much hide nothing at their seam."""
        self.search: Search = _always if self.literals is None else _engine(self.literals)
        """Whether these bytes may hold a literal. They have to be whole records: nothing is remembered of the last."""


def patterns(literals: Iterable[Literal]) -> list[bytes]:
    r"""Regular expressions for the literals, and one for the escapes that could spell them, for bytes of JSON.

    Raises:
        ValueError: a literal is empty or has a character outside printable ASCII, or `"`, `\` or `/`.
    """
    expressions = []
    keyed: dict[str, list[str]] = {}
    characters: set[str] = set()
    for literal in literals:
        for text in filter(None, (literal.text, literal.member)) if literal.text else ("",):
            if not text or not text.isascii() or not text.isprintable() or _UNSAFE & set(text):
                raise ValueError(f"not a text that can be searched for in JSON: {text!r}")
            characters.update(text.lower(), text.upper())
        if literal.member:
            keyed.setdefault(literal.member, []).append(literal.text)
        else:
            quote = '"' if literal.whole else ""
            expressions.append(f"{quote}{re.escape(literal.text)}{quote}".encode())
    for member, texts in keyed.items():
        expressions += _keyed(member, texts)
    if characters:
        codes = "|".join(sorted(f"{ord(character):02x}" for character in characters))
        expressions.append(rf"\\u00(?:{codes})".encode())
    return expressions


def _keyed(member: str, texts: Iterable[str]) -> Iterator[bytes]:
    """Expressions for any of the texts as a member's value, and for a value that is written in another way."""
    anything_else = '[^:]|:[^ "]|: [^"]'  # than :"text" and : "text"; of arrays and of more white space, for instance
    for part in _parts([re.escape(text) for text in texts]):
        yield f'"{re.escape(member)}"(?:: ?"(?:{"|".join(part)})"|{anything_else})'.encode()


def _parts(texts: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for text in texts:
        if part and sum(map(len, part)) + len(part) + len(text) > _MAX_ALTERNATION:
            yield part
            part = []
        part.append(text)
    yield part


def _span(literal: Literal) -> int:
    """Bytes of a literal's longest match, with its quotes, or of an escape."""
    name = len(f'"{literal.member}": ') if literal.member else 0
    return max(name + len(f'"{literal.text}"'), len(r"\u0041"))


def _always(_: bytes) -> bool:
    return True


def _engine(literals: tuple[Literal, ...]) -> Search:
    expressions = patterns(literals)
    if not expressions:
        return lambda _: False
    portable = portable_engine(expressions)
    if hyperscan is None:
        return portable
    try:
        search = _hyperscan_engine(expressions)
        trusted = _passes_self_test(search, literals)
    except hyperscan.HyperscanError as error:
        logger().warning("hyperscan refused the rules' literals, using the slower engine", error=str(error))
        return portable
    if not trusted:
        # One build of this engine's family was found to miss matches: better slow than blind.
        logger().error("hyperscan missed a literal in its self-test, using the slower engine")
        return portable
    return search


def portable_engine(expressions: list[bytes]) -> Search:
    """The standard library's engine: for platforms without the fast one, and what the fast one is held against."""
    pattern = re.compile(b"|".join(expressions), re.IGNORECASE)
    return lambda data: pattern.search(data) is not None


def _hyperscan_engine(expressions: list[bytes]) -> Search:
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=expressions,
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[flags] * len(expressions),
    )
    # A scratch must not be shared by two threads at once; hyperscan raises if it is.
    scratches = threading.local()

    def search(data: bytes) -> bool:
        try:
            scratch = scratches.own
        except AttributeError:
            scratch = scratches.own = hyperscan.Scratch(database)
        try:
            database.scan(data, match_event_handler=_stop, scratch=scratch)
        except hyperscan.ScanTerminated:
            return True
        return False

    return search


def _stop(*_: object) -> bool:
    return True


def _passes_self_test(search: Search, literals: tuple[Literal, ...]) -> bool:
    """Whether the engine finds each literal at the start, in the middle and at the end of a block, and no ghost."""
    filler = b"\n" * 480  # which no literal holds
    if search(filler):
        return False
    for literal in literals:
        text = literal.text.encode()
        escaped = rb"\u%04X" % text[0] + text[1:]
        for spelling in (text, text.swapcase(), escaped):
            found = b'"' + spelling + b'"'
            if literal.member:
                found = f'"{literal.member}":'.encode() + found
            if not all(search(block) for block in (found, found + filler, filler + found, filler + found + filler)):
                return False
    return True
