"""An alert in; out, the names of the channels that are told, and why those. No I/O, and no alert that it raises for.

Routes are asked one after the other, and the first that matches takes the alert, unless it says `continue`. What none
takes goes to the default. What a channel's own settings keep off (`_MIN_SEVERITY`, `_RULES`, `_ACCOUNTS`) goes there by
no route.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from typing import Final, Literal, Protocol, get_args

from stream.accounts.account import Account
from stream.alert import Alert, Outcome
from stream.json_value import fold, text_at
from stream.settings import ChannelSettings
from stream.severity import SEVERITIES, Severity

Field = Literal["severity", "account", "ou", "tag", "rule", "region", "event", "outcome", "actor"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

AT_LEAST: Final = ">="
"""Before a severity: that one, or one more severe."""


def _accounts(alert: Alert, _: Account | None) -> tuple[str, ...]:
    name = alert.event.account_name
    return (alert.event.account_id,) if name is None else (alert.event.account_id, name)


def _units(_: Alert, account: Account | None) -> tuple[str, ...]:
    return (account.ou,) if account is not None and account.ou else ()


def _tags(_: Alert, account: Account | None) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in account.tags.items()) if account is not None else ()


def _actors(alert: Alert, _: Account | None) -> tuple[str, ...]:
    """The ARN that made the call, that of the role behind its session, and its name: those that are known."""
    role = text_at(alert.record, "userIdentity", "sessionContext", "sessionIssuer", "arn")
    return tuple(dict.fromkeys(text for text in (alert.actor.arn, role, alert.actor.name) if text))


_TEXTS: Final[Mapping[Field, Callable[[Alert, Account | None], tuple[str, ...]]]] = {
    "severity": lambda alert, _: (alert.severity,),
    "account": _accounts,
    "ou": _units,
    "tag": _tags,
    "rule": lambda alert, _: (alert.rule.id, alert.rule.title),
    "region": lambda alert, _: (alert.event.region,),
    "event": lambda alert, _: (alert.event.name,),
    "outcome": lambda alert, _: (alert.event.outcome,),
    "actor": _actors,
}
_ANY_CASE: Final[frozenset[Field]] = frozenset({"account", "ou", "tag", "rule"})
"""Names that people give. What AWS writes (events, regions, ARNs) is compared as it stands."""
_MAY_LACK: Final[frozenset[Field]] = frozenset({"ou", "tag", "actor"})
"""Of which an alert may have none, so that not even `*` matches."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one matcher says of one alert; `found`: the alert's own texts, of which any may match."""

    matcher: "Matcher"
    found: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Matcher:
    """What one field of an alert has to be.

    Attributes:
        wanted: globs (`*`, `?`, `[…]`), any of which is enough; for a severity also `>=high`.
        negated: none of them may match.
    """

    field: Field
    wanted: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        return f"{'not ' if self.negated else ''}{self.field} {', '.join(self.wanted)}"

    def judge(self, alert: Alert, account: Account | None = None) -> Verdict:
        """Look at an alert, and at what is known of the account that it is told of."""
        found = _TEXTS[self.field](alert, account)
        return Verdict(self, found, self._is_any(found) is not self.negated)

    @property
    def is_certain(self) -> bool:
        """Whether it holds for every alert there can be."""
        if self.negated:
            return False
        if self.field == "severity":
            return all(self._is_any((severity,)) for severity in SEVERITIES)
        if self.field == "outcome":
            return all(self._is_any((outcome,)) for outcome in OUTCOMES)
        return self.field not in _MAY_LACK and "*" in self.wanted

    def _is_any(self, found: Iterable[str]) -> bool:
        return any(self._is(wanted, text) for text in found for wanted in self.wanted)

    def _is(self, wanted: str, text: str) -> bool:
        if self.field == "severity" and wanted.startswith(AT_LEAST):
            return text in SEVERITIES[_rank(wanted.removeprefix(AT_LEAST)) :]
        if self.field in _ANY_CASE:
            wanted, text = fold(wanted), fold(text)
        return _pattern(wanted).match(text) is not None


