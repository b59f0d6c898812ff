"""The channels that are on: each with a name, its kind and its settings, whether variables or a file made it.

A channel of a file has its settings from there alone: the environment's variables for its kind are another channel's.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from stream.environment import read_secret
from stream.nearest import hint
from stream.settings import ChannelSettings
from stream.variables import PREFIX, faults_by_field, is_secret, variable_name

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""Names of channels: metric labels, and keys in the ledger."""

_FILE: Final = "_file"
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Instance:
    """A channel that is on.

    Attributes:
        name: by which routes, metrics and the ledger know it; of one that variables made, its kind.
        reload: reads its settings again from where they came; raises `ConfigError`.
        place: file and line that name it; empty for one that variables made.
        plain_secrets: fields whose secrets stand in that file themselves.
    """

    name: str
    kind: str
    settings: ChannelSettings
    reload: Callable[[], ChannelSettings]
    place: str = ""
    plain_secrets: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Where its settings are: variables, or a place in a file."""
        return self.place or f"{PREFIX}{self.kind.upper()}_*"

    def called(self, field: str) -> str:
        """What to change for another value: a variable, or a place in a file."""
        return f"{self.place}: {field}" if self.place else variable_name(type(self.settings), field)


def fallback_faults(instances: Iterable[Instance], unreadable: Collection[str] = ()) -> Iterator[str]:
    """A line for each fallback that is none.

    Args:
        instances: all that are on.
        unreadable: kinds of which nobody knows whether they are on.
    """
    fallbacks = {each.name: each.settings.fallback for each in instances}
    for each in instances:
        name = each.settings.fallback
        if name is None or name in unreadable:
            continue
        if name == each.name:
            yield f"{each.called('fallback')}: a channel is no fallback of its own"
        elif name not in fallbacks:
            others = (other for other in fallbacks if other != each.name)
            shown = name[:_SHOWN_CHARACTERS]
            yield f"{each.called('fallback')}: no channel {shown!r} is on; {hint(name, others)}"
        elif each.name == min(circle := _circle(each.name, fallbacks), default=""):
            yield f"{each.called('fallback')}: fallbacks go in a circle: {' → '.join([*circle, each.name])}"


def _circle(name: str, fallbacks: Mapping[str, str | None]) -> list[str]:
    """The channels by which a name's fallbacks come back to it; none if they don't."""
    passed = [name]
    while (following := fallbacks.get(passed[-1])) is not None and following not in passed:
        passed.append(following)
    return passed if following == name else []


def keys_of(section: type[ChannelSettings]) -> list[str]:
    """What may stand in a file for a channel of this section, besides its type."""
    switch = switch_of(section)
    fields = [(field, info) for field, info in section.model_fields.items() if field != switch]
    fields.sort(key=lambda field: field[0] in ChannelSettings.model_fields)  # its own first
    return [field for field, _ in fields] + [field + _FILE for field, info in fields if is_secret(info)]


def switch_of(section: type[ChannelSettings]) -> str | None:
    """The field that does nothing but switch the channel on, if there is one: in a file that goes without saying."""
    switch = section.env_prefix.rstrip("_")
    return next(
        (field for field, info in section.model_fields.items() if info.alias == switch and info.annotation is bool),
        None,
    )


def read_settings(
    section: type[ChannelSettings], values: Mapping[str, Any]
) -> tuple[ChannelSettings | None, list[tuple[str, str]]]:
    """The settings that a file gives a channel, and for each fault the key and what is wrong; never a secret.

    Args:
        section: of the channel's kind.
        values: by field: a text, a list of texts, or `{env: NAME}`; by `<secret>_file`: a path.
    """
    given: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for key, value in values.items():
        try:
            field, found = _resolved(section, key, value)
        except ValueError as error:
            faults[key] = str(error)
            continue
        if field in given:
            faults[key] = f"{field} and {field}{_FILE} are both there; keep one of them"
        given[field] = found
    if switch := switch_of(section):
        given[switch] = True
    known_faults = {key.removesuffix(_FILE) for key in faults}
    settings = None
    try:
        settings = section.of(given)
    except ValidationError as error:
        for field, text in faults_by_field(section, error):
            if field not in known_faults:
                faults.setdefault(field, _in_a_file(section, text))
    if settings is not None and not faults and not settings.enabled:
        faults[""] = f"what it needs to be on is not there; there are: {', '.join(keys_of(section))}"
    return settings, list(faults.items())


def plain_secrets(section: type[ChannelSettings], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields whose secrets stand in a file themselves."""
    fields = (field for field, info in section.model_fields.items() if is_secret(info))
    return tuple(field for field in fields if _is_plain(values.get(field)))


def _is_plain(value: Any) -> bool:
    return any(map(_is_plain, value)) if isinstance(value, list) else isinstance(value, str)


def _resolved(section: type[ChannelSettings], key: str, value: Any) -> tuple[str, Any]:
    """The field that a key stands for, and its value.

    Raises:
        ValueError: there is no such field, or its value can't be had.
    """
    keys = keys_of(section)
    if key not in keys:
        if key.removesuffix(_FILE) in keys:
            raise ValueError(f"only a secret can come from a file; set {key.removesuffix(_FILE)} itself")
        raise ValueError(f"it is unknown; {hint(key, keys)}")
    if key in section.model_fields:
        return key, _value(value)
    return key.removesuffix(_FILE), read_secret(str(_value(value)))


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_value(each) for each in value)
    if value is None:
        raise ValueError("nothing stands there")
    if not isinstance(value, Mapping):
        return value
    name = value.get("env")
    if len(value) != 1 or not isinstance(name, str):
        raise ValueError("it should be a text or a number, a list of those, or {env: NAME}")
    if not (found := os.environ.get(name)):
        # Somebody may have put the secret itself there.
        shown = f"the variable {name[:_SHOWN_CHARACTERS]}" if _VARIABLE.fullmatch(name) else "a variable of that name"
        raise ValueError(f"{shown} is not set")
    return found


def _in_a_file(section: type[ChannelSettings], text: str) -> str:
    """The text with the names of variables replaced by those that stand for them in a file."""
    names = {variable_name(section, field): field for field in section.model_fields}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f"{name}_FILE", names[name] + _FILE).replace(name, names[name])
    return text
