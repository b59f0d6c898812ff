"""Standard output as commands have it: what is wrong with it is told apart from what is wrong with anything else."""

import errno
import io
import os
import sys
from typing import Any, Final

from stream.errors import OutputError

_STDOUT: Final = 1


def guard() -> None:
    """Have `sys.stdout` raise `OutputError` when it can't be written to, which may be closed."""
    encoding = sys.stdout.encoding if sys.stdout else "utf-8"
    raw = _Guarded(_STDOUT, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding, line_buffering=raw.isatty())


def give_up() -> None:
    """Let what is still in the buffer go nowhere, or Python would try once more to write it as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


class _Guarded(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise  # nothing is wrong
        except OSError as error:
            reason = "it is closed" if error.errno == errno.EBADF else error.strerror or type(error).__name__
            raise OutputError(f"standard output: {reason}") from error
