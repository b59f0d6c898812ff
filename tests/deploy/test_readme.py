"""deploy/README.md says what is so."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.deploy.reference import README, log_lines, written

_SNAKE_CASE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SECRET: Final = {"url", "webhook_url", "record", "receipt_handle", "path_qs", "body", "token", "secret", "password"}


def test_settings_metrics_and_log_lines_are_the_program_s_own() -> None:
    text = README.read_text()

    assert written(text) == text, "run: python -m tests.deploy.reference"


def test_log_lines_have_a_fixed_text_and_fields_in_snake_case() -> None:
    lines = log_lines()

    assert len(lines) > 60
    for line in lines:
        assert line.event, line
        assert line.event[0].islower() or line.event.startswith(("AWS", "EventBridge")), line
        assert "\n" not in line.event, line
        assert all(map(_SNAKE_CASE.fullmatch, line.fields)), line
        assert not _SECRET & set(line.fields), line


def test_every_link_leads_somewhere() -> None:
    for file in README.parent.rglob("*.md"):
        for target in _links(file.read_text()):
            assert (file.parent / target).resolve().exists(), f"{file}: {target}"


def _links(text: str) -> Iterator[Path]:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            yield Path(target)
