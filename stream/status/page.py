"""The page and its data over HTTP, on the loopback interface alone: `kubectl port-forward` leads there, nothing else.

Nothing on it needs a script, and none would run: whatever a record holds is text.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from stream.errors import ConfigError
from stream.listening import listening
from stream.status.snapshot import duration
from stream.terminal import inert

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_HOST: Final = "127.0.0.1"
# What a browser sends as `Host` that was led here by a port-forward. A name that an attacker lets lead to 127.0.0.1
# (DNS rebinding) is none of these.
_HOSTS: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_CODE: Final = re.compile(r"`([^`]+)`")


@asynccontextmanager
async def showing(snapshot: Callable[[], dict[str, Any]], *, port: int) -> AsyncIterator[int]:
    """Serve the page while the block runs; gives the port.

    Args:
        snapshot: what is shown; see `Status.snapshot`.
        port: 0: any that is free.

    Raises:
        ConfigError: the port can't be listened on.
    """

    async def page(_: web.Request) -> web.Response:
        html = await asyncio.to_thread(_template().render, snapshot())
        return web.Response(text=html, content_type="text/html")

    async def data(_: web.Request) -> web.Response:
        return web.json_response(snapshot())

    async def style(_: web.Request) -> web.Response:
        return web.Response(text=_file("style.css"), content_type="text/css")

    app = web.Application(middlewares=[_guarded])
    app.router.add_get("/", page)
    app.router.add_get("/status.json", data)
    app.router.add_get("/style.css", style)
    async with AsyncExitStack() as stack:
        try:
            addresses = await stack.enter_async_context(listening(app, _HOST, port))
        except OSError as error:
            raise ConfigError(f"TRAILSTREAM_STATUS_PORT: can't listen on {_HOST}:{port}: {error.strerror}") from error
        yield addresses[0][1]


@web.middleware
async def _guarded(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    if not _HOSTS.fullmatch(request.headers.get("Host", "")):
        return web.Response(status=421, text="ask for localhost\n", headers=_HEADERS)
    try:
        answer: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        answer = web.Response(status=error.status, text=f"{error.reason}\n")
    answer.headers.update(_HEADERS)
    return answer


def _file(name: str) -> str:
    return resources.files("stream.status").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # two megabytes, until somebody looks

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"inert": inert, "duration": duration, "code": _code}
    return environment.from_string(_file("page.html.j2"))


def _code(text: str) -> "Markup":
    """Text in which what stands between backticks is code."""
    from markupsafe import Markup, escape

    parts = _CODE.split(text)  # every second one was between backticks
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
