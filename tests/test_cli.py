"""The command line as a whole: help, versions, exit codes, and nothing but text for people in its faults."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from stream import __version__
from stream.cli import cli
from tests.commands.running import child_environ, invoke, run, start, written

COMMANDS = [
    "run",
    "scan",
    "check",
    "env",
    "rules",
    "rules list",
    "rules show",
    "rules lint",
    "rules test",
    "channels",
    "channels list",
    "channels show",
    "channels test",
    "routes",
    "routes list",
    "routes test",
    "routes schema",
    "replay",
    "redrive",
    "verify",
    "demo",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_and_the_exit_codes(command: str) -> None:
    done = invoke(*command.split(), "--help")

    assert done.code == 0
    assert f"trailstream {command}" in done.out.partition("Example")[2]
    codes = done.out.partition("Exit codes:")[2].splitlines()
    assert codes[1].startswith("      0  ")


def test_no_command_is_without_a_test_of_its_help() -> None:
    found = set(cli.commands)
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            found |= {f"{name} {below}" for below in command.commands}

    assert found == set(COMMANDS)


def test_the_help_of_the_whole_shows_how_to_begin() -> None:
    out = invoke("--help").out

    assert "trailstream demo\n" in out
    assert "trailstream scan ./logs" in out
    assert "trailstream check && trailstream run" in out


def test_the_version_is_printed() -> None:
    assert invoke("--version").out == f"trailstream {__version__}\n"


def test_it_is_installed_as_a_command_too() -> None:
    command = Path(sys.executable).with_name("trailstream")
    done = subprocess.run([command, "--version"], capture_output=True, env=child_environ(), check=True, timeout=120)

    assert done.stdout.decode() == f"trailstream {__version__}\n"


def loaded_by(*arguments: str, code: int = 0) -> set[str]:
    """The modules that a command imports, which ends with this code."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stream", *arguments],
        capture_output=True,
        env=child_environ(),
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr[-2000:]
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def test_a_scan_that_draws_nothing_imports_no_client_no_log_and_no_loop(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('{"Records":[]}')
    imported = loaded_by("scan", str(tmp_path))

    assert "msgspec" in imported
    assert not imported & {"aiobotocore", "aiohttp", "asyncio", "botocore", "jinja2", "prometheus_client", "structlog"}


def test_run_does_without_what_colours_tracebacks() -> None:
    modules = loaded_by("run", code=2)

    assert {"structlog.dev", "aiohttp.web", "msgspec"} <= modules
    assert "rich.traceback" not in modules


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(flag: str) -> None:
    """The promise is quickness; what costs time is imports, and those can be counted on any machine."""
    imported = loaded_by(flag)

    assert "click" in imported
    assert not imported & {
        "aiobotocore",
        "aiohttp",
        "asyncio",
        "botocore",
        "hyperscan",
        "orjson",
        "prometheus_client",
        "pydantic",
        "rich",
        "sigma",
        "structlog",
        "yaml",
    }


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["scan"], ["scan", "--format", "xml", "."], ["scan", "--since", "soon", "."], ["run", "x"]],
)
def test_a_command_line_that_cannot_be_used_is_exit_code_2(arguments: list[str]) -> None:
    done = invoke(*arguments)

    assert done.code == 2
    assert "Error: " in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("check --config-only --send-test-alert", ("--config-only", "--send-test-alert")),
        ("redrive --look-only --yes", ("--look-only", "--yes")),
        ("verify s3://acme --until 2024-05-01 --since 2024-05-02", ("--until", "--since")),
        ("verify s3://acme --since 2024-05-01 --until 2024-05-01", ("--until", "--since")),
        ("replay s3://acme --since 1d --until 2d --dry-run", ("--until", "--since")),
    ],
)
def test_options_that_contradict_each_other_are_refused_with_both_names(arguments: str, named: tuple[str, str]) -> None:
    done = invoke(*arguments.split(), AWS_ENDPOINT_URL="http://127.0.0.1:9")

    assert (done.code, done.out) == (2, "")
    told = done.err.partition("Error: ")[2]
    assert all(name in told for name in named)


