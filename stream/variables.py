"""What a section's fields are called in the environment, what they may hold, and what to say when they don't.

No value of a secret is in anything that comes out of here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ByteSize, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stream.terminal import REDACTED

if TYPE_CHECKING:
    from stream.environment import Section

PREFIX: Final = "TRAILSTREAM_"
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the reference that `trailstream env` prints.

    Attributes:
        value: the current value as text, `None` if it is the default; a secret is `********`.
    """

    name: str
    type: str
    default: str
    meaning: str
    secret: bool
    value: str | None


def variable_name(section: "type[Section]", field: str) -> str:
    """The environment variable behind a field: `concurrency` is `TRAILSTREAM_CONCURRENCY`."""
    alias = section.model_fields[field].alias
    return (alias or section.env_prefix + field).upper()


def variables_of(section: "type[Section]") -> Iterator[tuple[str, FieldInfo]]:
    """Its fields by the names of their variables."""
    for field, info in section.model_fields.items():
        yield variable_name(section, field), info


def is_secret(info: FieldInfo) -> bool:
    """Whether a field holds a secret, or a list of them."""
    return _mentions_secret(info.annotation)


def without_user_info(text: str) -> str:
    """The text with `user:password@` taken out of any URL in it."""
    return _USER_INFO.sub(REDACTED, text)


def describe(sections: "Iterable[type[Section]]", environ: Mapping[str, str]) -> list[Variable]:
    """Every variable of these sections, in their own order, with the values of this environment."""
    return [
        Variable(
            name=name,
            type=_type_name(info.annotation),
            default=_plain(info.default),
            meaning=(info.description or "") + (f" Or `{name}_FILE`." if is_secret(info) else ""),
            secret=is_secret(info),
            value=_current(name, info, environ),
        )
        for section in sections
        for name, info in variables_of(section)
    ]


def explain(section: "type[Section]", error: ValidationError) -> Iterator[tuple[str, str]]:
    """For each fault, the variable (empty where several are at fault together) and the line that tells of it."""
    for field, text in faults_by_field(section, error):
        name = variable_name(section, field) if field else ""
        yield name, f"{name}: {text}" if name else text


def faults_by_field(section: "type[Section]", error: ValidationError) -> Iterator[tuple[str, str]]:
    """For each fault, the field (empty where several are at fault together) and what is wrong with its value."""
    for fault in error.errors(include_url=False):
        located = str(fault["loc"][0]).lower() if fault["loc"] else ""
        for field, info in section.model_fields.items():
            if located and located in (field, (info.alias or "").lower()):
                yield field, f"{_allowed(info, fault)}{_shown(info, fault)}"
                break
        else:  # a validator of the whole section names its variables itself
            yield "", fault["msg"].removeprefix("Value error, ")


def _shown(info: FieldInfo, fault: ErrorDetails) -> str:
    if is_secret(info) or fault["type"] == "missing":
        return ""
    given = fault["input"]
    text = ",".join(map(str, given)) if isinstance(given, tuple) else str(given)
    return f" (it is {without_user_info(text)[:_SHOWN_CHARACTERS]!r})"


def _allowed(info: FieldInfo, fault: ErrorDetails) -> str:
    """What the value of a field has to be, in plain words."""
    if fault["type"] in ("value_error", "assertion_error"):  # of a validator of the field's own
        return fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if fault["type"] == "missing":
        return "it is required"
    kinds = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "bytes": "a size in bytes, such as 65536 or 4MiB",
    }
    kind = _type_name(info.annotation)
    if choices := _choices(info.annotation):
        return f"it should be one of {', '.join(choices)}" if len(choices) > 1 else f"it should be {choices[0]}"
    if kind in kinds:
        return f"it should be {kinds[kind]}{_bounds(info)}"
    if fault["type"] == "string_pattern_mismatch":
        return f"it is not of the form that is allowed. {info.description}"
    return fault["msg"][0].lower() + fault["msg"][1:]


def _bounds(info: FieldInfo) -> str:
    parts = []
    for bound in info.metadata:
        if isinstance(bound, Ge):
            parts.append(f"at least {bound.ge}")
        elif isinstance(bound, Gt):
            parts.append(f"above {bound.gt}")
        elif isinstance(bound, Le):
            parts.append(f"at most {bound.le}")
        elif isinstance(bound, Lt):
            parts.append(f"below {bound.lt}")
    return ", " + ", ".join(parts) if parts else ""


def _current(name: str, info: FieldInfo, environ: Mapping[str, str]) -> str | None:
    if is_secret(info):
        return REDACTED if name in environ or f"{name}_FILE" in environ else None
    return without_user_info(environ[name]) if name in environ else None


def _mentions_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_mentions_secret(argument) for argument in get_args(annotation))


def _choices(annotation: Any) -> list[str]:
    """The texts of a `Literal`, or of one that may be left out; else none."""
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is Literal:
        return [str(argument) for argument in arguments]
    return _choices(arguments[0]) if len(arguments) == 1 else []


def _type_name(annotation: Any) -> str:
    if annotation == tuple[str, ...]:
        return "list"
    if choices := _choices(annotation):
        return "|".join(choices)
    if _mentions_secret(annotation):
        return "secret"
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if len(arguments) == 1:
        return _type_name(arguments[0])
    names = {ByteSize: "bytes", float: "number", int: "integer", str: "text", bool: "boolean"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _plain(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, ByteSize):
        return default.human_readable().replace(".0", "") if default % 1024 == 0 else str(int(default))
    if isinstance(default, float):
        return f"{default:g}"
    return str(default)
