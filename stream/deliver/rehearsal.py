"""Requests written down instead of made, for `trailstream channels show`: what would go out, without its secrets.

What comes out does nothing to a terminal, whatever an alert holds.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, SecretStr

from stream.terminal import REDACTED, inert, is_seen

_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-amz-security-token"})
_SHORTEST_SECRET: Final = 4  # what is shorter would be found in every other word

Rehearsal = Callable[[str], None]
"""Takes one request as text, in the form in which its protocol is usually written down."""


def http_request(settings: BaseModel, method: str, url: SecretStr, headers: Mapping[str, str], body: bytes) -> str:
    """An HTTP request as text: its line, its headers, its body, indented where that is JSON."""
    lines = [f"{method} {_shown_url(settings, url)}"]
    lines += [
        f"{name}: {REDACTED if name.lower() in _SECRET_HEADERS else inert(value)}" for name, value in headers.items()
    ]
    return without_secrets(settings, "\n".join([*lines, "", _shown_body(body)]).rstrip("\n"))


def api_call(settings: BaseModel, service: str, operation: str, parameters: Mapping[str, Any]) -> str:
    """A call of AWS's API as text: its name, and its parameters as JSON."""
    return without_secrets(settings, f"{service}:{operation}\n{_json(parameters)}")


def without_secrets(settings: BaseModel, text: str) -> str:
    """The text with every secret of these settings redacted, wherever it occurs and however it is spelt there."""
    for secret in sorted(_secrets(settings), key=len, reverse=True):
        for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], _json(secret)[1:-1]):
            text = text.replace(spelling, REDACTED)
    return text


def _secrets(settings: BaseModel) -> set[str]:
    found = set(_secrets_in(getattr(settings, name) for name in type(settings).model_fields))
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _secrets_in(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, Mapping):
            yield from _secrets_in(value.values())
        elif isinstance(value, list | tuple):
            yield from _secrets_in(value)


def _shown_url(settings: BaseModel, url: SecretStr) -> str:
    """The URL; of one that is a secret, whoever knows it may use it: only its host."""
    text = url.get_secret_value()
    if text not in _secrets(settings):
        return text
    parts = urlsplit(text)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/{REDACTED}"


def _shown_body(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    try:
        return _json(json.loads(text))
    except ValueError:
        return "\n".join(inert(line) for line in text.splitlines())


def _json(value: object) -> str:
    """The value as indented JSON, in which whatever a terminal might obey, or could not show, is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_as_text)
    return "".join(each if each == "\n" or is_seen(each) else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else json.dumps(character)[1:-1]


def _as_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
