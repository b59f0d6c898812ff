"""Paths of the command line in; out, one by one and in order, the log files they stand for and what is not there.

A path is a file, a folder (all below it), a glob, `s3://bucket/prefix`, or `-` for standard input.
"""

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stream.intake.keys import log_file_account, skip_reason

SUFFIXES: Final = (".json.gz", ".json", ".gz")
STANDARD_INPUT: Final = "-"
_OTHERS: Final = frozenset({"CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-Aggregated"})
"""Folders that CloudTrail fills with something else than records."""


class Source(msgspec.Struct, frozen=True):
    """One log file to read. Like all that travels between processes, what the C library turns into bytes itself.

    Attributes:
        bucket: empty for a path of this machine.
        key: the object's key or the path.
        size_bytes: as stored (compressed), 0 where that can't be known.
        shared: any process can open it; a pipe can be read only by the one that has it.
    """

    bucket: str
    key: str
    size_bytes: int
    shared: bool = True

    @property
    def name(self) -> str:
        """What people call it."""
        if self.bucket:
            return f"s3://{self.bucket}/{self.key}"
        return "standard input" if self.key == STANDARD_INPUT else self.key


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that holds no records by its path: digests, insights, aggregates."""

    name: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was asked for and can't be read; `more` says why at length, and what to do."""

    name: str
    reason: str
    more: str = field(default="", compare=False)


Found = Source | Skipped | Missing


def find(paths: Iterable[str]) -> Iterator[Found]:
    """Everything that these paths stand for, folders in the order of their names."""
    for path in paths:
        if path == STANDARD_INPUT:
            yield Source("", path, 0, shared=False)
        elif path.lower().startswith("s3://"):
            from stream.scan.bucket import find_objects

            yield from find_objects(path)
        else:
            yield from _local(path)


def is_log(path: str) -> bool:
    """Whether a path inside what was asked for is that of a log file, by its suffix."""
    return path.lower().endswith(SUFFIXES)


def is_other(path: str) -> bool:
    """Whether the path says that CloudTrail, or another service that logs beside it, keeps something else there."""
    if not _OTHERS.isdisjoint(path.split("/")):
        return log_file_account(path) is None  # a prefix may be called like that
    return log_file_account(path) is None and skip_reason(path) == "other_service"


def _local(path: str) -> Iterator[Found]:
    if os.path.lexists(path) or not glob.has_magic(path):
        yield from _file_or_folder(path)
        return
    matches = sorted(glob.glob(path, recursive=True, include_hidden=True))  # noqa: PTH207 - Path's takes no absolute one
    if not matches:
        yield Missing(path, "no file matches")
    folders: set[Path] = set()
    seen: set[str] = set()
    for match in matches:
        real = os.path.realpath(match)  # `**` follows links, in circles as well
        if real in seen or not _is_to_be_read(match):
            continue
        seen.add(real)
        if folders.isdisjoint(Path(match).parents):  # `**` gives what is in a folder as well as the folder
            if Path(match).is_dir():
                folders.add(Path(match))
            yield from _file_or_folder(match)


def _is_to_be_read(match: str) -> bool:
    """Whether a glob's match is no pipe or device, which are read only if they are named, and no endless link."""
    try:
        mode = Path(match).stat().st_mode
    except OSError as error:
        return error.errno != errno.ELOOP  # anything else is told when it is opened
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _file_or_folder(path: str) -> Iterator[Found]:
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        yield Missing(path, _reason(error))
        return
    if stat.S_ISDIR(found.st_mode):
        yield from _folder(path, ((found.st_dev, found.st_ino),))
    else:
        yield _file(path, found)


def _file(path: str, found: os.stat_result) -> Found:
    if is_other(path):
        return Skipped(path)
    regular = stat.S_ISREG(found.st_mode)
    return Source("", path, found.st_size if regular else 0, shared=regular)


def _folder(path: str, above: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    """What is below a folder; links are followed, but never into a folder that we are in already."""
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        yield Missing(path, _reason(error))
        return
    for name in names:
        below = f"{path.removesuffix('/')}/{name}"
        try:
            found = os.stat(below)  # noqa: PTH116 - Path takes ten times as long, of all that a folder holds
        except OSError as error:
            if is_log(name):
                yield Missing(below, _reason(error))
            continue
        identity = (found.st_dev, found.st_ino)
        if stat.S_ISDIR(found.st_mode):
            if identity not in above:
                yield from _folder(below, (*above, identity))
        elif stat.S_ISREG(found.st_mode) and is_log(name):
            yield _file(below, found)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "that is no path"
