from pathlib import Path

import pytest

from stream.deliver.channels.slack import SlackSettings
from stream.environment import load
from stream.errors import ConfigError
from stream.templates import check_template, source


@pytest.mark.parametrize(
    "template",
    [
        "{{ title }}",
        "{% for change in changes %}{{ change.field | code }}{% endfor %}",
        "{# nothing but a remark #}",
        "{% macro line(x) %}{{ x | strong }}{% endmacro %}{{ line(event.name) }} {{ range(3) | join }}",
        "{{ record.anything.at.all | default('nothing') }}",
        "{{ 9 ** 9 ** 9 }}",  # to read it must not be to reckon it
    ],
)
def test_what_speaks_of_an_alert_is_a_template(template: str) -> None:
    check_template(template)
    assert source(template) == template


def test_a_template_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "words.j2").write_text("{{ title }}: é")
    check_template(str(tmp_path / "words.j2"))
    assert source(str(tmp_path / "words.j2")) == "{{ title }}: é"


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ title", "not a Jinja2 template: .*line 1"),
        ("{{ title | shout }}", "not a Jinja2 template: No filter named 'shout'"),
        ("{{ headline }}", "it speaks of headline, but an alert has only actor, .*title"),
        ("{% include 'other' %}", "can't include"),
        ("{{ title }}\udcff", "not UTF-8"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
        ("no such file", "no template to be read there: No such file"),
        ("x" * 5000, "no template to be read there: File name too long"),
        ("/dev/zero", "is no file"),
    ],
)
def test_anything_else_is_a_fault_of_the_variable(
    template: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAILSTREAM_SLACK_TEMPLATE", template)
    with pytest.raises(ConfigError, match=rf"^TRAILSTREAM_SLACK_TEMPLATE: .*{fault}"):
        load([SlackSettings])


@pytest.mark.parametrize(("content", "fault"), [(b"\xff", "not UTF-8"), (b"x" * 70_000, "70000 bytes")])
def test_a_file_that_is_no_template_is_a_fault(content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "words.j2").write_bytes(content)
    with pytest.raises(ValueError, match=fault):
        check_template(str(tmp_path / "words.j2"))
