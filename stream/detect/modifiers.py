"""Sigma's values that are no plain text: one in, a test of JSON values out.

These are regular expressions, networks, comparisons, parts of a time and references to another field.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

from sigma.exceptions import SigmaRegularExpressionError
from sigma.policy import default_policy
from sigma.types import (
    CompareOperators,
    SigmaCompareExpression,
    SigmaFieldReference,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaTimestampPart,
    SpecialChars,
    TimestampPart,
)

from stream.detect.patterns import Parts, Test, scalar_text, searched_text, within
from stream.json_value import fold

_NUMERIC: Final = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?([eE][+-]?[0-9]{1,4})?")
_ATOM: Final = re.compile(
    r"""(?: (?P<plain> [^\\\[\](){}|.^$*+?] )
          | \\ (?P<escaped> [!-/:-@\[-`{-~] )
          | \\[dDsSwWbB] | [.^$] | \[\^?[^\\\[\]^]+\]
        ) (?P<quantifier> (?: [*+?] | \{[0-9]+(?:,[0-9]*)?\} )?\??)""",
    re.VERBOSE,
)
_ADDRESS_CHARACTERS: Final = 64
_TIME_CHARACTERS: Final = 64
_REFERRED_TEXTS: Final = 256
"""Texts of the other field that are looked for within a field's own: an attacker may fill both with as many as he
likes, and each pair costs time."""
_COMPARISONS: Final[dict[CompareOperators, Callable[[Any, Any], bool]]] = {
    CompareOperators.LT: operator.lt,
    CompareOperators.LTE: operator.le,
    CompareOperators.GT: operator.gt,
    CompareOperators.GTE: operator.ge,
}
_TIME_PARTS: Final[dict[TimestampPart, Callable[[datetime], int]]] = {
    TimestampPart.MINUTE: lambda time: time.minute,
    TimestampPart.HOUR: lambda time: time.hour,
    TimestampPart.DAY: lambda time: time.day,
    TimestampPart.WEEK: lambda time: time.isocalendar().week,
    TimestampPart.MONTH: lambda time: time.month,
    TimestampPart.YEAR: lambda time: time.year,
}


def regex_test(expression: SigmaRegularExpression) -> Test:
    """A search for a regular expression, anywhere in a value's text unless it has anchors; with regard to case.

    pySigma's own engine (RE2) takes time in proportion to the text, whatever the expression is.

    Raises:
        SigmaRegularExpressionError: RE2 refuses it; look-around and back-references it has none of.
    """
    engine = default_policy.regex_engine
    flags = 0
    for flag in expression.flags:
        flags |= expression.sigma_to_python_flags[flag]
    try:
        search = engine.compile(str(expression.regexp), flags).search
    except engine.error as error:
        raise SigmaRegularExpressionError(f"Regular expression {expression.regexp} is invalid") from error

    # In PCRE, which is Sigma's flavour, `$` is also before a last line feed; in RE2 it is not.
    ends_early = "$" in str(expression.regexp)

    def test(value: Any) -> bool:
        text = searched_text(value)
        if text is None:
            return False
        text = _valid(text)
        return search(text) is not None or (
            ends_early and text.endswith("\n") and search(text.removesuffix("\n")) is not None
        )

    return test


def anchored(expression: SigmaRegularExpression, *, start: bool, end: bool) -> SigmaRegularExpression:
    """The same, to be found at a text's start or end only: what `startswith` and `endswith` mean for a search."""
    text = ("\\A" if start else "") + f"(?:{expression.regexp})" + ("\\z" if end else "")
    return SigmaRegularExpression(text, set(expression.flags))


def required_texts(expression: SigmaRegularExpression) -> Parts:
    """A pattern that every text passes in which the expression is found; `*` where that is not simple to say.

    Only a plain sequence is looked through: one group or alternative, and nothing is said.
    """
    caseless = SigmaRegularExpressionFlag.IGNORECASE in expression.flags
    anything = within(())
    texts = [""]
    for atom, quantifier in _atoms(str(expression.regexp)):
        if atom is None:
            return anything
        # Without regard to case, RE2 takes a Kelvin sign for a `k` and a long s for an `s`.
        if quantifier or len(atom) != 1 or (caseless and atom in "kKsS"):
            texts.append("")
        else:
            texts[-1] += atom
    parts: list[str | SpecialChars] = []
    for text in filter(None, texts):
        parts += [text, SpecialChars.WILDCARD_MULTI]
    return within(parts[:-1])


def _atoms(expression: str) -> Iterator[tuple[str | None, str]]:
    """What an expression is a sequence of: a character for itself, `""` for others; `None`: it is more than that."""
    end = 0
    for one in _ATOM.finditer(expression):
        if one.start() != end:
            break
        yield one["plain"] or one["escaped"] or "", one["quantifier"]
        end = one.end()
    if end != len(expression):
        yield None, ""


def cidr_test(network: IPv4Network | IPv6Network) -> Test:
    """Whether a text is an address of this network; an IPv4 address may be written as IPv6 (`::ffff:192.0.2.1`)."""

    def test(value: Any) -> bool:
        if not isinstance(value, str) or len(value) > _ADDRESS_CHARACTERS:
            return False
        try:
            address = ip_address(value)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if address.version == 6 else None
        return address in network or (mapped is not None and mapped in network)

    return test


def compare_test(expression: SigmaCompareExpression) -> Test:
    """A comparison with a number, of numbers and of texts that spell one; or of a part of a time.

    Raises:
        KeyError: pySigma has a further comparison, unknown here.
    """
    compare = _COMPARISONS[expression.op]
    wanted = expression.number.number
    if isinstance(expression.number, SigmaTimestampPart):
        part = _TIME_PARTS[expression.number.timestamp_part]
        return lambda value: (time := _time(value)) is not None and compare(part(time), wanted)
    return lambda value: (number := _number(value)) is not None and compare(number, wanted)


def time_test(wanted: SigmaTimestampPart) -> Test:
    """Whether a part of a time (ISO 8601, as CloudTrail writes it; no zone is converted) is this number."""
    part = _TIME_PARTS[wanted.timestamp_part]
    return lambda value: (time := _time(value)) is not None and part(time) == wanted.number


def reference_test(reference: SigmaFieldReference) -> Callable[[Iterable[Any], Iterable[Any]], bool]:
    """Whether any of a field's values equals, or as the rule says begins with, ends with or holds, any of another's."""

    def test(own: Iterable[Any], others: Iterable[Any]) -> bool:
        texts = _texts(own)
        referred = _texts(others)
        if reference.starts_with and reference.ends_with:
            return any(other in text for other in list(referred)[:_REFERRED_TEXTS] for text in texts)
        if reference.starts_with or reference.ends_with:
            few = tuple(referred)[:_REFERRED_TEXTS]
            return any(text.startswith(few) if reference.starts_with else text.endswith(few) for text in texts)
        return not texts.keys().isdisjoint(referred)

    return test


def _texts(values: Iterable[Any]) -> dict[str, None]:
    texts = (repr(value) if isinstance(value, float) else scalar_text(value) for value in values)
    return dict.fromkeys(fold(text) for text in texts if text is not None)


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else value
    if not isinstance(value, str) or not (spelt := _NUMERIC.fullmatch(value)):
        return None
    return float(value) if spelt[1] or spelt[2] else int(value)


def _time(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) > _TIME_CHARACTERS:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _valid(text: str) -> str:
    """The text with lone surrogates, which UTF-8 and so RE2 has no spelling for, as U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
