"""What is known to be all right: Sigma filters in, the one that keeps an alert from being delivered out.

By Sigma's convention a rule that a filter names holds when `(rule) and (filter's condition)` does: a filter that leaves
events out says `condition: not selection`. Our one addition is `until`, the moment (UTC) at which it ends by itself:

    title: Terraform in the pipeline
    id: 5b1ffb7c-0a54-4c4e-9d7e-3c8d6f1f2a10
    logsource: {product: aws, service: cloudtrail}
    until: 2026-07-01
    filter:
        rules: [c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa]   # ids or names of rules, or: any
        selection:
            userIdentity.sessionContext.sessionIssuer.arn: arn:aws:iam::111122223333:role/terraform
            sourceIPAddress|cidr: 198.51.100.0/24
        condition: not selection
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

from sigma.filters import SigmaFilter
from sigma.rule import SigmaLogSource

from stream.detect.documents import documents, files, mapping, read, refusal
from stream.detect.forgeable import is_forgeable
from stream.detect.placeholders import Placeholders, filled
from stream.detect.rules import Rule
from stream.detect.sigma import Matches, compile_detections, parsing
from stream.errors import ConfigError
from stream.json_value import at

State = Literal["active", "ended", "unknown rule"]

ANY: Final = "any"
"""In the place of rules: all of them."""

_VARIABLE: Final = "TRAILSTREAM_SUPPRESS"
_CLOUDTRAIL: Final = SigmaLogSource(product="aws", service="cloudtrail")
_SLUG_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Suppression:
    """One filter, compiled.

    Attributes:
        id: its id, or its title as small letters, digits and hyphens; also the label of a metric.
        rules: ids and names of rules as it lists them, or `("any",)`.
        unknown_rules: those of them that are not loaded.
        rule_ids: the loaded rules that it is applied to.
        until: Unix time at which it ends; `None`: it never does.
        source: the file that it was read from.
        warnings: what its author had better know, a clause each.
        condition: what a record must meet to be alerted of all the same; for JSON objects only.
    """

    id: str
    title: str
    rules: tuple[str, ...]
    unknown_rules: tuple[str, ...]
    rule_ids: frozenset[str]
    until: float | None
    source: str
    warnings: tuple[str, ...]
    condition: Matches

    @property
    def ends(self) -> str | None:
        """`until` as ISO 8601, `None` if it never ends."""
        return None if self.until is None else datetime.fromtimestamp(self.until, UTC).isoformat()

    def is_ended(self, now: float) -> bool:
        """Whether it has ended at this Unix time."""
        return self.until is not None and self.until <= now

    def state(self, now: float) -> State:
        """What it does at this Unix time."""
        if self.is_ended(now):
            return "ended"
        return "active" if self.rule_ids else "unknown rule"


class Suppressions:
    """Every filter in force, in the order of loading. Holds no state, and may be used from several threads."""

    def __init__(self, suppressions: Iterable[Suppression] = ()) -> None:
        self.all = tuple(suppressions)
        self._by_rule: dict[str, list[Suppression]] = {}
        for suppression in self.all:
            for rule_id in suppression.rule_ids:
                self._by_rule.setdefault(rule_id, []).append(suppression)

    @classmethod
    def load(
        cls, paths: Sequence[str], rules: Iterable[Rule], placeholders: Placeholders = MappingProxyType({})
    ) -> "Suppressions":
        """Read files or folders (`*.yml`, `*.yaml`) of Sigma filters.

        Args:
            paths: files and folders.
            rules: those in force; a filter of others is kept, and says so in its `warnings`.
            placeholders: values for the modifier `expand`.

        Raises:
            ConfigError: a path or a filter can't be used; names the variable, the file and the reason.
        """
        rules = tuple(rules)
        loaded: dict[str, Suppression] = {}
        paths_of_files = (file for path in paths for file in files(path, variable=_VARIABLE, kind="filter"))
        for file in dict.fromkeys(paths_of_files):
            for suppression in _suppressions(file, rules, placeholders):
                first = loaded.setdefault(suppression.id, suppression)
                if first is not suppression:
                    # They would be one in metrics and logs.
                    raise ConfigError(
                        f"{_VARIABLE}: {file}: {first.source} has a filter that goes by {first.id} too; "
                        "give each an id (a UUID) of its own."
                    )
        return cls(loaded.values())

    def find(self, rule_id: str, record: Mapping[str, Any], now: float) -> Suppression | None:
        """The first filter that keeps this rule's alert of a record back.

        Args:
            rule_id: the rule that matched.
            record: what it matched.
            now: Unix time.
        """
        for suppression in self._by_rule.get(rule_id, ()):
            if not suppression.is_ended(now) and not suppression.condition(record):
                return suppression
        return None


def _suppressions(file: Path, rules: Sequence[Rule], placeholders: Placeholders) -> Iterator[Suppression]:
    try:
        for document in documents(read(file), kind="filter"):
            yield suppression_of(mapping(document, kind="filter"), str(file), rules, placeholders)
    except ConfigError as error:
        raise refusal(error, variable=_VARIABLE, source=str(file)) from error


def suppression_of(
    document: Mapping[str, Any],
    source: str,
    rules: Sequence[Rule],
    placeholders: Placeholders = MappingProxyType({}),
) -> Suppression:
    """Compile one filter.

    Raises:
        ConfigError: it can't be used; says why.
    """
    if "filter" not in document:
        raise ConfigError("it is not a Sigma filter (it has no 'filter')")
    if at(document, "filter", "rules") == []:
        # The specification wants at least one; pySigma takes it for `any`, which is too much for a slip.
        raise ConfigError("its list of rules is empty; for every rule, write 'rules: any'")
    until = _until(document)
    with parsing():
        parsed = SigmaFilter.from_dict({**document, "filter": filled(document["filter"], placeholders)})
        if _CLOUDTRAIL not in parsed.logsource:
            raise ConfigError("its logsource does not take in product aws, service cloudtrail")
        references = _references(parsed)
        forgeable = is_forgeable(parsed.filter.parsed_condition[0].parsed)
        condition = compile_detections(parsed.filter).matches
    named = {reference: _ids(reference, rules) for reference in references or ()}
    unknown = tuple(reference for reference, ids in named.items() if not ids)
    ids = (rule.info.id for rule in rules) if references is None else chain.from_iterable(named.values())
    warnings = [f"no rule {reference} is loaded" for reference in unknown]
    if not condition({}):
        warnings.append("it suppresses whatever it does not describe: to leave out what it does, negate the condition")
    elif forgeable:
        warnings.append("matches on what the caller types, and on nothing that AWS vouches for")
    return Suppression(
        id=_id(parsed),
        title=parsed.title,
        rules=(ANY,) if references is None else references,
        unknown_rules=unknown,
        rule_ids=frozenset(ids),
        until=until,
        source=source,
        warnings=tuple(warnings),
        condition=condition,
    )


def _id(parsed: SigmaFilter) -> str:
    if parsed.id is not None:
        return str(parsed.id)
    slug = re.sub(r"[^a-z0-9]+", "-", parsed.title.lower())[:_SLUG_CHARACTERS].strip("-")
    if not slug:
        raise ConfigError("it has no id, and no letter or digit in its title, by which it could be told apart")
    return slug


def _references(parsed: SigmaFilter) -> tuple[str, ...] | None:
    """The ids and names of rules that a filter lists; `None`: it is for any."""
    rules = parsed.filter.rules
    if isinstance(rules, str):
        return None
    references: list[object] = [reference.reference for reference in rules]
    texts = [reference for reference in references if isinstance(reference, str) and reference]
    if len(texts) < len(references):
        raise ConfigError("its list of rules holds something that is neither an id nor a name")
    return tuple(dict.fromkeys(texts))


def _ids(reference: str, rules: Iterable[Rule]) -> list[str]:
    """The ids of the loaded rules that a reference means: an id in any spelling, otherwise a name."""
    try:
        wanted = str(UUID(reference))
    except ValueError:
        return [rule.info.id for rule in rules if rule.name == reference]
    return [rule.info.id for rule in rules if rule.info.id == wanted]


def _until(document: Mapping[str, Any]) -> float | None:
    """When the filter ends, in Unix time; a date alone means its first moment, and no zone means UTC."""
    _no_misspelt_until(document)
    if "until" not in document:
        return None
    value = document["until"]
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date):
            moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ConfigError("its 'until' is neither a date (2026-07-01) nor a time (2026-07-01T08:00:00Z)")


def _no_misspelt_until(document: Mapping[str, Any]) -> None:
    """Refuse what was meant to end a filter and would not."""
    for key in map(str, document):
        if key != "until" and difflib.get_close_matches(key.lower(), ["until"], cutoff=0.8):
            raise ConfigError(f"it has {key[:40]!r}, which is unknown; did you mean 'until'?")
    inner = document["filter"]
    if isinstance(inner, Mapping) and "until" in inner:
        raise ConfigError("its 'until' stands inside 'filter', where it would be a search; put it beside 'filter'")
