import json

import pytest
from pydantic import BaseModel, SecretStr

from stream.deliver.rehearsal import api_call, http_request, without_secrets
from stream.terminal import REDACTED
from tests.deliver.channels.attacks import ATTACKS

URL = "https://hooks.example:8443/services/sEcReT?x=1"


class _Settings(BaseModel):
    url: SecretStr = SecretStr(URL)
    token: SecretStr = SecretStr('sEcReT"ü/pass word')
    short: SecretStr = SecretStr("ab")
    urls: tuple[SecretStr, ...] = (SecretStr("https://other.example/sEcReT2"),)
    headers: dict[str, SecretStr] = {"x": SecretStr("sEcReT3")}
    name: str = "plain"


SETTINGS = _Settings()
TOKEN = SETTINGS.token.get_secret_value()


def test_an_http_request_is_written_as_it_would_go_out() -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer x"}
    text = http_request(SETTINGS, "POST", SecretStr("https://api.example/v1?a=b"), headers, b'{"a":["\xc3\xbc"]}')
    assert text == (
        "POST https://api.example/v1?a=b\nContent-Type: application/json\n"
        f'Authorization: {REDACTED}\n\n{{\n  "a": [\n    "ü"\n  ]\n}}'
    )


def test_a_body_that_is_no_json_is_written_as_it_is() -> None:
    text = http_request(SETTINGS, "PUT", SecretStr("https://api.example/"), {}, b"a=1\nb=\xff\x1b[2J")
    assert text.endswith("\n\na=1\nb=\\xff\\x1b[2J")


def test_of_an_address_that_is_a_secret_only_the_host_is_shown() -> None:
    text = http_request(SETTINGS, "HEAD", SETTINGS.url, {}, b"")
    assert text == f"HEAD https://hooks.example:8443/{REDACTED}"


@pytest.mark.parametrize(
    "spelling",
    [
        TOKEN,
        json.dumps(TOKEN),
        json.dumps(TOKEN, ensure_ascii=False),
        "sEcReT%22%C3%BC%2Fpass%20word",
        "https://other.example/sEcReT2",
        "sEcReT3",
    ],
)
def test_a_secret_is_found_however_it_is_spelt(spelling: str) -> None:
    shown = without_secrets(SETTINGS, f"before {spelling} after")
    assert "sEcReT" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert REDACTED in shown


def test_secrets_are_found_in_the_parameters_of_a_call_and_other_words_are_left() -> None:
    text = api_call(SETTINGS, "sns", "publish", {"Message": f"ab {TOKEN} plain", "Body": b"\xff"})
    assert text.startswith("sns:publish\n{\n")
    assert json.loads(text.partition("\n")[2]) == {"Message": f"ab {REDACTED} plain", "Body": "\\xff"}


@pytest.mark.parametrize("name", ["direction", "half a surrogate", "new lines", "terminal"])
def test_what_an_alert_holds_does_nothing_to_a_terminal_and_is_still_exact(name: str) -> None:
    attack = ATTACKS[name] + "\x7f\U000e0001"
    call = api_call(SETTINGS, "sns", "publish", {"Message": attack})
    request = http_request(
        SETTINGS, "POST", SecretStr("https://a.example/"), {"X": attack}, json.dumps(attack).encode()
    )
    for text in (call, request):
        assert text.replace("\n", "").isprintable()
        text.encode()
    assert json.loads(call.partition("\n")[2]) == {"Message": attack}
    assert json.loads(request.partition("\n\n")[2]) == attack
    assert len(request.splitlines()) == 4
