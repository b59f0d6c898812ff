"""The rules in force: names of packs and paths of Sigma files in, a set that matches records out.

A rule that can't be used to the letter is refused, with its file and the reason, for it would miss in silence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.rule import SigmaYAMLLoader

from stream.alert import RuleInfo
from stream.decode.literals import Literal
from stream.detect.sigma import Matches, compile_rule
from stream.errors import ConfigError

CUSTOM: Final = "custom"
"""The pack of the rules that `TRAILSTREAM_RULES` names."""

_SUFFIXES: Final = (".yml", ".yaml")
_REASON_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled.

    Attributes:
        info: what alerts say of it.
        pack: the built-in pack that it is of, or `CUSTOM`.
        source: the file that it was read from.
        literals: a record that matches has at least one of these in its JSON; `None` (unindexed): any record may match.
        condition: its test, for JSON objects only; callers want `matches`.
    """

    info: RuleInfo
    pack: str
    source: str
    literals: frozenset[Literal] | None
    condition: Matches

    def matches(self, record: Any) -> bool:
        """Whether the rule matches; whatever the record is, this does not raise."""
        return isinstance(record, Mapping) and self.condition(record)


class RuleSet:
    """Every rule in force, in the order of loading.

    Attributes:
        literals: of all rules together; `None` as soon as one of them is unindexed.
        refused: of each rule that was left out, one sentence with the variable, the file and the reason.
    """

    def __init__(self, rules: Iterable[Rule], refused: Iterable[str] = ()) -> None:
        self.rules = tuple(rules)
        self.refused = tuple(refused)
        self.literals = _union(self.rules)

    @classmethod
    def load(cls, packs: Sequence[str], paths: Sequence[str], *, strict: bool = True) -> "RuleSet":
        """Read built-in packs by name, and files or folders (`*.yml`, `*.yaml`) of more rules.

        Args:
            packs: names of built-in packs.
            paths: files and folders.
            strict: one bad rule among the paths refuses all; otherwise only it is left out, and named in `refused`.

        Raises:
            ConfigError: names the variable, the file and the reason. Not strict: a pack or path does not exist, a
                folder has no file for rules, or no rule is left.
        """
        read: list[Rule | ConfigError] = [rule for pack in dict.fromkeys(packs) for rule in _pack(pack)]
        for file in dict.fromkeys(file for path in paths for file in _files(path)):
            read += _custom(file)
        rules: dict[str, Rule] = {}
        refused: list[ConfigError] = []
        for one in read:
            if isinstance(one, ConfigError):
                refused.append(one)
            elif (first := rules.setdefault(one.info.id, one)) is not one:
                # Their alerts would pass for one another's duplicates.
                reason = f"{first.source} has the id {one.info.id} too"
                refused.append(ConfigError(f"TRAILSTREAM_RULES: {one.source}: {reason}."))
        if refused and (strict or not rules):
            raise refused[0]
        if not rules:
            raise ConfigError("TRAILSTREAM_PACKS and TRAILSTREAM_RULES name no rule: nothing would ever be detected.")
        return cls(rules.values(), map(str, refused))

    def match(self, record: Any) -> list[Rule]:
        """The rules that match a record; none, and no error, if it is no JSON object."""
        return [rule for rule in self.rules if rule.matches(record)]


def packs() -> tuple[str, ...]:
    """The names of the built-in packs."""
    folder = resources.files("stream.detect") / "packs"
    return tuple(sorted(file.name.removesuffix(".yml") for file in folder.iterdir() if file.name.endswith(".yml")))


def _union(rules: Iterable[Rule]) -> frozenset[Literal] | None:
    literals: frozenset[Literal] = frozenset()
    for rule in rules:
        if rule.literals is None:
            return None
        literals |= rule.literals
    return literals


def _pack(name: str) -> Iterator[Rule]:
    if name not in packs():
        raise ConfigError(f"TRAILSTREAM_PACKS: there is no pack {name!r}; there are: {', '.join(packs())}.")
    file = resources.files("stream.detect") / "packs" / f"{name}.yml"
    for rule in _rules(file.read_text(encoding="utf-8"), pack=name, source=file.name, variable="TRAILSTREAM_PACKS"):
        if isinstance(rule, ConfigError):
            raise rule
        yield rule


def _custom(file: Path) -> Iterator[Rule | ConfigError]:
    try:
        text = _read(file)
    except ConfigError as error:
        yield error
    else:
        yield from _rules(text, pack=CUSTOM, source=str(file), variable="TRAILSTREAM_RULES")


def _files(path: str) -> list[Path]:
    root = Path(path).expanduser()
    try:
        if not root.is_dir():
            return [root.resolve(strict=True)]
        # Hidden folders are left out, and what is reached twice counts once: a mounted ConfigMap keeps its files in a
        # folder `..2025_01_01` that links beside it lead to.
        found = [
            file.resolve(strict=True)
            for file in sorted(root.rglob("*"))
            if file.suffix in _SUFFIXES
            and not any(part.startswith(".") for part in file.relative_to(root).parts)
            and not file.is_dir()
        ]
    except OSError as error:
        raise ConfigError(f"TRAILSTREAM_RULES: can't read {path}: {error.strerror or type(error).__name__}.") from error
    if not found:
        raise ConfigError(f"TRAILSTREAM_RULES: the folder {path} holds no rule (*.yml, *.yaml).")
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"TRAILSTREAM_RULES: {file}: it is not UTF-8 text.") from error
    except OSError as error:
        raise ConfigError(f"TRAILSTREAM_RULES: can't read {file}: {error.strerror or type(error).__name__}.") from error


def _rules(text: str, *, pack: str, source: str, variable: str) -> Iterator[Rule | ConfigError]:
    """The rules of a file, and in the place of each that is refused, why."""

    def refusal(error: ConfigError) -> ConfigError:
        reason = " ".join(str(error).split())[:_REASON_CHARACTERS]
        return ConfigError(f"{variable}: {source}: {reason}.")

    try:
        documents = _documents(text)
    except ConfigError as error:
        yield refusal(error)
        return
    for document in documents:
        try:
            if not isinstance(document, Mapping):
                raise ConfigError("it is not a Sigma rule, which is a mapping")
            info, compiled = compile_rule(document)
        except ConfigError as error:
            yield refusal(error)
        else:
            yield Rule(info, pack, source, compiled.literals, compiled.matches)


def _documents(text: str) -> list[Any]:
    try:
        documents = list(yaml.load_all(text, Loader=SigmaYAMLLoader))  # pySigma's own, a safe loader
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise ConfigError(f"it is not YAML: {error}") from error
    documents = [document for document in documents if document is not None]
    if not documents:
        raise ConfigError("it holds no rule")
    return documents
