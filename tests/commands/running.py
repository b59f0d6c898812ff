"""Runs the real command, as a shell would."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "stream"]


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    out: str
    err: str


def run(*arguments: object, stdin: bytes = b"", cwd: Path | None = None, **environ: str) -> Finished:
    """The command's exit code and outputs; `environ` is added to that of the test."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=child_environ(**environ),
        timeout=60,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def start(*arguments: object, environ: dict[str, str] | None = None, **options: Any) -> "subprocess.Popen[bytes]":
    """The command, running."""
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environ or child_environ(), **options)


def child_environ(**more: str) -> dict[str, str]:
    here = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": here, **more}