@dataclass(frozen=True, slots=True)
class Route:
    """One way to channels.

    Attributes:
        matchers: all of them have to hold; none: any alert is taken.
        channels: names of those that it leads to; none: whatever it takes goes nowhere.
        goes_on: later routes are asked as well.
        line: where it stands in its file.
    """

    matchers: tuple[Matcher, ...]
    channels: tuple[str, ...]
    goes_on: bool = False
    line: int = 0

    @property
    def takes_all(self) -> bool:
        """Whether it matches every alert there can be."""
        return all(matcher.is_certain for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Step:
    """One route that was asked of an alert; `number` counts from 1."""

    number: int
    route: Route
    verdicts: tuple[Verdict, ...]

    @property
    def takes(self) -> bool:
        """Whether it took the alert."""
        return all(verdict.holds for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel that the routes lead to; `refusals`: those of its own settings that keep the alert off."""

    channel: str
    refusals: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where an alert goes, and why.

    Attributes:
        steps: the routes that were asked, in order.
        by_default: none of them took it.
        choices: the channels that they, or the default, lead to.
    """

    steps: tuple[Step, ...]
    by_default: bool
    choices: tuple[Choice, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """Those that are told."""
        return tuple(choice.channel for choice in self.choices if not choice.refusals)


class _Named(Protocol):
    """A channel, or what one will be made of."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> ChannelSettings: ...


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes in force, whether variables made them or a file.

    Attributes:
        own: for each channel that is on, by name, what its own settings demand of an alert.
        routes: asked in this order.
        default: channels of what no route takes; `None`: every channel that is on.
        fallbacks: for each channel that has one, the channel that gets what this one could not deliver in time.
    """

    own: Mapping[str, tuple[Matcher, ...]]
    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] | None = None
    fallbacks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        channels: Iterable[_Named],
        *,
        min_severity: Severity,
        routes: Iterable[Route] = (),
        default: tuple[str, ...] | None = None,
    ) -> "Routes":
        """Make them for these channels.

        Args:
            channels: those that are on.
            min_severity: mildest severity of a channel that says none itself.
            routes: to channels of these names; none: everything goes by default.
            default: see the attribute.
        """
        channels = tuple(channels)
        return cls(
            own={channel.name: own_matchers(channel.settings, min_severity) for channel in channels},
            routes=tuple(routes),
            default=default,
            fallbacks={channel.name: name for channel in channels if (name := channel.settings.fallback)},
        )

    def channels(self, alert: Alert, account: Account | None = None) -> tuple[str, ...]:
        """The names of the channels that are told of an alert; none is legal."""
        return self.explain(alert, account).channels

    def explain(self, alert: Alert, account: Account | None = None) -> Explanation:
        """Where an alert goes, and why.

        Args:
            alert: the alert.
            account: what is known of the one that it is told of.
        """
        steps: list[Step] = []
        for number, route in enumerate(self.routes, 1):
            step = Step(number, route, tuple(matcher.judge(alert, account) for matcher in route.matchers))
            steps.append(step)
            if step.takes and not route.goes_on:
                break
        taken = [step.route for step in steps if step.takes]
        names = (name for route in taken for name in route.channels) if taken else self.default_channels
        return Explanation(
            steps=tuple(steps),
            by_default=not taken,
            choices=tuple(Choice(name, self._refusals(name, alert, account)) for name in dict.fromkeys(names)),
        )

    @property
    def default_channels(self) -> tuple[str, ...]:
        """The channels of what no route takes."""
        return tuple(self.own) if self.default is None else self.default

    def warnings(self) -> tuple[str, ...]:
        """What can not have been meant: routes that nothing comes to, channels that no route leads to."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        takers = [number for number, route in enumerate(self.routes, 1) if route.takes_all]
        last = next((number for number in takers if not self.routes[number - 1].goes_on), len(self.routes))
        for number in range(last + 1, len(self.routes) + 1):
            told = f"{self._called(last)} takes them all and has no `continue`"
            yield f"{self._called(number)} never gets an alert: {told}"
        if takers and self.default:
            yield f"the default never gets an alert: {self._called(takers[0])} takes them all"
        reached = {name for route in self.routes[:last] for name in route.channels}
        if not takers:
            reached.update(self.default_channels)
        for _ in self.fallbacks:  # a fallback may have one of its own
            reached.update(self.fallbacks[name] for name in tuple(reached) if name in self.fallbacks)
        for name in self.own:
            if name not in reached:
                yield f"the channel {name} is never reached: it is in no route that gets an alert, nor in the default"

    def _called(self, number: int) -> str:
        return f"route {number} (line {self.routes[number - 1].line})"

    def _refusals(self, name: str, alert: Alert, account: Account | None) -> tuple[Verdict, ...]:
        verdicts = (matcher.judge(alert, account) for matcher in self.own.get(name, ()))
        return tuple(verdict for verdict in verdicts if not verdict.holds)


def own_matchers(settings: ChannelSettings, min_severity: Severity) -> tuple[Matcher, ...]:
    """What a channel's own settings demand of an alert, whatever the routes say.

    Args:
        settings: the channel's.
        min_severity: mildest severity, if the channel says none itself.
    """
    matchers = [Matcher("severity", (AT_LEAST + (settings.min_severity or min_severity),))]
    if settings.rules:
        matchers.append(Matcher("rule", settings.rules))
    if settings.accounts:
        matchers.append(Matcher("account", settings.accounts))
    return tuple(matchers)


def _rank(severity: str) -> int:
    return next((rank for rank, each in enumerate(SEVERITIES) if each == severity), len(SEVERITIES))


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    """Compiled once: the standard library's own cache forgets a glob after 256 others."""
    return re.compile(translate(glob))
