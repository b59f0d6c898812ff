"""Accounts that somebody has listed: `id=name,…`, or the text of a YAML, JSON or CSV file, in; accounts by id out.

Whatever is wrong is a `ConfigError` that names the variable, the file, and the line or entry.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from stream.accounts.account import Account
from stream.errors import ConfigError
from stream.json_value import shown

VARIABLE: Final = "TRAILSTREAM_ACCOUNTS"
ORGANIZATIONS: Final = "organizations"
"""The value that lists nothing and means AWS Organizations; also botocore's name of that service."""

_INLINE: Final = re.compile(r"\s*[0-9]+\s*=")
_MEMBERS: Final = ("name", "ou", "tags")
_COLUMNS: Final = {"id": "id", "account_id": "id", "name": "name", "account_name": "name", "ou": "ou", "tags": "tags"}
_NULL: Final = "tag:yaml.org,2002:null"

_Entry = tuple[str, str, Any]
"""Where it stands, an account's id, and its name or a mapping of `_MEMBERS`."""


class _Fault(ValueError):
    """What is wrong, and where in the text."""


def is_inline(value: str) -> bool:
    """Whether the variable's value is a list, and not a path."""
    return _INLINE.match(value) is not None


def load(value: str) -> dict[str, Account]:
    """Accounts of the variable's value, be it a list or a path.

    Raises:
        ConfigError: they can't be used.
    """
    return inline(value) if is_inline(value) else read(value.strip())


def inline(value: str) -> dict[str, Account]:
    """Accounts of `111122223333=prod,444455556666=dev`; a name that holds a comma has to stand in a file.

    Raises:
        ConfigError: an entry is not of that form.
    """
    parts = [part.strip() for part in value.split(",")]
    return _accounts("", _inline_entries(parts))


def read(path: str) -> dict[str, Account]:
    """Accounts of a file, whose kind its ending tells: `.yml`, `.yaml`, `.json` or `.csv`.

    Raises:
        ConfigError: it can't be read, or something in it is wrong.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{VARIABLE}: {path}: it is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "that is no path"
        raise ConfigError(
            f"{VARIABLE}: can't read {shown(path, 200)}: {cause}. It should be 111122223333=prod,…, the path of a "
            "file (.yml, .yaml, .json, .csv), or: organizations"
        ) from error
    return parse(text, kind=file.suffix.lower(), source=path)


def parse(text: str, *, kind: str, source: str) -> dict[str, Account]:
    """Accounts of a file's text.

    Args:
        text: the whole of it.
        kind: the file's ending.
        source: what to call the file in errors.

    Raises:
        ConfigError: something in it is wrong, or it names no account.
    """
    entries = {".yml": _yaml, ".yaml": _yaml, ".json": _json, ".csv": _csv}.get(kind)
    if entries is None:
        raise ConfigError(f"{VARIABLE}: {source}: a file of accounts ends in .yml, .yaml, .json or .csv")
    return _accounts(f"{source}: ", entries(text))


def _accounts(where: str, entries: Iterable[_Entry]) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    try:
        for place, id_, value in entries:
            try:
                account = _account(id_, value)
            except ValueError as error:
                raise _Fault(f"{place}: {error}") from error
            if accounts.setdefault(account.id, account) is not account:
                raise _Fault(f"{place}: the account {account.id} is there twice")
    except _Fault as fault:
        raise ConfigError(f"{VARIABLE}: {where}{shown(str(fault), 300)}") from fault
    if not accounts:
        raise ConfigError(f"{VARIABLE}: {where}it names no account")
    return accounts


def _account(id_: str, value: Any) -> Account:
    if isinstance(value, str):
        return Account.of(id_, value)
    if not isinstance(value, Mapping):
        raise _Fault(f"of {shown(id_, 40)} there should be a name, or name, ou and tags")
    unknown = [name for name in value if name not in _MEMBERS]
    if unknown:
        raise _Fault(f"{shown(unknown[0], 40)!r} is unknown; there are: {', '.join(_MEMBERS)}")
    name, ou, tags = value.get("name"), value.get("ou"), value.get("tags") or {}
    if not isinstance(name, str):
        raise _Fault(f"the account {shown(id_, 40)} has no name that is text")
    if ou is not None and not isinstance(ou, str):
        raise _Fault(f"the ou of {shown(id_, 40)} is no text")
    if not isinstance(tags, Mapping) or not all(isinstance(tag, str) for tag in tags.values()):
        raise _Fault(f"the tags of {shown(id_, 40)} are no mapping of texts")
    return Account.of(id_, name, ou, tags)


def _inline_entries(parts: Iterable[str]) -> Iterator[_Entry]:
    for number, part in enumerate(parts, 1):
        if not part:
            continue
        id_, equals, name = part.partition("=")
        if not equals:
            raise _Fault(f"entry {number}: {shown(part, 60)!r} is not of the form 111122223333=name")
        yield f"entry {number}", id_.strip(), name


def _yaml(text: str) -> Iterator[_Entry]:
    """Scalars are taken as they are written: as a number, 012345670123 would be octal and 000123456789 lose digits."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _Fault(f"it is not YAML: {error}") from error
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise _Fault("it should be a mapping of account ids to names")
    for key, value in root.value:
        place = f"line {key.start_mark.line + 1}"
        yield place, _scalar(key, place), _value(value, place, levels=2)


