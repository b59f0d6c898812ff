"""The file of routes: what may stand in it, and what is said of what may not."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.deliver.channels import make
from stream.deliver.channels.slack import SlackSettings
from stream.deliver.channels.webhook import WebhookSettings
from stream.deliver.instances import Instance
from stream.deliver.routes import Matcher, Route
from stream.deliver.routes_file import MAX_BYTES, RoutesRead, load_routes
from stream.errors import ConfigError

SECRET = "hunter2"
URL = f"https://hooks.example/{SECRET}"

FILE = f"""
channels:
  soc: {{type: slack, webhook_url_file: SECRETS/soc, rate: 2}}
  payments-pager:
    type: pagerduty
    routing_key: {{env: PAYMENTS_KEY}}
    min_severity: high
    accounts: [012345670123, prod-*]
    fallback: soc
  lake: {{type: webhook, url: "{URL}", rules: "ct-*, cis-*"}}
  log: {{type: stdout}}
routes:
  - match:
      severity: ">= high"
      min_severity: low
      account: 012345670123
      rule: [ct-*]
      not: {{actor: "*:role/ci-*", outcome: denied}}
    channels: [payments-pager, soc]
    continue: true
  - channels: lake
default: [soc, log]
"""


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "soc").write_text(f"{URL}/soc\n")
    monkeypatch.setenv("PAYMENTS_KEY", "0123456789abcdef0123456789abcdef")
    return tmp_path


def load(folder: Path, text: str, on: tuple[Instance, ...] = (), unreadable: tuple[str, ...] = ()) -> RoutesRead:
    file = folder / "routes.yml"
    file.write_text(text.replace("SECRETS", str(folder)))
    return load_routes(str(file), on, unreadable)


def faults(folder: Path, text: str) -> list[str]:
    """What is said of each fault, from its line on."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    told = str(caught.value)
    assert SECRET not in f"{told} {caught.value!r} {caught.value.__cause__!r}"
    start = f"TRAILSTREAM_ROUTES: {folder / 'routes.yml'}: "
    assert all(line.startswith(start) for line in told.splitlines())
    return [line.removeprefix(start) for line in told.splitlines()]


def test_channels_are_set_as_by_variables_and_numbers_are_taken_as_they_are_written(secrets: Path) -> None:
    soc, pager, lake, log = load(secrets, FILE).instances

    assert isinstance(soc.settings, SlackSettings)
    assert (soc.name, soc.kind, soc.settings.rate) == ("soc", "slack", 2)
    assert soc.settings.webhook_url == SecretStr(f"{URL}/soc")
    assert (pager.settings.min_severity, pager.settings.fallback) == ("high", "soc")
    assert pager.settings.accounts == ("012345670123", "prod-*")
    assert lake.settings.rules == ("ct-*", "cis-*")
    assert log.settings.enabled
    assert pager.where == f"TRAILSTREAM_ROUTES: {secrets / 'routes.yml'}: line 4: channel payments-pager"
    assert [each.plain_secrets for each in (soc, pager, lake, log)] == [(), (), ("url",), ()]


def test_routes_come_out_in_order_with_their_lines(secrets: Path) -> None:
    read = load(secrets, FILE)

    assert read.routes == (
        Route(
            matchers=(
                Matcher("severity", (">=low",)),
                Matcher("severity", (">=high",)),
                Matcher("account", ("012345670123",)),
                Matcher("rule", ("ct-*",)),
                Matcher("outcome", ("denied",), negated=True),
                Matcher("actor", ("*:role/ci-*",), negated=True),
            ),
            channels=("payments-pager", "soc"),
            goes_on=True,
            line=13,
        ),
        Route((), ("lake",), line=21),
    )
    assert read.default == ("soc", "log")
    assert load(secrets, "routes: []").default is None
    assert load(secrets, "default: []").default == ()


