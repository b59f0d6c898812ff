"""The JSON Schema for editors takes what the program takes, and refuses what it refuses."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream.cli.routes import routes
from stream.deliver import routes_file
from stream.deliver.channels import CHANNELS
from stream.deliver.instances import keys_of
from stream.deliver.routes_file import load_routes
from stream.deliver.routes_schema import schema
from stream.errors import ConfigError

VALIDATOR = jsonschema.Draft202012Validator(schema())


def example(docstring: str | None) -> str:
    """The first indented piece that is a file."""
    lines = (docstring or "").splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip() == "channels:")
    last = next(number for number, line in enumerate(lines) if line.strip().startswith("default:"))
    indent = len(lines[first]) - len(lines[first].lstrip())
    return "\n".join(line[indent:] for line in lines[first : last + 1])


def is_read(text: str, folder: Path) -> bool:
    (folder / "routes.yml").write_text(text)
    try:
        load_routes(str(folder / "routes.yml"))
    except ConfigError:
        return False
    return True


def test_it_is_a_schema_with_a_definition_of_each_kind_and_of_all_its_keys() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)

    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for kind, channel in CHANNELS.items():
        definition = made["$defs"][kind]
        assert list(definition["properties"]) == ["type", *keys_of(channel.section)]
        assert definition["additionalProperties"] is False
        assert all(value.get("description") for value in definition["properties"].values())
        assert "hunter2" not in str(definition)


@pytest.mark.parametrize("text", [example(routes_file.__doc__), example(routes.callback.__doc__)])
def test_the_examples_that_are_shown_are_taken_by_both(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "soc").write_text("https://hooks.slack.example/services/T/B/x")
    monkeypatch.setenv("PAYMENTS_KEY", "0123456789abcdef0123456789abcdef")
    text = text.replace("/run/secrets", str(tmp_path))

    assert list(VALIDATOR.iter_errors(yaml.safe_load(text))) == []
    assert is_read(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("channels: {a: {type: stdout, rate: 1.5, rules: [x, 'y*'], accounts: 'a,b'}}\ndefault: a", True),
        ("channels: {a: {type: stdout, rate: {env: HOME_RATE}}}", True),
        ("routes: [{match: {account: 111122223333, not: {event: [A, B]}}, channels: [], continue: true}]", True),
        ("default: []", True),
        ("channels: {A: {type: stdout}}", False),
        ("channels: {a: {type: stdut}}", False),
        ("channels: {a: {rate: 1}}", False),
        ("channels: {a: {type: stdout, rat: 1}}", False),
        ("channels: {a: {type: stdout, rate: -1}}", False),
        ("channels: {a: {type: stdout, switch: true}}", False),
        ("channels: {a: {type: stdout, min_severity: bad}}", False),
        ("routes: [{match: {}}]", False),
        ("routes: [{channels: [], continu: true}]", False),
        ("routes: [{match: {event: []}, channels: []}]", False),
        ("routes: [{match: {severity: '>=bad'}, channels: []}]", False),
        ("routes: [{match: {outcome: ok}, channels: []}]", False),
        ("routes: [{match: {not: {not: {}}}, channels: []}]", False),
        ("defaults: []", False),
    ],
)
def test_schema_and_program_are_of_one_mind(
    text: str, is_right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_RATE", "2")
    value: Any = yaml.safe_load(text)

    assert VALIDATOR.is_valid(value) is is_right
    assert is_read(text, tmp_path) is is_right
