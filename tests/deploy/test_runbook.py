"""The runbook has a heading for each alert, and its commands are ones that there are."""

import re
import shlex
from typing import Final

import click

from stream.cli import cli
from tests.deploy.test_prometheus import FOLDER, alerts

RUNBOOK: Final = (FOLDER.parent / "RUNBOOK.md").read_text()


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def headings(level: int) -> list[str]:
    return re.findall(rf"^{'#' * level} (.+)$", RUNBOOK, flags=re.MULTILINE)


def test_every_alert_has_its_heading_and_no_heading_is_of_none() -> None:
    assert headings(3) == list(alerts())
    for rule in alerts().values():
        file, _, wanted = rule["annotations"]["runbook_url"].partition("#")
        assert file == "RUNBOOK.md"
        assert wanted in map(anchor, headings(3))


def test_each_says_when_it_is_over() -> None:
    sections = re.findall(r"^### (\w+)\n(.*?)(?=^##)", RUNBOOK, flags=re.MULTILINE | re.DOTALL)
    assert len(sections) == len(alerts())
    assert [name for name, text in sections if "Over when" not in " ".join(text.split())] == []


def test_what_else_may_have_to_be_done_is_there() -> None:
    for wanted in ("Rotate a secret", "Drain and redrive", "Replay a gap", "Add an account", "Queue or key deleted"):
        assert wanted in headings(2)
    assert {"Roll back", "Trailstream itself was the target"} <= set(headings(2))


def test_every_link_within_it_leads_somewhere() -> None:
    anchors = {anchor(heading) for level in (2, 3) for heading in headings(level)}
    links = re.findall(r"\]\(#([^)]+)\)", RUNBOOK)

    assert len(links) > 10
    assert set(links) <= anchors


def test_every_command_of_ours_is_one_that_there_is() -> None:
    found = re.findall(r"`trailstream ([^`\n]+)`|(?:^|-- )trailstream ([^#\n]+)", RUNBOOK, flags=re.MULTILINE)
    commands = [shlex.split(one or other) for one, other in found]

    assert len(commands) > 10
    for words in commands:
        command: click.Command = cli
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            assert words[0] in command.commands, words
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, words