def _value(node: yaml.Node, place: str, *, levels: int) -> Any:
    if isinstance(node, yaml.MappingNode) and levels:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = _scalar(key, place)
            if name in found:
                raise _Fault(f"line {key.start_mark.line + 1}: {shown(name, 40)!r} is there twice")
            found[name] = _value(value, place, levels=levels - 1)
        return found
    if isinstance(node, yaml.ScalarNode) and node.tag == _NULL:
        return None
    return _scalar(node, place)


def _scalar(node: yaml.Node, place: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Fault(f"{place}: a text should stand where there is a list or a mapping")
    text: str = node.value
    return text


def _json(text: str) -> Iterator[_Entry]:
    try:
        root = json.loads(text, object_pairs_hook=_no_name_twice)
    except _Fault:
        raise
    except (ValueError, RecursionError) as error:
        raise _Fault(f"it is not JSON: {error}") from error
    if not isinstance(root, Mapping):
        raise _Fault("it should be an object with account ids for names")
    for number, (id_, value) in enumerate(root.items(), 1):
        yield f"entry {number}", id_, value


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Fault(f"{shown(twice, 40)!r} is there twice")
    return found


def _csv(text: str) -> Iterator[_Entry]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [_COLUMNS.get(cell.strip().lower().replace(" ", "_"), "") for cell in next(rows, [])]
        if not {"id", "name"} <= set(header):
            raise _Fault("line 1: the header should name the columns id (or account_id) and name (or account_name)")
        for row in rows:
            place = f"line {rows.line_num}"
            if len(row) > len(header):
                raise _Fault(f"{place}: it has more cells than the header; quote what holds a comma")
            if any(cell.strip() for cell in row):
                yield _csv_entry(place, {column: cell.strip() for column, cell in zip(header, row, strict=False)})
    except csv.Error as error:
        raise _Fault(f"line {rows.line_num}: it is not CSV: {error}") from error


def _csv_entry(place: str, cells: Mapping[str, str]) -> _Entry:
    tags: dict[str, str] = {}
    for tag in filter(None, (part.strip() for part in cells.get("tags", "").split(";"))):
        key, equals, value = tag.partition("=")
        if not equals:
            raise _Fault(f"{place}: tags are of the form key=value;key=value")
        tags[key.strip()] = value.strip()
    return place, cells.get("id", ""), {"name": cells.get("name"), "ou": cells.get("ou") or None, "tags": tags}
