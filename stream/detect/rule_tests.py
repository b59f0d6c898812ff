"""Tests of rules: the text of a `*.test.yml` in; its cases out, and what each is told that does not hold.

A file is a list of cases. Each names a rule, records of CloudTrail's, and what is expected of the rule.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stream.alert import Alert
from stream.detect.detector import Detector
from stream.detect.rules import Rule, RuleSet
from stream.errors import ConfigError
from stream.json_value import shown, text_at
from stream.severity import Severity

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_SHOWN_CHARACTERS: Final = 200


class ExpectedAlert(BaseModel):
    """What is expected of one alert; what is left out may be anything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: Severity | None = None
    title: str | None = None
    outcome: Literal["success", "denied", "failed"] | None = None
    event: str | None = None


class Case(BaseModel):
    """One case.

    Attributes:
        rule: the id or the name of a rule.
        name: what happens in these records, for people.
        records: as they would stand in a log file.
        expect: `fires`: each of the records gives an alert; `silent`: none does.
        severity: of each alert.
        title: of each alert.
        alerts: of all the records together, in their order; 0: none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str = Field(min_length=1)
    name: str = Field(min_length=1)
    records: tuple[dict[str, Any], ...] = Field(min_length=1)
    expect: Literal["fires", "silent"] | None = None
    severity: Severity | None = None
    title: str | None = None
    alerts: Literal[0] | tuple[ExpectedAlert, ...] | None = None

    @model_validator(mode="after")
    def _something_is_expected(self) -> "Case":
        if self.expect is None and self.alerts is None:
            raise ValueError("it expects nothing: expect: fires, expect: silent, or alerts")
        if self.expect != "fires" and (self.severity or self.title):
            raise ValueError("severity and title are those of an alert: they go with expect: fires")
        return self


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case came out.

    Attributes:
        source: the file that it stands in.
        faults: what does not hold, a line each; empty if it passes.
    """

    source: str
    case: Case
    faults: tuple[str, ...]


class _Loader(yaml.CSafeLoader):
    """A safe loader that leaves times as they are written: in a record they are texts."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def cases_of(text: str, source: str) -> list[Case]:
    """The cases of a file.

    Raises:
        ConfigError: it is no list of cases; names the file and what is wrong.
    """
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe one
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise ConfigError(f"{source}: it is not YAML: {' '.join(str(error).split())[:_SHOWN_CHARACTERS]}") from error
    if not isinstance(found, list) or not found:
        raise ConfigError(f"{source}: it is no list of cases (`trailstream rules test --help` has one)")
    return [_case(number, each, source) for number, each in enumerate(found, 1)]


def run(cases: Iterable[Case], rules: Sequence[Rule], source: str) -> Iterator[Verdict]:
    """Hold each case against its rule alone, whatever the environment says.

    Args:
        cases: of one file.
        rules: those that the cases may mean.
        source: the file.
    """
    by_name = {rule.name: rule for rule in rules if rule.name}
    by_name |= {rule.info.id: rule for rule in rules}
    for case in cases:
        rule = by_name.get(case.rule)
        faults = ("there is no such rule, or it is refused",) if rule is None else tuple(_faults(case, rule))
        yield Verdict(source, case, faults)


def _case(number: int, document: object, source: str) -> Case:
    try:
        return Case.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        text = fault["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source}: case {number}: {f'{place}: ' if place else ''}{text}") from error


def _faults(case: Case, rule: Rule) -> Iterator[str]:
    detector = Detector(RuleSet([rule]))
    found = [detector.alerts(record, provenance="log_file", log_file=None) for record in case.records]
    for number, alerts in enumerate(found, 1):
        place = f"record {number} ({shown(text_at(case.records[number - 1], 'eventName') or 'no eventName', 64)})"
        if case.expect == "silent" and alerts:
            yield f"{place}: expected no alert, got {_told(alerts[0])}"
        elif case.expect == "fires" and not alerts:
            yield f"{place}: expected an alert, got none"
        elif case.expect == "fires":
            wanted = ExpectedAlert(severity=case.severity, title=case.title)
            yield from (f"{place}: {fault}" for alert in alerts for fault in _differences(wanted, alert))
    if case.alerts is not None:
        yield from _compared(case.alerts or (), [alert for alerts in found for alert in alerts])


def _compared(wanted: Sequence[ExpectedAlert], alerts: Sequence[Alert]) -> Iterator[str]:
    if len(wanted) != len(alerts):
        got = "; ".join(map(_told, alerts)) or "none"
        yield f"alerts: expected {len(wanted)}, got {len(alerts)}: {got}"
        return
    for number, (expected, alert) in enumerate(zip(wanted, alerts, strict=True), 1):
        yield from (f"alert {number}: {fault}" for fault in _differences(expected, alert))


def _differences(wanted: ExpectedAlert, alert: Alert) -> Iterator[str]:
    got = {
        "severity": alert.severity,
        "title": alert.title,
        "outcome": alert.event.outcome,
        "event": alert.event.name,
    }
    for name, expected in wanted:
        if expected is not None and expected != got[name]:
            yield f"{name}: expected {expected!r}, got {got[name]!r}"


def _told(alert: Alert) -> str:
    return f"{alert.severity}: {shown(alert.title, _SHOWN_CHARACTERS)}"
