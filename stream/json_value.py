"""Looks into a JSON value of any shape: a record in, a typed answer out, and never an exception.

An attacker chooses the shape of whatever lies below `requestParameters`, and a forged record is all of his making.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from stream.terminal import is_seen

_ESCAPES: Final = [(each.encode(), f"\\u{ord(each):04x}".encode()) for each in "\x85\u2028\u2029\ufffe\uffff"]
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold(text: str) -> str:
    """The text with ASCII's capitals as small letters and nothing else changed: a Kelvin sign equals no `k`."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def at(value: Any, *path: str) -> Any:
    """What lies at this path of object members, `None` where there is none."""
    for step in path:
        if type(value) is not dict and (value is None or not isinstance(value, Mapping)):  # which is slow
            return None
        value = value.get(step)
    return value


def text_at(value: Any, *path: str) -> str | None:
    """The text at this path (an integer counts as one); `None` where there is none or an empty one."""
    found = at(value, *path)
    if isinstance(found, str):
        return found or None
    return None if found is None else integer_text(found)


def integer_text(value: Any) -> str | None:
    """An integer's digits, as JSON spells them; `None` for anything else, and for one of more than 64 bits.

    Python refuses to print integers of thousands of digits, and parsers disagree from 64 bits on.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return None


def flag(value: Any) -> bool | None:
    """A boolean, also one spelt as text in any case; `None` for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(fold(value)) if isinstance(value, str) else None


def items(value: Any) -> list[Any]:
    """The elements of an array; a lone value is an array of one, `None` one of none."""
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


def elements(value: Any) -> Iterator[Any]:
    """The value itself, or the elements of an array and of the arrays in it, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list | tuple):
            waiting.extend(reversed(one))
        else:
            yield one


def shown(value: Any, limit: int) -> str:
    """A value as one visible line of at most `limit` characters, for a title or a sentence."""
    text = value if isinstance(value, str) else compact(value, quote=str, scalar=_visible)
    text = text[: 8 * limit]
    if not (text.isascii() and text.isprintable()):  # most are, and this is asked of every text of an alert
        text = "".join(each if is_seen(each) else " " for each in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def canonical(value: Any) -> str:
    """The same text for equal JSON values, whatever the order of their members."""
    return compact(value, quote=ascii, scalar=_exact, ordered=True)


def compact(value: Any, *, quote: Callable[[str], str], scalar: Callable[[Any], str], ordered: bool = False) -> str:
    """JSON-like text without white space, of a value of any depth.

    Args:
        value: any JSON value.
        quote: spells a text, also a member's name.
        scalar: spells a number, boolean or null.
        ordered: members in the order of their names, instead of as they came.
    """
    written: list[str] = []
    waiting: list[tuple[bool, Any]] = [(True, value)]  # whether it is a value still to be spelt, or spelt already
    while waiting:
        unspelt, one = waiting.pop()
        if not unspelt:
            written.append(one)
        elif isinstance(one, str):
            written.append(quote(one))
        elif isinstance(one, Mapping):
            members = sorted(one.items(), key=lambda member: str(member[0])) if ordered else list(one.items())
            pieces: list[tuple[bool, Any]] = [(False, "{")]
            for place, (name, member) in enumerate(members):
                pieces += [(False, ("," if place else "") + quote(str(name)) + ":"), (True, member)]
            waiting.extend(reversed([*pieces, (False, "}")]))
        elif isinstance(one, list | tuple):
            pieces = [(False, "[")]
            for place, member in enumerate(one):
                pieces += [(False, ","), (True, member)] if place else [(True, member)]
            waiting.extend(reversed([*pieces, (False, "]")]))
        else:
            written.append(scalar(one))
    return "".join(written)


def _visible(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return integer_text(value) or "(a huge number)"
    return repr(value)


def _exact(value: Any) -> str:
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) else repr(value)


def strict_json(value: Any) -> bytes:
    """JSON that the strictest of readers takes: UTF-8, in which half of a surrogate pair has become a `?`.

    Many refuse a text with such a half, however it is spelt: whoever can put one into a record could hide all of it.

    Args:
        value: what `plain` gives, or as harmless.
    """
    return one_line(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def one_line(text: bytes) -> bytes:
    """The same JSON without what JSON leaves as it is and others don't.

    Many a program ends a line at some of these, and what follows would be an alert of its own; of two, SQS says that no
    message may have them:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    for character, escape in _ESCAPES:
        if character in text:
            text = text.replace(character, escape)
    return text


def plain(value: Any, depth: int) -> Any:
    """A copy that every JSON writer can write: cut below `depth` levels, without numbers that JSON has no room for."""
    if isinstance(value, Mapping):
        if not depth:
            return "(too deep to show)"
        return {str(name): plain(member, depth - 1) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member, depth - 1) for member in value] if depth else "(too deep to show)"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4096:
        return "(a huge number)"
    return value
