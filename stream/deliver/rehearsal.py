"""Requests written down instead of made, for `trailstream channels show`: what would go out, without its secrets."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from stream.terminal import REDACTED

_SECRET_HEADERS: Final = frozenset({"authorization", "x-amz-security-token", "cookie"})
_SHORTEST_SECRET: Final = 4  # what is shorter would be found in every other word

Rehearsal = Callable[[str], None]
"""Takes one request as text, in the form in which its protocol is usually written down."""


def http_request(settings: BaseModel, method: str, url: SecretStr, headers: Mapping[str, str], body: bytes) -> str:
    """An HTTP request as text: its line, its headers, its body, indented where that is JSON."""
    lines = [f"{method} {_shown_url(settings, url)}"]
    lines += [f"{name}: {REDACTED if name.lower() in _SECRET_HEADERS else value}" for name, value in headers.items()]
    return without_secrets(settings, "\n".join([*lines, "", _shown_body(body)]).rstrip("\n"))


def api_call(settings: BaseModel, service: str, operation: str, parameters: Mapping[str, Any]) -> str:
    """A call of AWS's API as text: its name, and its parameters as JSON."""
    shown = json.dumps(parameters, indent=2, ensure_ascii=False, default=_as_text)
    return without_secrets(settings, f"{service}:{operation}\n{shown}")


def without_secrets(settings: BaseModel, text: str) -> str:
    """The text with every secret of these settings redacted, wherever it occurs."""
    for secret in sorted(_secrets(getattr(settings, name) for name in type(settings).model_fields), key=len)[::-1]:
        text = text.replace(secret, REDACTED).replace(json.dumps(secret)[1:-1], REDACTED)
    return text


def _secrets(values: Iterable[Any]) -> set[str]:
    found = set()
    for value in values:
        if isinstance(value, SecretStr):
            found.add(value.get_secret_value())
        elif isinstance(value, list | tuple):
            found |= _secrets(value)
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _shown_url(settings: BaseModel, url: SecretStr) -> str:
    """The URL; of one that is a secret, whoever knows it may use it: only its host."""
    text = url.get_secret_value()
    if text not in _secrets(getattr(settings, name) for name in type(settings).model_fields):
        return text
    parts = urlsplit(text)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/{REDACTED}"


def _shown_body(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _as_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
