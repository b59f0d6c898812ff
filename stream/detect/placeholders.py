"""Values for the modifier `expand`: a variable's value in, a rule's searches with each `%name%` filled in out.

A value counts as if it stood in the rule: wildcards and their escapes are understood, and the other modifiers apply.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml

from stream.errors import ConfigError
from stream.json_value import shown
from stream.nearest import hint

VARIABLE: Final = "TRAILSTREAM_PLACEHOLDERS"

Placeholders = Mapping[str, tuple[str, ...]]
"""Values by the name of their placeholder."""

_INLINE: Final = re.compile(r"\s*[\w.-]+\s*=")
_PLACEHOLDER: Final = re.compile(r"%([^%\\]+)%")  # as pySigma finds them
_EXPAND: Final = "expand"
_ALIASES: Final = {"utf16le": "wide"}
"""Names of modifiers in the specification (https://github.com/SigmaHQ/sigma-specification, appendix of modifiers) that
pySigma has under another only."""
_MOST_VALUES: Final = 10_000


def is_inline(value: str) -> bool:
    """Whether the variable's value is a list, and not a path."""
    return _INLINE.match(value) is not None


def load(value: str | None) -> Placeholders:
    """Read the variable: `offices=198.51.100.0/24|203.0.113.7,admins=alice|bob`, or the path of a YAML or JSON file.

    A file is a mapping of names to a value or a list of values.

    Raises:
        ConfigError: it can't be used; says why.
    """
    if not value:
        return {}
    if is_inline(value):
        return dict(map(_inline, value.split(",")))
    try:
        document = yaml.safe_load(Path(value).expanduser().read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{VARIABLE}: can't read {shown(value, 200)}: {cause}.") from error
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise ConfigError(f"{VARIABLE}: {value}: it is neither YAML nor JSON.") from error
    if not isinstance(document, Mapping):
        raise ConfigError(f"{VARIABLE}: {value}: it is no mapping of names to values.")
    return {str(name): _values(str(name), values, value) for name, values in document.items()}


def filled(searches: Any, placeholders: Placeholders) -> Any:
    """The searches of a rule (`detection`, or `filter`) without the modifier `expand` and what it stands for.

    Raises:
        ConfigError: a placeholder has no value; names it.
    """
    if isinstance(searches, list):
        return [filled(each, placeholders) for each in searches]
    if not isinstance(searches, Mapping):
        return searches
    found: dict[Any, Any] = {}
    for key, value in searches.items():
        name, given = _item(key, value, placeholders) if isinstance(key, str) else (key, value)
        if name in found:
            raise ConfigError(f"it has {shown(name, 60)} twice, by two names of a modifier")
        found[name] = given
    return found


def _item(key: str, value: Any, placeholders: Placeholders) -> tuple[str, Any]:
    field, *modifiers = key.split("|")
    modifiers = [_ALIASES.get(modifier, modifier) for modifier in modifiers]
    if _EXPAND not in modifiers:
        return "|".join([field, *modifiers]), filled(value, placeholders)
    place = f"its field {shown(field, 60)}" if field else "a list of keywords"
    values: list[Any] = []
    for one in value if isinstance(value, list) else [value]:
        several = list(_expanded(one, placeholders, place))
        if len(several) > 1 and "all" in modifiers:
            raise ConfigError(f"{place} has 'all' with a placeholder of several values: are all meant, or any?")
        values += several
    return "|".join([field, *(each for each in modifiers if each != _EXPAND)]), values


def _expanded(value: Any, placeholders: Placeholders, place: str) -> Iterator[Any]:
    if not isinstance(value, str):
        yield value
        return
    plain_and_names = _PLACEHOLDER.split(value)
    for name in plain_and_names[1::2]:
        if name not in placeholders:
            raise ConfigError(
                f"{place} has the placeholder %{shown(name, 60)}%, which {VARIABLE} does not define; "
                f"{hint(name, placeholders)}"
            )
    choices = [placeholders[part] if index % 2 else (part,) for index, part in enumerate(plain_and_names)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST_VALUES:
        raise ConfigError(f"{place} has placeholders that make more than {_MOST_VALUES:,} values together")
    yield from map("".join, product(*choices))


def _inline(part: str) -> tuple[str, tuple[str, ...]]:
    name, equals, values = part.partition("=")
    found = tuple(value.strip() for value in values.split("|") if value.strip())
    if not equals or not found or not name.strip():
        raise ConfigError(f"{VARIABLE}: {shown(part, 80)!r} is not of the form name=value|value")
    return name.strip(), found


def _values(name: str, values: Any, source: str) -> tuple[str, ...]:
    given = values if isinstance(values, list) else [values]
    if not given or not all(isinstance(value, str | int) and not isinstance(value, bool) for value in given):
        raise ConfigError(f"{VARIABLE}: {source}: {shown(name, 60)} is neither a text nor a list of texts.")
    return tuple(map(str, given))
