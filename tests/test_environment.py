"""The machinery of the environment, on sections made for the purpose."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ByteSize, Field, SecretStr, model_validator

from stream.environment import CommaSeparated, Section, load, read, reference
from stream.errors import ConfigError
from stream.variables import without_user_info


class Core(Section):
    http_port: int = Field(default=8080, ge=0, le=65_535, description="Port.")
    ratio: float = Field(default=0.5, gt=0, description="Ratio.")
    size: ByteSize = Field(default=ByteSize(4 * 1024**2), ge=1024, description="Size.")
    level: Literal["low", "high"] = Field(default="low", description="Level.")
    names: CommaSeparated = Field(default=(), description="Names.")
    strict: bool = Field(default=True, description="Strict.")
    address: str | None = Field(default=None, pattern=r"^https?://\S+$", description="Where it is, a URL.")


class Horn(Section):
    env_prefix = "TRAILSTREAM_HORN_"

    switch: bool = Field(default=False, alias="TRAILSTREAM_HORN", description="On.")
    url: SecretStr | None = Field(default=None, min_length=20, description="Where to.")
    keys: tuple[SecretStr, ...] | None = Field(default=None, description="Keys.")
    timeout: float = Field(default=10.0, gt=0, le=300, description="Seconds.")

    @model_validator(mode="after")
    def _whole(self) -> "Horn":
        if self.switch and self.url is None:
            raise ValueError("TRAILSTREAM_HORN needs TRAILSTREAM_HORN_URL")
        return self


SECTIONS = (Core, Horn)
SECRET = "https://horn.example/T0/hunter2"


def faults() -> list[str]:
    return read(SECTIONS)[1]


def test_nothing_set_gives_the_defaults() -> None:
    core = load(SECTIONS)[Core]

    assert isinstance(core, Core)
    assert (core.http_port, core.ratio, core.size, core.level, core.names) == (8080, 0.5, 4 * 1024**2, "low", ())


def test_values_are_read_in_the_forms_that_people_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_HTTP_PORT", "9090")
    monkeypatch.setenv("TRAILSTREAM_SIZE", "64KiB")
    monkeypatch.setenv("TRAILSTREAM_NAMES", " a, b-* ,,c ")
    monkeypatch.setenv("TRAILSTREAM_STRICT", "false")
    monkeypatch.setenv("TRAILSTREAM_HORN", "1")
    monkeypatch.setenv("TRAILSTREAM_HORN_URL", SECRET)
    loaded = load(SECTIONS)
    core, horn = loaded[Core], loaded[Horn]

    assert isinstance(core, Core)
    assert isinstance(horn, Horn)
    assert (core.http_port, core.size, core.names, core.strict) == (9090, 65_536, ("a", "b-*", "c"), False)
    assert horn.switch
    assert horn.url is not None
    assert horn.url.get_secret_value() == SECRET


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_HTTP_PORT", "")
    monkeypatch.setenv("TRAILSTREAM_NO_SUCH_THING", "")

    assert faults() == []


def test_every_fault_is_told_at_once_with_its_variable_and_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TRAILSTREAM_HTTP_PORT": "70000",
        "TRAILSTREAM_RATIO": "much",
        "TRAILSTREAM_SIZE": "big",
        "TRAILSTREAM_LEVEL": "HIGHEST",
        "TRAILSTREAM_STRICT": "perhaps",
        "TRAILSTREAM_ADDRESS": "over there",
        "TRAILSTREAM_HORN_TIMEOUT": "0",
        "TRAILSTREAM_HORN_TIMEOTU": "5",
    }.items():
        monkeypatch.setenv(name, value)

    assert faults() == [
        "TRAILSTREAM_HORN_TIMEOTU is not a setting of Trailstream: did you mean TRAILSTREAM_HORN_TIMEOUT?",
        "TRAILSTREAM_HTTP_PORT: it should be a whole number, at least 0, at most 65535 (it is '70000')",
        "TRAILSTREAM_RATIO: it should be a number, above 0 (it is 'much')",
        "TRAILSTREAM_SIZE: it should be a size in bytes, such as 65536 or 4MiB, at least 1024 (it is 'big')",
        "TRAILSTREAM_LEVEL: it should be one of low, high (it is 'HIGHEST')",
        "TRAILSTREAM_STRICT: it should be true or false (it is 'perhaps')",
        "TRAILSTREAM_ADDRESS: it is not of the form that is allowed. Where it is, a URL. (it is 'over there')",
        "TRAILSTREAM_HORN_TIMEOUT: it should be a number, above 0, at most 300 (it is '0')",
    ]
    with pytest.raises(ConfigError) as caught:
        load(SECTIONS)
    assert str(caught.value).splitlines() == faults()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_numbers_are_finite(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TRAILSTREAM_RATIO", value)

    assert faults() == [f"TRAILSTREAM_RATIO: it should be a number, above 0 (it is {value!r})"]


def test_a_fault_of_several_variables_together_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_HORN", "true")

    assert faults() == ["TRAILSTREAM_HORN needs TRAILSTREAM_HORN_URL"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("TRAILSTREAM_HTTPPORT", "TRAILSTREAM_HTTP_PORT"),
        ("TRAILSTREAM_HORN_KEY", "TRAILSTREAM_HORN_KEYS"),
        ("TRAILSTREAM_HORN_URL_FIEL", "TRAILSTREAM_HORN_URL_FILE"),
        ("trailstream_levle", "TRAILSTREAM_LEVEL"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch, wrong: str, right: str) -> None:
    monkeypatch.setenv(wrong, "x")

    assert faults() == [f"{wrong.upper()} is not a setting of Trailstream: did you mean {right}?"]


def test_a_name_that_is_near_to_none_gets_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_QQQ", "x")

    assert faults() == ["TRAILSTREAM_QQQ is not a setting of Trailstream: `trailstream env` lists those there are."]


def test_what_is_no_secret_comes_from_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_HTTP_PORT_FILE", "/etc/port")

    (fault,) = faults()
    assert fault == "TRAILSTREAM_HTTP_PORT_FILE: only a secret can come from a file; set TRAILSTREAM_HTTP_PORT itself"


def test_what_kubernetes_injects_for_our_services_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TRAILSTREAM_SERVICE_HOST": "10.0.0.7",
        "TRAILSTREAM_SERVICE_PORT": "8080",
        "TRAILSTREAM_SERVICE_PORT_METRICS": "8080",
        "TRAILSTREAM_PORT": "tcp://10.0.0.7:8080",
        "TRAILSTREAM_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "TRAILSTREAM_PORT_8080_TCP_PROTO": "tcp",
        "TRAILSTREAM_PORT_8080_TCP_PORT": "8080",
        "TRAILSTREAM_PORT_8080_TCP_ADDR": "10.0.0.7",
        "TRAILSTREAM_PORT_53_UDP": "udp://10.0.0.7:53",
        # of a Service named trailstream-http: the name of a setting
        "TRAILSTREAM_HTTP_PORT": "tcp://10.0.0.8:80",
        "TRAILSTREAM_HTTP_SERVICE_HOST": "10.0.0.8",
        "TRAILSTREAM_HTTP_SERVICE_PORT": "80",
        "TRAILSTREAM_HTTP_PORT_80_TCP_ADDR": "10.0.0.8",
    }.items():
        monkeypatch.setenv(name, value)
    loaded, found = read(SECTIONS)

    assert found == []
    assert isinstance(core := loaded[Core], Core)
    assert core.http_port == 8080
    assert {variable.value for variable in reference(SECTIONS)} == {None}


def test_a_secret_comes_from_a_file_and_again_when_it_is_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setenv("TRAILSTREAM_HORN_URL_FILE", str(file))
    horn = load(SECTIONS)[Horn]
    assert isinstance(horn, Horn)
    assert horn.url is not None
    assert horn.url.get_secret_value() == SECRET

    file.write_text(f"{SECRET}-rotated")
    again = Horn()
    assert again.url is not None
    assert again.url.get_secret_value() == f"{SECRET}-rotated"


def test_each_useless_file_is_told_of_beside_the_other_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path, reason in {
        tmp_path / "absent": "can't read the secret from {path!r}: No such file or directory",
        tmp_path / "empty": "the file {path!r} is empty",
        tmp_path / "binary": "can't read the secret from {path!r}: it is not UTF-8 text",
        tmp_path: "can't read the secret from {path!r}: Is a directory",
    }.items():
        monkeypatch.setenv("TRAILSTREAM_HORN_URL_FILE", str(path))
        monkeypatch.setenv("TRAILSTREAM_HORN_TIMEOUT", "-1")
        first, second = faults()
        assert first == "TRAILSTREAM_HORN_URL_FILE: " + reason.format(path=str(path))
        assert second.startswith("TRAILSTREAM_HORN_TIMEOUT: ")


def test_a_secret_in_place_of_its_files_path_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_HORN_URL_FILE", f"https://hooks.example/{SECRET}")
    (fault,) = faults()
    assert fault.startswith("TRAILSTREAM_HORN_URL_FILE: can't read the secret from what is set")
    assert SECRET not in fault


def test_a_file_without_an_end_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_HORN_URL_FILE", "/dev/zero")
    assert faults() == [
        "TRAILSTREAM_HORN_URL_FILE: can't read the secret from '/dev/zero': it has more than 65,536 bytes"
    ]


def test_a_secret_and_its_file_exclude_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(SECRET)
    monkeypatch.setenv("TRAILSTREAM_HORN_URL", SECRET)
    monkeypatch.setenv("TRAILSTREAM_HORN_URL_FILE", str(tmp_path / "url"))

    assert faults() == ["TRAILSTREAM_HORN_URL_FILE: TRAILSTREAM_HORN_URL is set as well; keep one of them"]


@pytest.mark.parametrize("through", ["variable", "file"])
def test_a_refused_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, through: str) -> None:
    short = "hunter2-too-short"
    if through == "file":
        (tmp_path / "url").write_text(short)
        monkeypatch.setenv("TRAILSTREAM_HORN_URL_FILE", str(tmp_path / "url"))
    else:
        monkeypatch.setenv("TRAILSTREAM_HORN_URL", short)
    with pytest.raises(ConfigError) as caught:
        Horn()

    assert "TRAILSTREAM_HORN_URL: " in str(caught.value)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert short not in f"{seen} {seen!r}"
        seen = seen.__cause__ or seen.__context__


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_whatever_the_value_it_is_taken_or_a_fault_of_its_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    names = [variable.name for variable in reference(SECTIONS)]
    for name in names:
        monkeypatch.setenv(name, value)
    _, found = read(SECTIONS)

    assert found
    for fault in found:
        assert any(name in fault for name in names)
        assert fault.isprintable()


def test_the_reference_tells_types_defaults_and_values_but_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRAILSTREAM_HORN_URL", SECRET)
    monkeypatch.setenv("TRAILSTREAM_HORN_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("TRAILSTREAM_ADDRESS", "https://user:hunter2@host/path")
    monkeypatch.setenv("TRAILSTREAM_RATIO", "rubbish")
    rows = {row.name: row for row in reference(SECTIONS)}

    assert [
        rows[f"TRAILSTREAM_{name}"].type for name in ("HTTP_PORT", "RATIO", "SIZE", "LEVEL", "NAMES", "STRICT")
    ] == [
        "integer",
        "number",
        "bytes",
        "low|high",
        "list",
        "boolean",
    ]
    assert rows["TRAILSTREAM_SIZE"].default == "4MiB"
    assert rows["TRAILSTREAM_STRICT"].default == "true"
    assert rows["TRAILSTREAM_RATIO"].value == "rubbish"
    assert rows["TRAILSTREAM_ADDRESS"].value == "https://********@host/path"
    for name in ("TRAILSTREAM_HORN_URL", "TRAILSTREAM_HORN_KEYS"):
        assert rows[name].secret
        assert rows[name].type == "secret"
        assert rows[name].value == "********"
        assert f"{name}_FILE" in rows[name].meaning
    assert "hunter2" not in repr(rows)


def test_user_info_is_taken_out_of_urls() -> None:
    assert without_user_info("smtp://a:b@h:25 http://h/p@q") == "smtp://********@h:25 http://h/p@q"
