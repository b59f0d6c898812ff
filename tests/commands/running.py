"""Runs the command: as a shell would, or, where nothing but its words matter, in this process, which is quicker."""

import errno
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from click.testing import CliRunner

from stream.cli import cli

COMMAND = [sys.executable, "-m", "stream"]


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    out: str
    err: str


def invoke(*arguments: object, stdin: bytes = b"", **environ: str | None) -> Finished:
    """Run it in this process; `environ` is added to that of the test, and what is `None` there is taken away."""
    with _logging_as_it_was():
        done = CliRunner().invoke(cli, [str(each) for each in arguments], input=stdin, env=environ)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Finished(done.exit_code, done.stdout, done.stderr)


def run(*arguments: object, stdin: bytes = b"", cwd: Path | None = None, **environ: str) -> Finished:
    """Run it in a process of its own; `environ` is added to that of the test."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=child_environ(**environ),
        timeout=120,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def start(*arguments: object, environ: dict[str, str] | None = None, **options: Any) -> "subprocess.Popen[bytes]":
    """Start it in a process of its own."""
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environ or child_environ(), **options)


def child_environ(**more: str) -> dict[str, str]:
    here = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": here, **more}


@contextmanager
def written(pipe: Path, timeout_s: float = 60) -> Iterator[BinaryIO]:
    """A named pipe's end to write to, as soon as somebody has opened the other to read."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb", buffering=0) as end:
        yield end


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configured, config = root.handlers, root.level, structlog.is_configured(), structlog.get_config()
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        logging.captureWarnings(capture=False)
        if configured:
            structlog.configure(**config)
        else:
            structlog.reset_defaults()
