"""Sources in; out, each with the chunks of its bytes: of a file, of standard input, of an object in S3."""

import io
import select
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

from stream.scan.sources import STANDARD_INPUT, Source

if TYPE_CHECKING:
    from stream.scan.download import Downloads

_CHUNK_BYTES: Final = 256 * 1024
_AHEAD: Final = 16
"""Objects that are fetched at once: a request takes S3 some 50 ms, decoding the usual log file one."""
_LOOK_S: Final = 0.5
"""A signal that comes just before a call that blocks is looked at by Python only after it: Ctrl-C would be lost on a
pipe that nobody writes to."""

_File = TypeVar("_File", io.BufferedReader, io.FileIO)


class Opener:
    """Opens sources; use it with `with`, or leave its end to the end of the process."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._downloads: Downloads | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def opened(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Iterator[bytes]]]:
        """Each source with its bytes, in order; iterating over these may raise `OSError` or `LogFileError`."""
        ahead: deque[tuple[Source, Iterator[bytes]]] = deque()
        for source in sources:
            ahead.append((source, self._download(source) if source.bucket else _file(source.key)))
            if len(ahead) >= _AHEAD:
                yield ahead.popleft()
        while ahead:
            yield ahead.popleft()

    def _download(self, source: Source) -> Iterator[bytes]:
        if self._downloads is None:
            # Heavy, and for those who read from S3.
            from stream import logs
            from stream.scan.download import Downloads

            logs.configure("error", "console")  # standard output is for alerts
            self._downloads = self._stack.enter_context(Downloads())
        return self._downloads.begin(source)


def _file(path: str) -> Iterator[bytes]:
    if path == STANDARD_INPUT:
        standard_input = cast("io.BufferedReader", sys.stdin.buffer)
        while chunk := _awaited(standard_input).read1(_CHUNK_BYTES):
            yield chunk
        return
    with Path(path).open("rb", buffering=0) as file:
        while chunk := _awaited(file).read(_CHUNK_BYTES):
            yield chunk


def _awaited(file: _File) -> _File:
    """The file, as soon as there is something to read or its end; what is not the system's own is returned at once."""
    try:
        descriptor = file.fileno()
    except io.UnsupportedOperation:
        return file
    while not select.select((descriptor,), (), (), _LOOK_S)[0]:
        pass
    return file
