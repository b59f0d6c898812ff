"""`TRAILSTREAM_*` variables in, frozen sections of settings out, or a `ConfigError` with a line for each fault.

Any secret may come from a file instead, `TRAILSTREAM_<NAME>_FILE`; what Kubernetes injects for Services of our name
is not ours; the value of a secret is in no error.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from stream.errors import ConfigError
from stream.variables import PREFIX, Variable, describe, explain, is_secret, variable_name, variables_of

# What Kubernetes injects into every pod beside a Service named "trailstream", or "trailstream-<anything>":
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(
    r"TRAILSTREAM_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
# `<SERVICE>_PORT` is an address there, and may be called like a setting of ours.
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)
_SHOWN_CHARACTERS: Final = 80
_MAX_SECRET_BYTES: Final = 64 * 1024


def _split(value: object) -> object:
    """Turn `a, b` into `("a", "b")`; leave anything else for pydantic to judge."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]


class Section(BaseModel):
    """A group of variables that share a prefix, which a subclass may set.

    Building one reads the environment again, and again the files that `*_FILE` name: that is how a channel picks up
    a rotated secret. It raises `ConfigError`, never pydantic's own error, whose text would hold the secrets.
    """

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )
    env_prefix: ClassVar[str] = PREFIX

    def __init__(self, **values: Any) -> None:
        environ = our_variables()
        secrets, faults = _secrets_from_files(type(self), environ)
        named = {field: variable_name(type(self), field) for field in type(self).model_fields}
        given = {field: environ[name] for field, name in named.items() if name in environ}
        try:
            super().__init__(**(given | secrets | values))
        except ValidationError as error:
            at_fault = {fault.partition(":")[0].removesuffix("_FILE") for fault in faults}
            faults += [fault for name, fault in explain(type(self), error) if name not in at_fault]
        if faults:
            raise ConfigError("\n".join(faults))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make one of these values alone, by field, whatever the environment holds.

        Raises:
            ValidationError: pydantic's own; `faults_by_field` tells what is wrong without the secrets.
        """
        section = cls.__new__(cls)
        BaseModel.__init__(section, **values)
        return section


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
    return describe(sections, our_variables())


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


def _secrets_from_files(section: type[Section], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The secrets of this section that files hold, by field; and a line for each file that is of no use."""
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
            secrets[field] = read_secret(path)
        except ValueError as error:
            faults.append(f"{name}_FILE: {error}")
    return secrets, faults


def read_secret(path: str) -> str:
    """The secret that a file holds, without the white space around it.

    Raises:
        ValueError: it can't be read, is too long or empty; says so in a clause.
    """
    # Somebody may have put the secret itself there.
    shown = repr(path) if path.startswith(("/", "./", "../")) else "what is set, which should be the path of a file"
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
        secret = content.decode().strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"can't read the secret from {shown}: {_cause(error)}") from None
    if len(content) > _MAX_SECRET_BYTES:
        raise ValueError(f"can't read the secret from {shown}: it has more than {_MAX_SECRET_BYTES:,} bytes")
    if not secret:
        raise ValueError(f"the file {path!r} is empty")
    return secret


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "that is no path"


def _unknown_names(sections: Iterable[type[Section]]) -> Iterator[str]:
    known = set()
    for section in sections:
        for name, info in variables_of(section):
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
