"""Sigma's fields: a dotted name and a record in, the values that lie there out, whatever the record is.

An array stands for its elements, a member's own name may hold dots, and a text that is a JSON document may be entered.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from stream.json_value import elements

_DOCUMENT_CHARACTERS: Final = 256 * 1024
"""Longer texts are not read as documents: a whole event of CloudTrail's has at most 256 KB."""
_DOCUMENT_LEVEL: Final = 2
"""CloudTrail writes the members of a record, and who acted, as objects: documents are texts further down."""
_NEVER_OPENED: Final = "userIdentity"
_JSON_SPACE: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Field:
    """A field's name, taken apart.

    Attributes:
        name: as the rule has it.
        steps: its parts between dots.
        keys: for each step, the names of members that may begin there: how many steps each takes, and the name.
        enters_documents: whether a value may be found inside a text, where JSON's escapes are escaped once more.
    """

    name: str
    steps: tuple[str, ...]
    keys: tuple[tuple[tuple[int, str], ...], ...]
    enters_documents: bool

    @classmethod
    def of(cls, name: str) -> "Field":
        """Take a name apart at its dots."""
        steps = tuple(name.split("."))
        count = len(steps)
        keys = tuple(
            tuple((end, ".".join(steps[start:end])) for end in range(start + 1, count + 1)) for start in range(count)
        )
        return cls(name, steps, keys, count > _DOCUMENT_LEVEL and steps[0] != _NEVER_OPENED)


def members(record: Mapping[str, Any], field: Field) -> list[Any]:
    """Everything that lies at this field, arrays among it unopened; no object is visited twice."""
    last = len(field.steps)
    found: list[Any] = []
    waiting: list[tuple[Any, int, int]] = [(record, 0, 0)]  # what was reached, by how many steps, by how many members
    while waiting:
        reached, start, level = waiting.pop()
        for one in _objects(reached, opened=field.enters_documents and level >= _DOCUMENT_LEVEL):
            for end, key in field.keys[start]:
                if key in one:
                    if end == last:
                        found.append(one[key])
                    else:
                        waiting.append((one[key], end, level + 1))
    return found


def values(record: Mapping[str, Any], field: Field) -> Iterator[Any]:
    """Everything that lies at this field, the elements of arrays one by one."""
    for member in members(record, field):
        yield from elements(member)


def scalars(record: Mapping[str, Any]) -> Iterator[Any]:
    """Every text, number, boolean and null of a record, at any depth; names of members are not among them."""
    waiting: list[Any] = [record]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        else:
            yield one


def document(text: str) -> Any:
    """The object or array that a text holds as JSON, also percent-encoded as IAM answers; `None`: it holds none."""
    if len(text) > _DOCUMENT_CHARACTERS:
        return None
    start = text.lstrip(_JSON_SPACE)[:3].upper()
    if start in ("%7B", "%5B"):
        text = unquote(text)
    elif not start.startswith(("{", "[")):
        return None
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _objects(reached: Any, *, opened: bool) -> Iterator[Mapping[str, Any]]:
    for one in elements(reached):
        if isinstance(one, Mapping):
            yield one
        elif opened and isinstance(one, str):
            yield from (each for each in elements(document(one)) if isinstance(each, Mapping))


def _integer(digits: str) -> int | float:
    # Python refuses integers of more than 4,300 digits, and one of them must not hide the document around it.
    return int(digits) if len(digits) < 4000 else float(digits)


_DECODER: Final = json.JSONDecoder(parse_int=_integer)
