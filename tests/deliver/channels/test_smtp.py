import pytest
from aiosmtplib import (
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPResponseException,
)
from pydantic import SecretStr

from stream.deliver.channel import Answer, Down, Retry
from stream.deliver.channels.smtp import classify, server


@pytest.mark.parametrize(
    ("url", "host", "port", "security", "login"),
    [
        ("smtp://mail.example", "mail.example", 587, "required", (None, "")),
        ("smtps://mail.example/", "mail.example", 465, "tls", (None, "")),
        ("smtp://u:p@mail.example:2525?starttls=required", "mail.example", 2525, "required", ("u", "p")),
        ("smtp://[::1]:25?starttls=no", "::1", 25, "no", (None, "")),
        ("smtp://10.0.0.1?starttls=optional", "10.0.0.1", 587, "optional", (None, "")),
        ("smtps://u%40x.example:p%3A%2F%3Fw@mail.example", "mail.example", 465, "tls", ("u@x.example", "p:/?w")),
        ("smtp://u:p@localhost?starttls=no", "localhost", 587, "no", ("u", "p")),
    ],
)
def test_a_url_names_the_server_how_tls_begins_and_the_login(
    url: str, host: str, port: int, security: str, login: tuple[str | None, str]
) -> None:
    found = server(SecretStr(url))
    assert (found.host, found.port, found.security, (found.username, found.password)) == (host, port, security, login)


def test_the_name_to_greet_with_can_be_chosen_and_the_password_is_not_shown() -> None:
    found = server(SecretStr("smtp://u:sEcReT@mail.example?helo=trailstream.example"))
    assert found.helo == "trailstream.example"
    assert "sEcReT" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://u:sEcReT@mail.example",
        "smtp://",
        "smtp://u:sEcReT@",
        "smtp://u:sEc/ReT@mail.example",
        "smtp://u:sEc#ReT@mail.example",
        "smtp://u:1/sEcReT@mail.example",
        "smtp://sEcReT@mail.example",
        "smtp://u:sEcReT@mail.example:0",
        "smtp://u:sEcReT@mail.example:99999",
        "smtp://u:sEcReT@mail.example/path",
        "smtp://u:sEcReT@ma il.example",
        "smtp://u:sEcReT@mail.example?starttls=no",
        "smtp://u:sEcReT@mail.example?starttls=optional",
        "smtp://u:sEcReT@mail.example?starttls=maybe",
        "smtp://u:sEcReT@mail.example?verify=no",
        "smtp://u:sEcReT@mail.example?starttls",
        "smtp://u:sEcReT@mail.example?helo=a%0d%0aRCPT",
        "smtp://u:sEcReT@mail.example?helo=a&helo=b",
        "smtps://u:sEcReT@mail.example?starttls=no",
    ],
)
def test_any_other_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be smtp://|a login|\?starttls|\?helo|smtps://)") as raised:
        server(SecretStr(url))
    assert "ReT" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (SMTPConnectResponseError(421, "4.3.2 busy"), Retry("server_error")),
        (SMTPConnectResponseError(554, "no SMTP service here"), Down("forbidden")),
        (SMTPHeloError(550, "who are you?"), Down("forbidden")),
        (SMTPResponseException(-1, "Malformed SMTP response line: HTTP/1.1 400"), Down("other")),
        (SMTPNotSupported("SMTPUTF8"), Down("other")),
        (SMTPConnectError("Error connecting to mail.example: no such host"), Retry("connection")),
        (ConnectionResetError(), Retry("connection")),
        (TimeoutError(), Retry("timeout")),
    ],
)
def test_a_session_that_ends_before_a_mail_is_a_fault_of_the_channels(error: Exception, answer: Answer) -> None:
    assert classify(error) == answer
