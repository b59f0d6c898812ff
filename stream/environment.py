"""`TRAILSTREAM_*` variables in, frozen sections of settings out, or a `ConfigError` with a line for each fault.

Any secret may come from a file instead, `TRAILSTREAM_<NAME>_FILE`; what Kubernetes injects for Services of our name
is not ours; the value of a secret is in no error.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, ByteSize, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stream.errors import ConfigError
from stream.terminal import REDACTED

PREFIX: Final = "TRAILSTREAM_"

# What Kubernetes injects into every pod beside a Service named "trailstream", or "trailstream-<anything>":
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(
    r"TRAILSTREAM_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
# `<SERVICE>_PORT` is an address there, and may be called like a setting of ours.
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SHOWN_CHARACTERS: Final = 80


def _split(value: object) -> object:
    """Turn `a, b` into `("a", "b")`; leave anything else for pydantic to judge."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class _Environment(EnvSettingsSource):
    """Reads `os.environ`, an empty variable being an unset one."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in our_variables().items()}


class Section(BaseSettings):
    """A group of variables that share a prefix.

    Building one reads the environment again, and again the files that `*_FILE` name: that is how a channel picks up
    a rotated secret. It raises `ConfigError`, never pydantic's own error, whose text would hold the secrets.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    def __init__(self, **values: Any) -> None:
        secrets, faults = _secrets_from_files(type(self))
        try:
            super().__init__(**(secrets | values))
        except ValidationError as error:
            named = {fault.partition(":")[0].removesuffix("_FILE") for fault in faults}
            faults += [fault for name, fault in _explain(type(self), error) if name not in named]
        if faults:
            raise ConfigError("\n".join(faults))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment in our own way, and nothing else."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(settings_cls)


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


def load(sections: Iterable[type[Section]]) -> dict[type[Section], Section]:
    """Read every section from the environment.

    Raises:
        ConfigError: one line for each value that is not allowed and each `TRAILSTREAM_*` name that nobody knows.
    """
    loaded, faults = read(sections)
    if faults:
        raise ConfigError("\n".join(faults))
    return loaded


def read(sections: Iterable[type[Section]]) -> tuple[dict[type[Section], Section], list[str]]:
    """Read every section from the environment: those that could be read, and a line for each fault."""
    sections = tuple(sections)
    faults = list(_unknown_names(sections))
    loaded: dict[type[Section], Section] = {}
    for section in sections:
        try:
            loaded[section] = section()
        except ConfigError as error:
            faults.extend(str(error).splitlines())
    return loaded, list(dict.fromkeys(faults))


def reference(sections: Iterable[type[Section]]) -> list[Variable]:
    """Every variable of these sections, in their own order, with the values of today's environment."""
    environ = our_variables()
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
        for name, info in _fields(section)
    ]


def variable_name(section: type[Section], field: str) -> str:
    """The environment variable behind a field: `concurrency` is `TRAILSTREAM_CONCURRENCY`."""
    alias = section.model_fields[field].alias
    return (alias or section.model_config.get("env_prefix", PREFIX) + field).upper()


def is_secret(info: FieldInfo) -> bool:
    """Whether a field holds a secret, or a list of them."""
    return _mentions_secret(info.annotation)


def without_user_info(text: str) -> str:
    """The text with `user:password@` taken out of any URL in it."""
    return _USER_INFO.sub(REDACTED, text)


def _mentions_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_mentions_secret(argument) for argument in get_args(annotation))


def _fields(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    for field, info in section.model_fields.items():
        yield variable_name(section, field), info


def our_variables() -> dict[str, str]:
    """The variables that are set and meant for us, by their names in capitals."""
    return {
        name.upper(): value
        for name, value in sorted(os.environ.items(), reverse=True)  # TRAILSTREAM_X wins over trailstream_x
        if name.upper().startswith(PREFIX)
        and value
        and not _SERVICE_LINK.fullmatch(name)
        and not (name.endswith("_PORT") and _SERVICE_ADDRESS.match(value))
    }


def _secrets_from_files(section: type[Section]) -> tuple[dict[str, Any], list[str]]:
    """The secrets of this section that files hold, by field; and a line for each file that is of no use."""
    environ = our_variables()
    secrets: dict[str, Any] = {}
    faults = []
    for field, info in section.model_fields.items():
        name = variable_name(section, field)
        path = environ.get(f"{name}_FILE")
        if not path or not is_secret(info):
            continue
        if name in environ:
            faults.append(f"{name}_FILE: {name} is set as well; keep one of them")
            continue
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            faults.append(f"{name}_FILE: can't read the secret from {path!r}: {_cause(error)}")
            continue
        if secret:
            secrets[field] = secret
        else:
            faults.append(f"{name}_FILE: the file {path!r} is empty")
    return secrets, faults


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "that is no path"


def _unknown_names(sections: Iterable[type[Section]]) -> Iterator[str]:
    known = set()
    for section in sections:
        for name, info in _fields(section):
            known.add(name.removeprefix(PREFIX))
            if is_secret(info):
                known.add(f"{name}_FILE".removeprefix(PREFIX))
    for name in sorted(our_variables()):
        if (ours := name.removeprefix(PREFIX)) in known:
            continue
        if ours.removesuffix("_FILE") in known:
            yield f"{name}: only a secret can come from a file; set {name.removesuffix('_FILE')} itself"
            continue
        near = difflib.get_close_matches(ours, known, n=1, cutoff=0.6)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else "`trailstream env` lists those there are."
        yield f"{name[:_SHOWN_CHARACTERS]} is not a setting of Trailstream: {hint}"


def _explain(section: type[Section], error: ValidationError) -> Iterator[tuple[str, str]]:
    """For each fault, the variable (empty where several are at fault together) and the line that tells of it."""
    for fault in error.errors(include_url=False):
        located = str(fault["loc"][0]).lower() if fault["loc"] else ""
        for field, info in section.model_fields.items():
            if located and located in (field, (info.alias or "").lower()):
                name = variable_name(section, field)
                yield name, f"{name}: {_allowed(info, fault)}{_shown(info, fault)}"
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
