"""Sigma's text patterns: a pattern in, a test of JSON values out, and the text that whatever passes must contain.

Case does not count, of ASCII's letters only: were a Kelvin sign a `k`, as in Unicode, the prefilter were unsound.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sigma.types import SigmaString, SpecialChars

from stream.decode.literals import Literal
from stream.json_value import compact, fold, integer_text

Parts = Sequence[str | SpecialChars]
"""A pattern as pySigma takes it apart: plain texts and wildcards."""
Test = Callable[[Any], bool]
"""Whether one JSON value (no array) is as a rule wants it; never raises."""

_ANY: Final = SpecialChars.WILDCARD_MULTI
_SEARCHABLE: Final = re.compile(r"[!#-.0-\[\]-~]+")
"""Printable ASCII without `"`, `\\` and `/`, which JSON spells in more ways than as themselves and as an escape, and
without the space, which a literal has none of."""
_IN_OBJECTS: Final = re.compile(r"[^\s\"\\/{}\[\],:]+", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9.eE+-]+")
_UNQUOTED: Final = re.compile(r"true|false|-?[0-9]+", re.IGNORECASE)


def parts_of(pattern: SigmaString) -> Parts:
    """Take a pattern apart.

    Raises:
        ValueError: it has a placeholder, which somebody should have filled in.
    """
    parts = [part for part in pattern.s if isinstance(part, str | SpecialChars)]
    if len(parts) != len(pattern.s):
        raise ValueError("a placeholder in a pattern")
    return parts


def text_test(parts: Parts, *, cased: bool = False) -> Test:
    """A test for a pattern.

    A text is compared as it is, booleans and integers as JSON spells them (fractions never: there are many spellings).
    A pattern that begins with `*` is also compared with the whole of an object, as JSON without white space and
    without escapes: `requestParameters|contains: '"s3:GetObject"'` is a search in it.
    """
    if all(part is _ANY for part in parts) and parts:
        return lambda value: value is not None
    normal = _as_it_is if cased else fold
    matches = _matcher(parts, normal)
    text_of = searched_text if _starts_open(parts) else scalar_text

    def test(value: Any) -> bool:
        text = text_of(value)
        return text is not None and matches(normal(text))

    return test


def scalar_text(value: Any) -> str | None:
    """A text as it is, a boolean or an integer as JSON spells it; `None` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return integer_text(value)


def searched_text(value: Any) -> str | None:
    """Of an object all of its JSON, without white space and escapes; otherwise as `scalar_text`."""
    if isinstance(value, Mapping):
        return compact(value, quote='"{}"'.format, scalar=_in_object)
    return scalar_text(value)


def within(parts: Parts) -> Parts:
    """The pattern of texts that have this one somewhere in them."""
    return (_ANY, *parts, _ANY)


def name_literal(name: str) -> Literal | None:
    """A text that is in the JSON of every object with a member of this name, or of one that has this in it."""
    return text_literal((name, _ANY))


def text_literal(parts: Parts) -> Literal | None:
    """The longest text that is in the JSON of every value that passes `text_test`; `None`: there is none."""
    runs = [run for part in parts if isinstance(part, str) for run in _SEARCHABLE.findall(part)]
    if _starts_open(parts):
        # It may lie across an object's members, between which the record may have white space, and in a number, which
        # the record may spell in another way.
        runs = [piece for run in runs for piece in _IN_OBJECTS.findall(run) if not _NUMBER.fullmatch(piece)]
    if not runs:
        return None
    longest = max(runs, key=len)
    return Literal(longest, whole=[longest] == list(parts) and not _UNQUOTED.fullmatch(longest))


def beginning_literal(parts: Parts) -> Literal | None:
    """The text that every value that passes `text_test` begins with; `None`: none that can be searched for.

    Whole only where `text_literal` is.
    """
    found = _SEARCHABLE.match(parts[0]) if parts and isinstance(parts[0], str) else None
    if found is None:
        return None
    return Literal(found[0], whole=[found[0]] == list(parts) and not _UNQUOTED.fullmatch(found[0]))


def plain_text(parts: Parts) -> str | None:
    """The text of a pattern without wildcards; `None` if it has one."""
    return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None


def number_test(number: float) -> Test:
    """A test for a number, also one in quotes."""
    text = str(number)

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return False
        return value == number if isinstance(value, int | float) else value == text

    return test


def bool_test(wanted: bool) -> Test:
    """A test for a boolean, also one in quotes."""
    text = str(wanted).lower()
    return lambda value: value is wanted or (isinstance(value, str) and fold(value) == text)


def _starts_open(parts: Parts) -> bool:
    return bool(parts) and parts[0] is _ANY


def _matcher(parts: Parts, normal: Callable[[str], str]) -> Callable[[str], bool]:
    """A test of normal text, its time bounded by the text's length times the pattern's, whatever they are."""
    plain = plain_text(parts)
    if plain is not None:
        wanted = normal(plain)
        return lambda text: text == wanted
    segments = [""]
    for part in parts:
        if part is _ANY:
            segments.append("")
        else:
            segments[-1] += re.escape(normal(part)) if isinstance(part, str) else "."
    first, *between = segments
    last = between.pop() if between else None
    # The first place where a middle segment fits is as good as any later one: atomic groups never try another.
    middle = "".join(f"(?>.*?{segment})" for segment in between if segment)
    pattern = re.compile(first if last is None else f"{first}{middle}.*{last}", re.DOTALL)
    return lambda text: pattern.fullmatch(text) is not None


def _as_it_is(text: str) -> str:
    return text


def _in_object(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return integer_text(value) or ""
