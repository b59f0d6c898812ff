"""Sends requests straight to a server, or by the proxy that the environment wants for it."""

import ssl
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import cache
from typing import Self
from urllib.request import getproxies, proxy_bypass

from stream.http.origin import Http, Origin, Response
from stream.http.pool import Pool
from stream.http.proxied import Proxied


class Client(AbstractAsyncContextManager["Client"]):
    """What speaks HTTP; see `Http`. To be opened with `async with`.

    Args:
        user_agent: of every request.
        stall_s: for so long a server may say nothing while it is to answer.
        authorities: a file of the certificates to believe in, instead of the system's.
    """

    def __init__(self, *, user_agent: str, stall_s: float, authorities: str | None) -> None:
        self._user_agent = user_agent
        self._stall_s = stall_s
        self._tls = _tls(authorities)
        self._opened = AsyncExitStack()
        self._pool = Pool(user_agent=user_agent, stall_s=stall_s, tls=self._tls)
        self._proxies: dict[str, Proxied] = {}
        self._by_origin: dict[Origin, Http] = {}

    async def __aenter__(self) -> Self:
        await self._opened.enter_async_context(self._pool)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._opened.aclose()

    def request(
        self, method: str, origin: Origin, target: str, headers: dict[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[Response]:
        """See `Http`."""
        http = self._by_origin.get(origin) or self._http(origin)
        return http.request(method, origin, target, headers, body)

    def _http(self, origin: Origin) -> Http:
        proxy = proxy_for(origin)
        http: Http = self._pool if proxy is None else self._proxied(proxy)
        self._by_origin[origin] = http
        return http

    def _proxied(self, proxy: str) -> Proxied:
        if proxy not in self._proxies:
            made = Proxied(user_agent=self._user_agent, stall_s=self._stall_s, tls=self._tls, proxy=proxy)
            self._opened.push_async_exit(made)
            self._proxies[proxy] = made
        return self._proxies[proxy]


@cache  # to read all authorities takes 25 ms, and a process has several clients
def _tls(authorities: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities)


def proxy_for(origin: Origin) -> str | None:
    """The proxy that the environment wants for this server (`HTTPS_PROXY`, `NO_PROXY`, …), as botocore does."""
    return None if proxy_bypass(origin.authority) else getproxies().get(origin.scheme)
