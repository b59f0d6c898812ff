"""A mail server on loopback: it keeps what it takes, and refuses senders, recipients and contents as it is told."""

import asyncio
import ssl
import warnings
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True)
class Mail:
    """One that was taken."""

    sender: str
    recipients: tuple[str, ...]
    source: bytes
    login: bytes | None

    @property
    def message(self) -> EmailMessage:
        return parsed(self.source)


def parsed(source: bytes) -> EmailMessage:
    return message_from_bytes(source, policy=default)


def contents(message: EmailMessage) -> list[str]:
    """The texts of a message's parts, with line feeds alone."""
    parts = [part for part in message.walk() if not part.is_multipart()]
    return [str(part.get_content()).replace("\r\n", "\n") for part in parts]


@dataclass
class MailServer:
    """`async with MailServer() as server`.

    Attributes:
        context: a certificate to speak TLS with.
        security: how TLS begins, if at all.
        password: the one that a login needs to have, if it is asked for.
        senders: what is said to the next senders, if not 250.
        refused: what is said to a recipient, as often as it is listed; the last is said for ever if it ends in `!`.
        contents: what is said to the next contents; `hang` is nothing at all, `close` ends the connection.
        goodbye: what is said to QUIT.
    """

    context: ssl.SSLContext | None = None
    security: Literal["no", "starttls", "tls"] = "no"
    password: bytes | None = None
    senders: deque[str] = field(default_factory=deque)
    refused: dict[str, list[str]] = field(default_factory=dict)
    contents: deque[str] = field(default_factory=deque)
    goodbye: str = "221 Bye"
    mails: list[Mail] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def url(self) -> str:
        scheme = "smtps" if self.security == "tls" else "smtp"
        return f"{scheme}://127.0.0.1:{self.port}" + ("?starttls=no" if self.security == "no" else "")

    def url_with(self, login: str) -> str:
        return self.url.replace("://", f"://{login}@")

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            with warnings.catch_warnings(action="ignore"):  # a login without STARTTLS is what TLS from the start is
                return self._protocol(loop)

        listening = await loop.create_server(
            protocol, "127.0.0.1", 0, ssl=self.context if self.security == "tls" else None
        )
        self.port = listening.sockets[0].getsockname()[1]
        self._stack.callback(listening.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> SMTP:
        return SMTP(
            self,
            loop=loop,
            hostname="mail.example",
            tls_context=self.context if self.security == "starttls" else None,
            auth_required=self.password is not None,
            auth_require_tls=self.security == "starttls",
            authenticator=self._authenticate,
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: object
    ) -> AuthResult:
        del server, session, envelope, mechanism
        right = isinstance(auth_data, LoginPassword) and auth_data.password == self.password
        return AuthResult(success=right, handled=right, auth_data=auth_data)  # not handled: it is told 535

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        self.commands.append("MAIL")
        if self.senders:
            return self.senders.popleft()
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        self.commands.append(f"RCPT {address}")
        answers = self.refused.get(address)
        if answers:
            return answers[0].removesuffix("!") if answers[0].endswith("!") else answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.commands.append("DATA")
        answer = self.contents.popleft() if self.contents else "250 OK"
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "close" and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        if answer.startswith("250"):
            login = vars(session)["auth_data"]
            self.mails.append(
                Mail(
                    sender=envelope.mail_from or "",
                    recipients=tuple(envelope.rcpt_tos),
                    source=envelope.original_content or b"",
                    login=login.login if isinstance(login, LoginPassword) else None,
                )
            )
        return answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session, envelope
        self.commands.append("QUIT")
        return self.goodbye