def test_what_variables_say_of_its_kind_is_nothing_to_a_channel_of_the_file(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_SLACK_MIN_SEVERITY", "critical")
    monkeypatch.setenv("TRAILSTREAM_SLACK_TIMEOUT", "not a number")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_SECRET_FILE", "/no/such/file")
    soc, _, lake, _ = load(secrets, FILE).instances

    assert (soc.settings.min_severity, soc.settings.timeout) == (None, 10)
    assert isinstance(lake.settings, WebhookSettings)
    assert lake.settings.secret is None


async def test_a_channel_of_the_file_reads_its_own_secrets_again(secrets: Path) -> None:
    read = load(secrets, FILE)
    soc, _, lake, _ = make(read.instances)
    (secrets / "soc").write_text("https://new.example/")
    (secrets / "routes.yml").write_text((secrets / "routes.yml").read_text().replace(URL, "https://newer.example/"))
    await soc.refresh()
    await lake.refresh()

    assert isinstance(soc.settings, SlackSettings)
    assert isinstance(lake.settings, WebhookSettings)
    assert soc.settings.webhook_url == SecretStr("https://new.example/")
    assert lake.settings.url == SecretStr("https://newer.example/")
    before = soc.settings
    (secrets / "soc").unlink()
    with pytest.raises(ConfigError, match="channel soc: webhook_url_file: can't read the secret"):
        await soc.refresh()
    (secrets / "routes.yml").write_text("routes: []")
    with pytest.raises(ConfigError, match="there is no channel soc of the type slack any more"):
        await soc.refresh()
    assert soc.settings is before


CHANNELS = "channels:\n  "
ROUTES = "routes:\n  - "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chanels: {}", "line 1: chanels: it is unknown; did you mean channels?"),
        ("", "it is empty"),
        ("- a", "it should be a mapping with `channels`, `routes` and `default`"),
        ("default: [a\n", "line 2: it is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("default: *hunter2", "line 1: it is not YAML: found undefined alias '…'"),
        ("default: !hunter2 a", "line 1: tags (!…) mean nothing here"),
        ("default: a\x07", "line 1: it has a character that YAML does not allow"),
        ("default: [a]\ndefault: [b]", "line 2: the key 'default' is there twice; the first is in line 1"),
        ("? [a]\n: b", "line 1: a key should be text"),
        ("routes: x", "line 1: routes: a list should stand here"),
        ("channels: [x]", "line 1: channels: a mapping should stand here"),
        (CHANNELS + "soc: hunter2", "line 2: channel soc: a mapping should stand here, with its type and its settings"),
        (CHANNELS + "soc: {url: hunter2}", "line 2: channel soc: its type is required; there are: alertmanager"),
        (CHANNELS + "soc: {type: slck}", "line 2: channel soc: type: there is no type 'slck'; did you mean slack?"),
        (
            CHANNELS + "soc:\n    type: slack\n    webhok_url: hunter2",
            "line 4: channel soc: webhok_url: it is unknown; did you mean webhook_url?",
        ),
        (CHANNELS + "soc: {type: webhook, url: hunter2}", "line 2: channel soc: url: must be a URL that begins with"),
        (
            CHANNELS + "soc: {type: webhook, url: {password: hunter2}}",
            "line 2: channel soc: url: it should be a text or a number, a list of those, or {env: NAME}",
        ),
        (CHANNELS + "soc: {type: webhook, url: {env: NOPE}}", "line 2: channel soc: url: the variable NOPE is not set"),
        (
            CHANNELS + "soc: {type: webhook, url: {env: 'https://hunter2'}}",
            "line 2: channel soc: url: a variable of that name is not set",
        ),
        (
            CHANNELS + "soc: {type: webhook, url_file: 'https://hunter2'}",
            "line 2: channel soc: url_file: can't read the secret from what is set, which should be the path of a file",
        ),
        (CHANNELS + "soc: {type: webhook, url: }", "line 2: channel soc: url: nothing stands there"),
        (
            CHANNELS + "soc: {type: webhook, url_file: /no/such}",
            "line 2: channel soc: url_file: can't read the secret from '/no/such': No such file or directory",
        ),
        (
            CHANNELS + f"soc: {{type: webhook, url: '{URL}', url_file: SECRETS/routes.yml}}",
            "line 2: channel soc: url_file: url and url_file are both there; keep one of them",
        ),
        (
            CHANNELS + "soc: {type: stdout, rate_file: /x}",
            "line 2: channel soc: rate_file: only a secret can come from a file; set rate itself",
        ),
        (
            CHANNELS + "soc: {type: stdout, rate: fast}",
            "line 2: channel soc: rate: it should be a number, at least 0 (it is 'fast')",
        ),
        (
            CHANNELS + "soc: {type: webhook}",
            "line 2: channel soc: what it needs to be on is not there; there are: url, secret, ",
        ),
        ('"a\\n\\u202eb": 1', "line 1: a b: it is unknown; there are: channels, routes, default"),
        (CHANNELS + "Soc: {type: stdout}", "line 2: channel Soc: a name is made of small letters, digits and hyphens"),
        (
            CHANNELS + "slack: {type: stdout}",
            "line 2: channel slack: a type's own name is that of the channel which TRAILSTREAM_SLACK_* switch on",
        ),
        (
            CHANNELS + "logging: {type: stdout}\ndefault: [loging]",
            "line 3: default: there is no channel 'loging'; did you mean logging?",
        ),
        (ROUTES + "match: {}", "line 2: route 1: channels: it is required"),
        (
            CHANNELS + "soc: {type: stdout}\nroutes:\n  - channels: []\n  - channels: [sco]",
            "line 5: route 2: channels: there is no channel 'sco'; did you mean soc?",
        ),
        (
            ROUTES + "channels: slack",
            "line 2: route 1: channels: the channel slack is not on: set TRAILSTREAM_SLACK_*, or name one under",
        ),
        (
            ROUTES + "channels: []\n    continu: true",
            "line 3: route 1: continu: it is unknown; did you mean continue?",
        ),
        (ROUTES + "channels: []\n    continue: maybe", "line 3: route 1: continue: it should be true or false"),
        (ROUTES + "match:\n    channels: []", "line 2: route 1: match: a mapping should stand here"),
        (
            ROUTES + "match: {severty: high}\n    channels: []",
            "line 2: route 1: match.severty: it is unknown; did you mean severity?",
        ),
        (
            ROUTES + "match: {severity: [low, hihg]}\n    channels: []",
            "line 2: route 1: match.severity: 'hihg' is unknown; did you mean high?",
        ),
        (
            ROUTES + "match: {min_severity: bad}\n    channels: []",
            "line 2: route 1: match.min_severity: it should be one of informational, low, medium, high, critical",
        ),
        (
            ROUTES + "match: {outcome: ok}\n    channels: []",
            "line 2: route 1: match.outcome: 'ok' is unknown; there are: success, denied, failed",
        ),
        (ROUTES + "match: {account: []}\n    channels: []", "line 2: route 1: match.account: nothing stands there"),
        (ROUTES + "match: {rule: }\n    channels: []", "line 2: route 1: match.rule: a list should stand here"),
        (
            ROUTES + "match: {not: {actr: x}}\n    channels: []",
            "line 2: route 1: match.not.actr: it is unknown; did you mean actor?",
        ),
        ("default: " + "[" * 200 + "]" * 200, "line 1: there is too much in it, or it is nested too deep"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
        ), "line 1: there is too much in it"),
        ("#" * (MAX_BYTES + 1), "it is longer than 1,048,576 bytes"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_without_a_secret(tmp_path: Path, text: str, told: str) -> None:
    (found,) = faults(tmp_path, text)

    assert found.startswith(told)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, CHANNELS + "a: {type: x}\n  b: {type: slack}\n" + ROUTES + "channels: [c]\ndefult: []")

    assert [line.partition(": ")[0] for line in found] == ["line 6", "line 2", "line 3"]


def test_a_file_that_is_not_there_or_no_text_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_ROUTES: /no/such\.yml: it can't be read: No such file"):
        load_routes("/no/such.yml")
    (tmp_path / "routes.yml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        load_routes(str(tmp_path / "routes.yml"))


def test_channels_that_variables_switch_on_may_be_named(tmp_path: Path) -> None:
    settings = WebhookSettings.of({"url": URL})
    webhook = Instance("webhook", "webhook", settings, lambda: settings)

    assert load(tmp_path, "default: webhook", (webhook,)).default == ("webhook",)
    assert load(tmp_path, "default: slack", unreadable=("slack",)).default == ("slack",)
