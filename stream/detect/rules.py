"""The rules in force: names of packs and paths of Sigma files in, a set that matches records out.

A rule that can't be used to the letter is refused, with its file and the reason, for it would miss in silence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from stream.alert import RuleInfo
from stream.decode.literals import Literal
from stream.detect.documents import documents, files, is_test, mapping, one_line, read
from stream.detect.leaves import union
from stream.detect.placeholders import Placeholders
from stream.detect.sigma import Matches, compile_rule
from stream.errors import ConfigError
from stream.json_value import fold

CUSTOM: Final = "custom"
"""The pack of the rules that `TRAILSTREAM_RULES` names."""

_VARIABLE: Final = "TRAILSTREAM_RULES"
_PACKS: Final = "TRAILSTREAM_PACKS"
_SUFFIX: Final = ".yml"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled.

    Attributes:
        info: what alerts say of it.
        pack: the built-in pack that it is of, or `CUSTOM`.
        source: the file that it was read from.
        literals: a record that matches has at least one of these in its JSON; `None` (unindexed): any record may match.
        named: the same, but each is of `eventName`; `None`: it may have any.
        condition: its test, for JSON objects only; callers want `matches`.
        name: Sigma's other way to refer to it, beside its id; `None` if it has none.
    """

    info: RuleInfo
    pack: str
    source: str
    literals: frozenset[Literal] | None
    condition: Matches
    named: frozenset[Literal] | None = None
    name: str | None = None

    def matches(self, record: Any) -> bool:
        """Whether the rule matches; whatever the record is, this does not raise."""
        return isinstance(record, Mapping) and self.condition(record)


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that was left out, or a file of rules.

    Attributes:
        variable: the one that names it or its pack.
        source: the file.
        reason: why, a clause of one line without a full stop.
    """

    variable: str
    source: str
    reason: str

    def __str__(self) -> str:
        """One sentence with all of it."""
        return f"{self.variable}: {self.source}: {self.reason}."


class RuleSet:
    """Every rule in force, in the order of loading.

    Attributes:
        literals: of all rules together; `None` as soon as one of them is unindexed.
        named: of all of them, too.
        refused: the rules that were left out.
    """

    def __init__(self, rules: Iterable[Rule], refused: Iterable[Refused] = ()) -> None:
        self.rules = tuple(rules)
        self.refused = tuple(refused)
        self.literals = union(rule.literals for rule in self.rules)
        self.named = union(rule.named for rule in self.rules)
        named = [(rule, _names(rule)) for rule in self.rules]
        self._unnamed = tuple(rule for rule, names in named if names is None)
        self._by_name = {
            name: tuple(rule for rule, names in named if names is None or name in names)
            for name in frozenset().union(*(names for _, names in named if names is not None))
        }

    @classmethod
    def load(
        cls,
        packs: Sequence[str],
        paths: Sequence[str],
        *,
        strict: bool = True,
        placeholders: Placeholders = MappingProxyType({}),
        variable: str = _VARIABLE,
    ) -> "RuleSet":
        """Read built-in packs by name, and files or folders (`*.yml`, `*.yaml`) of more rules.

        Args:
            packs: names of built-in packs; these are always strict.
            paths: files and folders.
            strict: one bad rule among the paths refuses all; otherwise only it is left out, and named in `refused`.
            placeholders: values for the modifier `expand`.
            variable: what names the paths, for errors.

        Raises:
            ConfigError: names the variable, the file and the reason. Not strict: a pack or path does not exist, a
                folder has no file for rules, or no rule is left.
        """
        read: list[Rule | Refused] = [rule for pack in dict.fromkeys(packs) for rule in _pack(pack)]
        for file in dict.fromkeys(file for path in paths for file in files(path, variable=variable, kind="rule")):
            read += _custom(file, placeholders, variable)
        rules: dict[str, Rule] = {}
        refused: list[Refused] = []
        for one in read:
            if isinstance(one, Refused):
                refused.append(one)
            elif (first := rules.setdefault(one.info.id, one)) is not one:
                # Their alerts would pass for one another's duplicates.
                reason = f"{first.source} has the id {one.info.id} too"
                refused.append(Refused(_PACKS if one.pack != CUSTOM else variable, one.source, reason))
        if refused and (strict or not rules or refused[0].variable == _PACKS):
            raise ConfigError(str(refused[0]))
        if not rules:
            raise ConfigError("TRAILSTREAM_PACKS and TRAILSTREAM_RULES name no rule: nothing would ever be detected.")
        return cls(rules.values(), refused)

    def match(self, record: Any) -> list[Rule]:
        """The rules that match a record; none, and no error, if it is no JSON object."""
        # Most rules can match by one of a few eventNames only: of a thousand, a handful is asked.
        name = record.get("eventName") if type(record) is dict else None
        rules = self._by_name.get(fold(name), self._unnamed) if type(name) is str else self.rules
        return [rule for rule in rules if rule.matches(record)]


def _names(rule: Rule) -> frozenset[str] | None:
    """The only values of `eventName`, where that is a text, by which a rule can match; `None`: there may be others."""
    if rule.named is None or not all(literal.whole for literal in rule.named):
        return None
    return frozenset(fold(literal.text) for literal in rule.named)


def packs() -> tuple[str, ...]:
    """The names of the built-in packs."""
    names = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX) and not is_test(name)))


def pack_text(name: str) -> str:
    """The YAML of a built-in pack's rules, or of their tests: `ct-013`, `ct-013.test`; empty if there is none."""
    file = _folder() / f"{name}{_SUFFIX}"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _folder() -> Traversable:
    return resources.files("stream.detect") / "packs"


def _pack(name: str) -> Iterator[Rule]:
    if name not in packs():
        raise ConfigError(f"{_PACKS}: there is no pack {name!r}; there are: {', '.join(packs())}.")
    for rule in _rules(pack_text(name), pack=name, source=f"{name}{_SUFFIX}", variable=_PACKS, placeholders={}):
        if isinstance(rule, Refused):
            raise ConfigError(str(rule))
        yield rule


def _custom(file: Path, placeholders: Placeholders, variable: str) -> Iterator[Rule | Refused]:
    try:
        text = read(file)
    except ConfigError as error:
        yield Refused(variable, str(file), one_line(error))
    else:
        yield from _rules(text, pack=CUSTOM, source=str(file), variable=variable, placeholders=placeholders)


def _rules(text: str, *, pack: str, source: str, variable: str, placeholders: Placeholders) -> Iterator[Rule | Refused]:
    """The rules of a file, and in the place of each that is refused, why."""
    try:
        found = documents(text, kind="rule")
    except ConfigError as error:
        yield Refused(variable, source, one_line(error))
        return
    for document in found:
        try:
            info, compiled = compile_rule(mapping(document, kind="rule"), placeholders)
        except ConfigError as error:
            yield Refused(variable, source, one_line(error))
        else:
            yield Rule(info, pack, source, compiled.literals, compiled.matches, compiled.named, document.get("name"))
