"""The program's own settings."""

import pytest

from stream.configuration import known_sections
from stream.environment import read, reference
from stream.errors import ConfigError
from stream.settings import SEVERITIES, ChannelSettings, Settings


def fault_of(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(name, value)
    _, faults = read((Settings,))
    assert len(faults) == 1, faults
    return faults[0]


def test_nothing_has_to_be_set_for_the_settings_to_be_read() -> None:
    settings = Settings()

    assert settings.queue_url is None
    assert settings.packs == ("ct-013", "audit-trail", "own-path")
    assert settings.max_record_bytes == 4 * 1024**2
    assert settings.max_log_bytes == 2 * 1024**3
    assert settings.retry_delay == 30
    assert settings.require_dlq
    assert settings.http_port == 8080
    assert settings.min_severity == SEVERITIES[0]


@pytest.mark.parametrize(
    "url",
    [
        "https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream",
        "http://localhost:4566/000000000000/trail",
        "https://vpce-1a2b.sqs.us-east-1.vpce.amazonaws.com/111122223333/q.fifo",
    ],
)
def test_urls_of_queues_are_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TRAILSTREAM_QUEUE_URL", url)

    assert Settings().queue_url == url


@pytest.mark.parametrize(
    "url", ["arn:aws:sqs:eu-west-1:111122223333:trail", "trailstream", "https://host", "https:///q"]
)
def test_what_is_no_url_of_a_queue_is_not(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    fault = fault_of("TRAILSTREAM_QUEUE_URL", url, monkeypatch)

    assert fault.startswith("TRAILSTREAM_QUEUE_URL: ")
    assert "https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream" in fault


@pytest.mark.parametrize("name", ["TRAILSTREAM_BUCKETS", "TRAILSTREAM_LOG_BUCKETS"])
@pytest.mark.parametrize("value", ["s3://acme", "arn:aws:s3:::acme", "good,acme/AWSLogs"])
def test_buckets_are_names_not_addresses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert "not URLs, ARNs or keys" in fault_of(name, value, monkeypatch)


def test_buckets_may_be_globs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_BUCKETS", "acme-*, other-??-[ab], *")

    assert Settings().buckets == ("acme-*", "other-??-[ab]", "*")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCURRENCY", "0"),
        ("RECEIVERS", "65"),
        ("VISIBILITY_TIMEOUT", "43201"),
        ("RETRY_DELAY", "901"),
        ("MAX_PENDING_ALERTS", "0"),
        ("MAX_RECORD_BYTES", "1000"),
        ("SHUTDOWN_GRACE", "-1"),
        ("HTTP_PORT", "65536"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("MIN_SEVERITY", "urgent"),
        ("LEDGER", "redis://"),
        ("REQUIRE_DLQ", "maybe"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    fault = fault_of(f"TRAILSTREAM_{name}", value, monkeypatch)

    assert fault.startswith(f"TRAILSTREAM_{name}: it should be ")
    assert fault.endswith(f"(it is {value!r})")


@pytest.mark.parametrize("value", ["on", "-1", "65536"])
def test_of_the_page_s_port_it_is_said_that_it_may_be_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert fault_of("TRAILSTREAM_STATUS_PORT", value, monkeypatch) == (
        f"TRAILSTREAM_STATUS_PORT: it should be a whole number, at least 0, at most 65535, or `off` (it is {value!r})"
    )
    for taken, port in (("off", None), ("0", 0), ("65535", 65_535)):
        monkeypatch.setenv("TRAILSTREAM_STATUS_PORT", taken)
        assert Settings().status_port == port


def test_one_port_for_the_metrics_and_the_page_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = fault_of("TRAILSTREAM_STATUS_PORT", "8080", monkeypatch)

    assert fault.startswith("TRAILSTREAM_HTTP_PORT and TRAILSTREAM_STATUS_PORT are both 8080: ")
    monkeypatch.setenv("TRAILSTREAM_HTTP_HOST", "10.0.0.7")  # the page is on 127.0.0.1
    assert Settings().status_port == Settings().http_port == 8080


@pytest.mark.parametrize("ports", [("0", "0"), ("8081", None), ("8080", "off")])
def test_two_ports_that_the_system_chooses_or_a_page_that_is_not_asked_for_are_no_fault(
    monkeypatch: pytest.MonkeyPatch, ports: tuple[str, str | None]
) -> None:
    for name, port in zip(("TRAILSTREAM_HTTP_PORT", "TRAILSTREAM_STATUS_PORT"), ports, strict=True):
        if port is not None:
            monkeypatch.setenv(name, port)

    assert Settings().queue_url is None


def test_every_variable_of_the_program_is_described_and_has_a_name_of_its_own() -> None:
    variables = reference(known_sections())
    names = [variable.name for variable in variables]

    assert len(set(names)) == len(names)
    for variable in variables:
        assert variable.name.startswith("TRAILSTREAM_")
        assert variable.meaning.strip(), variable.name
        if "|" not in variable.type and variable.name != "TRAILSTREAM_LEDGER":
            assert variable.type in ("secret", "bytes", "number", "integer", "text", "boolean", "list"), variable


def test_every_channel_has_what_all_channels_have() -> None:
    channels = [section for section in known_sections() if issubclass(section, ChannelSettings)]

    assert channels
    names = {variable.name for variable in reference(channels)}
    for section in channels:
        prefix = section.env_prefix
        assert prefix.startswith("TRAILSTREAM_")
        assert {f"{prefix}{name}" for name in ("MIN_SEVERITY", "TIMEOUT", "RATE", "DEADLINE")} <= names


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://d-1234567890.awsapps.com/start", "https://d-1234567890.awsapps.com/start"),
        ("https://d-1234567890.awsapps.com/start/#/", "https://d-1234567890.awsapps.com/start"),
        ("https://ssoins-1.portal.eu-west-1.app.aws", "https://ssoins-1.portal.eu-west-1.app.aws"),
        ("https://start.home.awsapps.cn/directory/acme/", "https://start.home.awsapps.cn/directory/acme"),
    ],
)
def test_the_access_portal_is_an_address(monkeypatch: pytest.MonkeyPatch, written: str, url: str) -> None:
    monkeypatch.setenv("TRAILSTREAM_SSO_PORTAL", written)

    assert Settings().sso_portal == url


@pytest.mark.parametrize(
    "url", ["d-1.awsapps.com", "http://x.awsapps.com/start", "https://x/start?a=b", "javascript:x"]
)
def test_what_is_no_address_of_a_portal_is_not(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert "https://d-1234567890.awsapps.com/start" in fault_of("TRAILSTREAM_SSO_PORTAL", url, monkeypatch)


def test_a_permission_set_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault_of("TRAILSTREAM_SSO_ROLE", "a&b", monkeypatch).startswith("TRAILSTREAM_SSO_ROLE")


@pytest.mark.parametrize(
    ("text", "size"),
    [("4194304", 4 << 20), ("4MiB", 4 << 20), ("4 mib", 4 << 20), ("1.5GB", 1_500_000_000), ("9kb", 9000)],
)
def test_a_size_may_have_a_unit(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_MAX_LOG_BYTES", text)

    assert Settings().max_log_bytes == size


@pytest.mark.parametrize("text", ["4.194304e+06", "4 MiB or so", "-1", "4EiB", "0x400000"])
def test_a_size_that_would_be_misread_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_MAX_RECORD_BYTES", text)

    with pytest.raises(ConfigError, match="TRAILSTREAM_MAX_RECORD_BYTES"):
        Settings()