def test_run_without_settings_says_all_that_is_missing_and_ends_with_2() -> None:
    done = run("run")

    assert done.code == 2
    assert done.out == ""
    assert [line.partition(" ")[0] for line in done.err.splitlines()] == ["trailstream:"] * 3
    for expected in ("TRAILSTREAM_QUEUE_URL is required", "TRAILSTREAM_BUCKETS is required", "TRAILSTREAM_STDOUT=true"):
        assert expected in done.err


def test_a_bad_value_is_named_with_what_is_allowed_and_ends_with_2() -> None:
    done = invoke("run", TRAILSTREAM_CONCURRENCY="many", TRAILSTREAM_LOG_LEVEL="loud")

    assert done.code == 2
    assert "TRAILSTREAM_CONCURRENCY: it should be a whole number, at least 1, at most 1024 (it is 'many')" in done.err
    assert "TRAILSTREAM_LOG_LEVEL: it should be one of debug, info, warning, error (it is 'loud')" in done.err
    assert "Traceback" not in done.err


def test_ctrl_c_ends_a_command_quietly_with_130(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = start("scan", tmp_path / "pipe", stdout=-1, stderr=-1)
    with written(tmp_path / "pipe"):  # it is reading now
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)

    assert process.returncode == 130
    assert (out, err) == (b"", b"")


def test_a_reader_of_the_help_that_leaves_early_sees_no_traceback() -> None:
    process = start("env", stdout=-1, stderr=-1)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    assert process.wait(120) != 0
    assert b"Traceback" not in process.stderr.read()


def written_to(output: str, *arguments: str) -> tuple[int, str]:
    """The exit code of a command and what it says on standard error, with this in a shell's words as its output."""
    command = f'exec "$0" -m stream "$@" {output}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=child_environ(),
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "arguments", ["--help", "--version", "env", "env --format json", "rules show ct-013", "check --format json"]
)
def test_an_output_that_is_full_or_closed_is_told_in_a_line_and_ends_with_2(arguments: str) -> None:
    told = "trailstream: standard output:"

    assert written_to(">/dev/full", *arguments.split()) == (2, f"{told} No space left on device\n")
    assert written_to(">&-", *arguments.split()) == (2, f"{told} it is closed\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("format_", ["table", "csv"])
def test_a_scan_s_output_that_is_full_or_closed_is_told_in_a_line(tmp_path: Path, format_: str) -> None:
    record = {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}
    (tmp_path / "log.json").write_text(json.dumps({"Records": [record]}))
    command = ["scan", str(tmp_path), "--format", format_]

    assert written_to(">/dev/full", *command) == (2, "trailstream: standard output: No space left on device\n")
    assert written_to(">&-", *command) == (2, "trailstream: standard output: it is closed\n")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("trailstream ch", {"channels", "check"}),
        ("trailstream channels show sl", {"slack"}),
        ("trailstream channels test page", {"pagerduty"}),
        ("trailstream rules show ct", {"ct-013"}),
        ("trailstream rules show trailstream-s", {"trailstream-silence"}),
        ("trailstream rules show ./my-r", {"./my-r"}),
    ],
)
def test_the_shell_completes_commands_and_names(words: str, completed: set[str]) -> None:
    count = str(len(words.split()) - 1)
    done = run(_TRAILSTREAM_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)

    assert {line.partition(",")[2] for line in done.out.splitlines()} == completed


def test_the_help_s_line_for_the_shell_is_one_that_it_takes() -> None:
    line = next(line for line in invoke("--help").out.splitlines() if "_COMPLETE=" in line)
    done = subprocess.run(
        ["bash", "-c", f"{line.strip()}; complete -p trailstream"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=child_environ() | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )

    assert "_trailstream_completion" in done.stdout, done.stderr
