"""The file of `TRAILSTREAM_ROUTES` in; named channels and routes to them out, or every fault in it with its line.

channels:
  soc: {type: slack, webhook_url_file: /run/secrets/soc}
  payments-pager: {type: pagerduty, routing_key: {env: PAYMENTS_KEY}, min_severity: high, fallback: soc}
routes:
  - match: {severity: ">=high", account: ["1111*", "prod-*"], not: {actor: "*:role/ci-*"}}
    channels: [payments-pager, soc]
default: [soc]
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from stream.deliver.channels import CHANNELS
from stream.deliver.instances import NAME, Instance, plain_secrets, read_settings
from stream.deliver.routes import AT_LEAST, FIELDS, Matcher, Route
from stream.deliver.routes_model import Conditions, Match, RoutesFile, faults
from stream.deliver.routes_yaml import Lines, parse
from stream.deliver.routes_yaml import Path as Place
from stream.errors import ConfigError
from stream.json_value import shown
from stream.nearest import hint
from stream.settings import ChannelSettings
from stream.variables import PREFIX

VARIABLE: Final = "TRAILSTREAM_ROUTES"
MAX_BYTES: Final = 1024 * 1024

_SHOWN_CHARACTERS: Final = 60
_FAULT_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class RoutesRead:
    """What a file says; `default` is `None` where it says nothing of one."""

    instances: tuple[Instance, ...] = ()
    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] | None = None


def load_routes(path: str, on: Sequence[Instance] = (), unreadable: Collection[str] = ()) -> RoutesRead:
    """Read a file; may be called again when it has changed.

    Args:
        path: of the file.
        on: the channels that variables switch on.
        unreadable: kinds whose variables are at fault, so that nobody knows whether they are on.

    Raises:
        ConfigError: a line for each fault, with the file, the line in it, and what is at fault there; never a secret.
    """
    document = _Document(path)
    told = list(document.faults())
    instances = []
    for name, values in document.channels.items():
        try:
            instances.append(document.instance(name, values))
        except ConfigError as error:
            told.extend(str(error).splitlines())
    told.extend(document.unknown_channels({each.name for each in on}, unreadable))
    if told or document.model is None:
        raise ConfigError("\n".join(told))
    model = document.model
    return RoutesRead(
        instances=tuple(instances),
        routes=tuple(
            Route(tuple(_matchers(each.match)), each.channels, each.goes_on, document.line(("routes", index)))
            for index, each in enumerate(model.routes)
        ),
        default=model.default,
    )


def reload_settings(path: str, name: str, kind: str) -> ChannelSettings:
    """The settings of one channel, from its file as it is now.

    Raises:
        ConfigError: the file, or what it says of this channel, can't be used any more.
    """
    document = _Document(path)
    values = document.channels.get(name)
    if not isinstance(values, Mapping) or values.get("type") != kind:
        raise ConfigError(f"{VARIABLE}: {path}: there is no channel {name} of the type {kind} any more")
    return document.instance(name, values).settings


class _Document:
    """A file that is YAML, whatever it says.

    Raises:
        ConfigError: it can't be read, is too long, empty or no YAML.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            value, self._lines = _parsed(path)
        except ConfigError as error:
            raise ConfigError(f"{VARIABLE}: {path}: {error}") from None
        self._value: Mapping[str, Any] = value
        self._error: ValidationError | None = None
        self.model: RoutesFile | None = None
        try:
            self.model = RoutesFile.model_validate(value)
        except ValidationError as error:
            self._error = error

    @property
    def channels(self) -> Mapping[str, Any]:
        """What stands there for each channel."""
        found = self._value.get("channels")
        return found if isinstance(found, Mapping) else {}

    def faults(self) -> Iterator[str]:
        """A line for each fault of its form."""
        if self._error is not None:
            yield from (self.fault(place, text) for place, text in faults(self._error))

    def instance(self, name: str, values: Any) -> Instance:
        """One channel.

        Raises:
            ConfigError: a line for each fault of its settings.
        """
        place = ("channels", name)
        if not isinstance(values, Mapping):
            raise ConfigError(self.fault(place, "a mapping should stand here, with its type and its settings"))
        kind = values.get("type")
        if not isinstance(kind, str):
            raise ConfigError(self.fault(place, f"its type is required; {hint('', CHANNELS)}"))
        if kind not in CHANNELS:
            unknown = f"there is no type {kind[:_SHOWN_CHARACTERS]!r}; {hint(kind, CHANNELS)}"
            raise ConfigError(self.fault((*place, "type"), unknown))
        section = CHANNELS[kind].section
        own = {key: value for key, value in values.items() if key != "type"}
        settings, found = read_settings(section, own)
        told = list(self._bad_name(name))
        told += [self.fault((*place, key) if key else place, text) for key, text in found]
        if told or settings is None:
            raise ConfigError("\n".join(told))
        return Instance(
            name,
            kind,
            settings,
            reload=partial(reload_settings, self._path, name, kind),
            place=f"{VARIABLE}: {self._path}: line {self.line(place)}: channel {name}",
            plain_secrets=plain_secrets(section, own),
        )

    def unknown_channels(self, on: Collection[str], unreadable: Collection[str]) -> Iterator[str]:
        """A line for each name of a channel, in routes and the default, that is none."""
        if self.model is None:
            return
        known = [*self.channels, *on]
        named: list[tuple[Place, Sequence[str]]] = [
            (("routes", index, "channels"), route.channels) for index, route in enumerate(self.model.routes)
        ]
        named.append((("default",), self.model.default or ()))
        for place, name in (((*place, index), name) for place, names in named for index, name in enumerate(names)):
            if name in known or name in unreadable:
                continue
            if name in CHANNELS:
                variable = f"{PREFIX}{name.upper()}_*"
                yield self.fault(place, f"the channel {name} is not on: set {variable}, or name one under `channels`")
            else:
                yield self.fault(place, f"there is no channel {name[:_SHOWN_CHARACTERS]!r}; {hint(name, known)}")

    def fault(self, place: Place, text: str) -> str:
        """The line that tells of a fault."""
        told = shown(f"{_called(place)}{text}", _FAULT_CHARACTERS)  # a key may have anything in it
        return f"{VARIABLE}: {self._path}: line {self.line(place)}: {told}"

    def line(self, place: Place) -> int:
        """Where something stands, or, if it isn't there, what it should be in."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _bad_name(self, name: str) -> Iterator[str]:
        place = ("channels", name)
        if not NAME.fullmatch(name):
            form = "small letters, digits and hyphens, begins with a letter and is at most 63 long"
            yield self.fault(place, f"a name is made of {form}")
        elif name in CHANNELS:
            variables = f"{PREFIX}{name.upper()}_*"
            yield self.fault(
                place, f"a type's own name is that of the channel which {variables} switch on: choose another"
            )


def _parsed(path: str) -> tuple[Mapping[str, Any], Lines]:
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise ConfigError(f"it can't be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8 text") from None
    except (ValueError, RuntimeError):
        raise ConfigError("that is no path") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"it is longer than {MAX_BYTES:,} bytes")
    value, lines = parse(text)
    if value is None:
        raise ConfigError("it is empty")
    if not isinstance(value, Mapping):
        raise ConfigError("it should be a mapping with `channels`, `routes` and `default`")
    return value, lines


def _matchers(match: Match) -> Iterator[Matcher]:
    if match.min_severity is not None:
        yield Matcher("severity", (AT_LEAST + match.min_severity,))
    yield from _conditions(match, negated=False)
    yield from _conditions(match.but_not, negated=True)


def _conditions(conditions: Conditions, *, negated: bool) -> Iterator[Matcher]:
    for field in FIELDS:
        if wanted := getattr(conditions, field):
            yield Matcher(field, wanted, negated)


def _called(place: Place) -> str:
    """What a place in the file is called, with a colon; nothing for the whole of it."""
    match place:
        case ("channels", str(name), *rest):
            head = f"channel {name[:_SHOWN_CHARACTERS]}"
        case ("routes", int(index), *rest):
            head = f"route {index + 1}"
        case _:
            head, rest = "", list(place)
    tail = ".".join(each for each in rest if isinstance(each, str))
    return "".join(f"{part[: 2 * _SHOWN_CHARACTERS]}: " for part in (head, tail) if part)
