r"""Literals in, a prefilter out that proves their absence: what it does not hit can hold none, in any JSON spelling.

A literal is searched in either ASCII case. JSON may spell one of its characters as an escape (`\u0053topLogging`): a
sentinel pattern hits every escape that could stand for such a character, and a hit only ever means "look closely".

Literals of one member (`"eventName":"StopLogging"`) are one pattern that begins with the member's name. An engine has
to look closely at that name alone, and goes through 150 literals at more than twice the speed. The same pattern hits
the name wherever something else follows it than a text as CloudTrail and JSON's usual writers set it.

Where each literal is of a member, or is only ever beside one that is, such a pattern is searched for alone first. An
engine that looks for one text alone does so at twice the speed again; only what it hits is searched for all.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import stringzilla

from stream.decode.engine import Ends, Hyperscan, Search, fast, portable
from stream.decode.literals import Literal
from stream.logger import logger

_UNSAFE: Final = frozenset('"\\/')
"""Characters that JSON spells in further ways (`\\"`, `\\\\`, `\\/`): no part of a literal."""

_MAX_ALTERNATION: Final = 12_000
"""Characters of a pattern's alternatives; Hyperscan takes patterns of 16,000 at most."""

_HUMP: Final = re.compile(r"[a-z][A-Z][a-z]{0,5}\Z")
_ESCAPE: Final = rb"\u00"
"""Begins the escapes of all that literals are made of."""


class Prefilter:
    """Answers whether a stretch of JSON could hold one of the literals.

    With `None` for the literals (a rule that has none) the answer is always yes. May be used from several threads.

    Args:
        literals: a record that could match has one of them.
        named: and one of these, which are all of one member; nothing but speed hangs on them.

    Attributes:
        longest_bytes: of the longest match: two stretches that overlap by as much hide nothing at their seam.
        search: whether records, each of them whole, may be such.
        texts: whether these bytes, of whatever parts of records, may hold one of the literals.
        names: whether they may hold one of `named`, in half of that time; `None`: that is not to be had.
        ends: where they hold what a record that could match has one of; `None`: likewise.
    """

    def __init__(self, literals: Iterable[Literal] | None, named: Iterable[Literal] | None = None) -> None:
        self.literals = None if literals is None else tuple(sorted(set(literals)))
        of_members = (self.literals or ()) if named is None else tuple(sorted(set(named)))
        self.longest_bytes = max(map(_span, (*(self.literals or ()), *of_members)), default=0)
        self.texts, self.ends = (_always, None) if self.literals is None else _texts_engine(self.literals)
        names = None if self.literals is None else _names_engine(of_members)
        self.names = None if names is None else _or_escapes(names.search)
        self.search = self.texts if self.names is None else _in_turn(self.names, self.texts)
        if names is not None and self.ends is not None:
            self.ends = _unless_escapes(names.ends, self.ends)


def patterns(literals: Iterable[Literal]) -> list[bytes]:
    r"""Regular expressions for the literals, and one for the escapes that could spell them, for bytes of JSON.

    Raises:
        ValueError: a literal is empty or has a character outside printable ASCII, or `"`, `\` or `/`.
    """
    expressions = []
    keyed: dict[str, list[Literal]] = {}
    characters: set[str] = set()
    for literal in literals:
        for text in filter(None, (literal.text, literal.member)) if literal.text else ("",):
            if not text or not text.isascii() or not text.isprintable() or _UNSAFE & set(text):
                raise ValueError(f"not a text that can be searched for in JSON: {text!r}")
            characters.update(text.lower(), text.upper())
        if literal.member:
            keyed.setdefault(literal.member, []).append(literal)
        else:
            quote = '"' if literal.whole else ""
            expressions.append(f"{quote}{re.escape(literal.text)}{quote}".encode())
    for member, of_member in keyed.items():
        expressions += _keyed(f'"{member}"', of_member)
    if characters:
        codes = "|".join(sorted(f"{ord(character):02x}" for character in characters))
        expressions.append(rf"\\u00(?:{codes})".encode())
    return expressions


def _keyed(name: str, literals: Iterable[Literal]) -> Iterator[bytes]:
    """Expressions for any of the texts as the value of the member whose name ends so, and for one written otherwise."""
    anything_else = '[^:]|:[^ "]|: [^"]'  # than :"text" and : "text"; of arrays and of more white space, for instance
    for part in _parts([re.escape(literal.text) + '"' * literal.whole for literal in literals]):
        yield f'{re.escape(name)}(?:: ?"(?:{"|".join(part)})|{anything_else})'.encode()


def _end_of_name(member: str) -> str:
    """The end of a member's name, quoted, that is rare by its first two characters: `tName"` of `eventName`.

    For one text alone, Hyperscan compares the first two characters that differ among its last eight (its "noodle"
    engine), and looks closely where they are: there are ten `en` in a record of CloudTrail's, and one `tN`.
    """
    hump = _HUMP.search(member)
    return f'{hump[0] if hump else member[-7:]}"'


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


def _texts_engine(literals: tuple[Literal, ...]) -> tuple[Search, Ends | None]:
    expressions = patterns(literals)
    if not expressions:
        return _never, None
    engine = fast(expressions)
    if engine is None or not _trusted(engine.search, literals):
        return portable(expressions), None
    return engine.search, engine.ends


def _names_engine(literals: tuple[Literal, ...]) -> Hyperscan | None:
    members = {literal.member for literal in literals}
    if len(members) != 1 or "" in members:
        return None
    engine = fast(list(_keyed(_end_of_name(*members), literals)))
    return engine if engine and _trusted(_or_escapes(engine.search), literals) else None


def _or_escapes(search: Search) -> Search:
    return lambda data: search(data) or _has_escape(data)


def _unless_escapes(ends: Ends, careful: Ends) -> Ends:
    return lambda data, most: careful(data, most) if _has_escape(data) else ends(data, most)


def _has_escape(data: bytes) -> bool:
    # Few log files have a backslash, and the C library finds one sooner than any engine finds more than that.
    return b"\\" in data and bool(stringzilla.find(data, _ESCAPE) >= 0)


def _in_turn(first: Search, second: Search) -> Search:
    return lambda data: first(data) and second(data)


def _always(_: bytes) -> bool:
    return True


def _never(_: bytes) -> bool:
    return False


def _trusted(search: Search, literals: tuple[Literal, ...]) -> bool:
    if _passes_self_test(search, literals):
        return True
    # One build of this engine's family was found to miss matches: better slow than blind.
    logger().error("hyperscan missed a literal in its self-test, using the slower engine")
    return False


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
