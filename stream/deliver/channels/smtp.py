"""A mail handed to a server by SMTP: an address and a message in; who has it, and who was refused, out.

TLS is verified, and a server that should speak it and doesn't is never spoken to without. RFC 5321, STARTTLS: RFC
3207, AUTH: RFC 4954, ports: RFC 8314.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from pydantic import SecretStr

from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry

Security = Literal["tls", "required", "optional", "no"]

_T = TypeVar("_T")

_GOODBYE_S: Final = 2.0
_PORTS: Final = {"smtp": 587, "smtps": 465}
_STARTTLS: Final[Mapping[str, Security]] = {"required": "required", "optional": "optional", "no": "no"}
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")
_HELO: Final = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")
_LOOPBACK: Final = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_LOGIN_WANTED: Final = frozenset({530, 534, 535, 538})  # RFC 4954, 6
_TOO_LARGE: Final = frozenset({523, 552})
_FORM: Final = (
    "must be smtp://user:password@host:587, or smtps:// (TLS from the start, port 465); the login may be left out, "
    "anything but letters and digits in it is percent-encoded; ?starttls=optional or ?starttls=no, and ?helo=<name> "
    "may follow"
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in.

    Attributes:
        security: `tls` from the start; STARTTLS `required`, `optional` (where it is offered), or `no`.
        helo: the name to greet with.
    """

    host: str
    port: int
    security: Security
    helo: str
    username: str | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message.

    Attributes:
        taken: the recipients who have it.
        refused: for each of the others, what its refusal means: `Retry` or `Down`.
    """

    taken: tuple[str, ...]
    refused: Mapping[str, Answer]


def server_url(value: SecretStr | None) -> SecretStr | None:
    """Accept a URL that `server` understands.

    Raises:
        ValueError: it doesn't; the message does not show it, for there may be a password in it.
    """
    if value is not None:
        server(value)
    return value


def server(url: SecretStr) -> Server:
    """What the URL of a mail server says.

    Raises:
        ValueError: it is none; the message does not show it.
    """
    try:
        parts = urlsplit(url.get_secret_value().strip())
        port = parts.port
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(_FORM) from None
    host, named = parts.hostname or "", dict(options)
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
        raise ValueError(_FORM)
    if (
        parts.path not in ("", "/")
        or parts.fragment
        or len(named) < len(options)
        or named.keys() - {"starttls", "helo"}
    ):
        raise ValueError(_FORM)
    if bool(parts.username) != bool(parts.password):
        raise ValueError("a login is a user and a password, user:password@")
    security = _security(parts.scheme, named.get("starttls"))
    if parts.username and security in ("optional", "no") and not _LOOPBACK.fullmatch(host):
        raise ValueError("a login needs TLS: ?starttls=optional and ?starttls=no are for servers that want none")
    return Server(
        host=host,
        port=port or _PORTS[parts.scheme],
        security=security,
        helo=_helo(named.get("helo")),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or ""),
    )


def _security(scheme: str, starttls: str | None) -> Security:
    if scheme == "smtps":
        if starttls is not None:
            raise ValueError("smtps:// is TLS from the start, and knows no ?starttls")
        return "tls"
    if starttls not in (None, *_STARTTLS):
        raise ValueError("?starttls is required, optional or no")
    return _STARTTLS[starttls or "required"]


def _helo(name: str | None) -> str:
    if name is None:
        own = socket.gethostname()
        return own if _HELO.fullmatch(own) else "localhost"
    if not _HELO.fullmatch(name):
        raise ValueError("?helo is the name of a host, or an address in brackets")
    return name


async def submit(to: Server, sender: str, recipients: Sequence[str], source: bytes, timeout_s: float) -> Sent | Answer:
    """Hand in one message.

    Args:
        to: where.
        sender: of the envelope.
        recipients: of the envelope, one at least.
        source: the message, in ASCII.
        timeout_s: seconds that all of it may take.

    Returns:
        What became of it, or what it means that nobody has it.
    """

    async def send(client: SMTP) -> Sent:
        try:
            refused, _ = await client.sendmail(sender, recipients, source)
        except SMTPRecipientsRefused as error:
            refusals = {each.recipient: _refused(each.code, each.message) for each in error.recipients}
            return Sent((), refusals)
        taken = tuple(each for each in recipients if each not in refused)
        return Sent(taken, {each: _refused(reply.code, reply.message) for each, reply in refused.items()})

    return await _session(to, timeout_s, send)


async def knock(at: Server, timeout_s: float) -> Answer:
    """Find out whether mail could be handed in, with the login, without handing in any."""

    async def greet(client: SMTP) -> Answer:
        await client.noop()
        return Accepted()

    return await _session(at, timeout_s, greet)


async def _session(to: Server, timeout_s: float, use: Callable[[SMTP], Awaitable[_T]]) -> _T | Answer:
    client = SMTP(
        hostname=to.host,
        port=to.port,
        use_tls=to.security == "tls",
        start_tls=None if to.security == "optional" else False,
        local_hostname=to.helo,
        timeout=timeout_s,
    )
    try:
        async with asyncio.timeout(timeout_s):
            await client.connect()
            if to.security == "required":
                await _encrypt(client)
            if to.username is not None:
                await _login(client, to.username, to.password)
            result = await use(client)
        # What was taken stays taken, whatever becomes of the goodbye.
        with suppress(SMTPException, OSError):
            await client.quit(timeout=_GOODBYE_S)
        return result
    except (SMTPException, OSError) as error:
        return classify(error)
    finally:
        client.close()


async def _encrypt(client: SMTP) -> None:
    try:
        await client.starttls()
    except (ConnectionError, TimeoutError):
        raise
    except SMTPException as error:
        raise ssl.SSLError("the server has no STARTTLS") from error


async def _login(client: SMTP, username: str, password: str) -> None:
    try:
        await client.login(username, password)
    except (SMTPResponseException, ConnectionError, TimeoutError):
        raise
    except SMTPException as error:
        raise SMTPAuthenticationError(535, "no way to log in that both sides know") from error


def classify(error: Exception) -> Answer:
    """What the end of a session means for a message that nobody has taken."""
    if isinstance(error, TimeoutError):
        return Retry("timeout")
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Down("tls")
    if isinstance(error, SMTPResponseException):
        return _reply(error)
    if isinstance(error, SMTPException) and not isinstance(error, ConnectionError):
        return Down("other")
    return Retry("connection")


def _reply(error: SMTPResponseException) -> Answer:
    code = error.code
    if 400 <= code < 500:
        return _later(error.message)
    if code < 500:
        return Down("other")  # no SMTP is spoken there
    if code in _LOGIN_WANTED or isinstance(error, SMTPAuthenticationError):
        return Down("unauthorized")
    if isinstance(error, SMTPDataError | SMTPSenderRefused) and code in _TOO_LARGE:
        return Rejected("too_large")  # the size is announced with the sender: RFC 1870
    return Rejected("payload") if isinstance(error, SMTPDataError) else Down("forbidden")


def _refused(code: int, message: str) -> Answer:
    """What it means that a recipient was refused: recipients are settings, and no fault of an alert's."""
    if code < 500 or code == 552:  # RFC 5321, 4.5.3.1.10: 552 for a recipient is meant as 452
        return _later(message)
    if code in _LOGIN_WANTED:
        return Down("unauthorized")
    return Down("forbidden" if message.startswith("5.7.") else "not_found")


def _later(message: str) -> Retry:
    # RFC 3463: x.7 is policy, which is to say grey-listing, or too many at once.
    return Retry("throttled" if message.startswith("4.7.") else "server_error")
