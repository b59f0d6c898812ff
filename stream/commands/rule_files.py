"""The files that `trailstream rules lint`, `test` and `show` look at: paths in; texts, and the tests beside, out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.detect.documents import files, is_test, read, refusal
from stream.detect.placeholders import Placeholders
from stream.detect.rules import RuleSet, pack_text, packs
from stream.errors import ConfigError

RULES: Final = "TRAILSTREAM_RULES"
PATH: Final = "PATH"
_TEST: Final = ".test"


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules or filters, and the tests that stand beside it.

    Attributes:
        source: what to call it; of a built-in pack, the file's name.
        tests: text of the tests; empty if there are none.
        tests_source: what to call these.
    """

    source: str
    text: str
    built_in: bool
    tests: str
    tests_source: str


def built_in_files() -> Iterator[RuleFile]:
    """The packs, whether they are in force or not."""
    for name in packs():
        tests = pack_text(f"{name}{_TEST}")
        yield RuleFile(f"{name}.yml", pack_text(name), True, tests, f"{name}{_TEST}.yml")


def files_at(paths: Sequence[str], *, variable: str = PATH, kind: str = "rule") -> Iterator[RuleFile]:
    """Files and those of folders; a file of tests stands for the rules beside it.

    Raises:
        ConfigError: a path or file can't be read.
    """
    named = [str(_tested(Path(path).expanduser())) if is_test(path) else path for path in paths]
    for file in dict.fromkeys(file for path in named for file in files(path, variable=variable, kind=kind)):
        beside = next((test for test in _tests(file) if test.is_file()), None)
        try:
            text = read(file)
        except ConfigError as error:
            raise refusal(error, variable=variable, source=str(file)) from error
        try:
            tests = read(beside) if beside else ""
        except ConfigError as error:
            raise refusal(error, variable=variable, source=str(beside)) from error
        yield RuleFile(str(file), text, False, tests, str(beside or ""))


def rules_at(paths: Sequence[str], placeholders: Placeholders, *, built_in: bool, variable: str = PATH) -> RuleSet:
    """The rules of these paths that can be used, and of the packs, if wanted.

    Raises:
        ConfigError: a path can't be read, or there is no rule.
    """
    named = [str(_tested(Path(path).expanduser())) if is_test(path) else path for path in paths]
    return RuleSet.load(packs() if built_in else (), named, strict=False, placeholders=placeholders, variable=variable)


def _tests(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(f"{file.stem}{_TEST}{suffix}") for suffix in (".yml", ".yaml"))


def _tested(test: Path) -> Path:
    """The file of rules that a file of tests stands beside."""
    stem = test.stem.removesuffix(_TEST)
    for suffix in (".yml", ".yaml"):
        if (file := test.with_name(f"{stem}{suffix}")).is_file():
            return file
    raise ConfigError(f"{PATH}: beside {test} there is no {stem}.yml, whose rules it would test.")
