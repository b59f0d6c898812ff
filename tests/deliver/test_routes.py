"""Which channels an alert goes to, and why: on alerts alone."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.accounts.account import Account
from stream.alert import Alert, RuleInfo
from stream.deliver.routes import FIELDS, OUTCOMES, Field, Matcher, Route, Routes
from stream.settings import ChannelSettings
from stream.severity import SEVERITIES
from tests.deliver.alerts import alerts, make_alert

ROLE = "arn:aws:iam::111122223333:role/ci-deploy"
ALERT = make_alert(
    severity="high",
    event_account_name="Prod-EU",
    record={"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": ROLE}}}},
)


@dataclass(frozen=True, slots=True)
class Named:
    """What routes know of a channel."""

    name: str
    settings: ChannelSettings


def channel(name: str, **values: object) -> Named:
    return Named(name, ChannelSettings.of(values))


def routes(*given: Route, default: tuple[str, ...] | None = None, channels: tuple[Named, ...] = ()) -> Routes:
    """Routes to `a`, `b` and `c`."""
    named = channels or tuple(map(channel, "abc"))
    return Routes.of(named, min_severity="informational", routes=given, default=default)


def route(*channels: str, goes_on: bool = False, **matchers: str) -> Route:
    """Matchers by field, their globs comma-separated."""
    made = tuple(Matcher(field, tuple(matchers[field].split(","))) for field in FIELDS if field in matchers)
    return Route(made, channels, goes_on)


@pytest.mark.parametrize(
    ("field", "wanted", "holds"),
    [
        ("severity", "high", True),
        ("severity", "critical", False),
        ("severity", ">=medium", True),
        ("severity", ">=critical", False),
        ("severity", "low,high", True),
        ("account", "1111*", True),
        ("account", "prod-*", True),
        ("account", "prod", False),
        ("account", "999*,PROD-EU", True),
        ("rule", "ct-013", True),
        ("rule", "cloudtrail configuration *", True),
        ("rule", "ct", False),
        ("region", "eu-*", True),
        ("region", "EU-*", False),
        ("event", "StopLogging,DeleteTrail", True),
        ("event", "stoplogging", False),
        ("event", "[ST]*Logging", True),
        ("outcome", "success", True),
        ("outcome", "denied,failed", False),
        ("actor", "*:assumed-role/Admin/*", True),
        ("actor", "*:role/ci-*", True),
        ("actor", "Admin", True),
        ("actor", "admin", False),
    ],
)
def test_a_matcher_is_of_one_glob_or_several_of_which_any_may_match(field: Field, wanted: str, holds: bool) -> None:
    globs = tuple(wanted.split(","))

    assert Matcher(field, globs).judge(ALERT).holds is holds
    assert Matcher(field, globs, negated=True).judge(ALERT).holds is not holds


@pytest.mark.parametrize(
    ("field", "wanted", "holds"),
    [
        ("ou", "root/workloads/*", True),
        ("ou", "Root/Sandbox", False),
        ("tag", "env=prod", True),
        ("tag", "team=*", True),
        ("tag", "env", False),
    ],
)
def test_accounts_are_matched_by_their_unit_and_their_tags(field: Field, wanted: str, holds: bool) -> None:
    account = Account.of("111122223333", "prod", "Root/Workloads/Prod", {"env": "prod", "team": "pay"})

    assert Matcher(field, (wanted,)).judge(ALERT, account).holds is holds
    assert not Matcher(field, ("*",)).judge(ALERT, Account.of("111122223333", "prod")).holds, "it has none"
    assert not Matcher(field, ("*",)).judge(ALERT).holds, "nothing is known of it"
    assert not Matcher(field, ("*",)).is_certain


def test_without_routes_every_channel_is_told() -> None:
    explanation = routes().explain(ALERT)

    assert explanation.channels == ("a", "b", "c")
    assert explanation.by_default


def test_the_first_route_that_matches_takes_the_alert() -> None:
    table = routes(route("a", event="DeleteTrail"), route("b", event="Stop*"), route("c"), default=("a",))

    assert table.channels(ALERT) == ("b",)
    assert table.channels(make_alert(event_name="DeleteTrail")) == ("a",)
    assert table.channels(make_alert(event_name="AddTags")) == ("c",)


def test_all_matchers_of_a_route_have_to_hold() -> None:
    table = routes(route("a", event="StopLogging", region="us-*"), default=())

    assert table.channels(ALERT) == ()
    assert table.channels(make_alert(event_region="us-east-1")) == ("a",)


def test_a_route_that_says_continue_lets_those_after_it_be_asked_and_a_channel_is_told_once() -> None:
    table = routes(
        route("b", "a", goes_on=True, event="StopLogging"), route("a", "c", severity="high"), route("b"), default=("c",)
    )

    assert table.channels(ALERT) == ("b", "a", "c")


def test_what_a_route_that_says_continue_has_taken_is_none_of_the_defaults() -> None:
    table = routes(route("a", goes_on=True, event="StopLogging"), route("b", event="DeleteTrail"), default=("c",))

    assert table.channels(ALERT) == ("a",)
    assert table.channels(make_alert(event_name="AddTags")) == ("c",)


def test_what_no_route_takes_goes_to_the_default_or_without_one_to_every_channel() -> None:
    unmatched = route("a", event="DeleteTrail")

    assert routes(unmatched, default=("c",)).channels(ALERT) == ("c",)
    assert routes(unmatched).channels(ALERT) == ("a", "b", "c")
    assert routes(unmatched, default=()).channels(ALERT) == ()
    assert routes(Route((), ())).channels(ALERT) == ()


def test_a_channels_own_settings_keep_alerts_off_by_whichever_route_they_come() -> None:
    channels = (
        channel("a", min_severity="critical"),
        channel("b", rules=("ct-*",), accounts=("999*", "prod-eu")),
        channel("c", rules=("cis-*",), accounts=("999*",)),
    )
    explanation = Routes.of(channels, min_severity="low", routes=[route("c", "b", "a")]).explain(ALERT)

    assert explanation.channels == ("b",)
    refused = {each.channel: [verdict.matcher.field for verdict in each.refusals] for each in explanation.choices}
    assert refused == {"c": ["rule", "account"], "b": [], "a": ["severity"]}


def test_a_channel_without_a_severity_of_its_own_has_that_of_all() -> None:
    channels = (channel("a"), channel("b", min_severity="low"))

    assert Routes.of(channels, min_severity="critical").channels(ALERT) == ("b",)


def test_every_route_that_was_asked_is_explained_with_what_the_alert_has_there() -> None:
    table = routes(route("a", event="DeleteTrail", account="prod-*"), route("b", severity=">=high"), route("c"))
    first, second = table.explain(ALERT).steps

    assert (first.number, first.takes, second.number, second.takes) == (1, False, 2, True)
    assert [(str(each.matcher), each.found, each.holds) for each in first.verdicts] == [
        ("account prod-*", ("111122223333", "Prod-EU"), True),
        ("event DeleteTrail", ("StopLogging",), False),
    ]


def test_what_can_not_have_been_meant_is_warned_of() -> None:
    dead = routes(route("a", severity=">=informational"), route("b", event="Stop*"), route("c"), default=("c",))

    assert dead.warnings() == (
        "route 2 (line 0) never gets an alert: route 1 (line 0) takes them all and has no `continue`",
        "route 3 (line 0) never gets an alert: route 1 (line 0) takes them all and has no `continue`",
        "the default never gets an alert: route 1 (line 0) takes them all",
        "the channel b is never reached: it is in no route that gets an alert, nor in the default",
        "the channel c is never reached: it is in no route that gets an alert, nor in the default",
    )
    assert routes().warnings() == ()
    assert routes(route("a", goes_on=True), route("b"), route("c", goes_on=True)).warnings()
    assert routes(route("a", goes_on=True), route("b", "c")).warnings() == ()
    assert routes(route("a", "b", account="*,1"), route("c", actor="*")).warnings()
    assert routes(route("a", actor="*"), route("b", outcome="success,denied"), default=("c",)).warnings() == ()


def test_a_channel_that_another_falls_back_to_is_reached() -> None:
    channels = (channel("a", fallback="b"), channel("b", fallback="c"), channel("c"), channel("d", fallback="c"))

    assert routes(route("a"), channels=channels).warnings() == (
        "the channel d is never reached: it is in no route that gets an alert, nor in the default",
    )


globs = st.text(max_size=30) | st.sampled_from(["*", "*a*a*a*a*b", "[", "[!", "[a", "\ud800*", "?" * 30, ">=x"])
matchers = st.builds(
    Matcher, st.sampled_from(FIELDS), st.lists(globs, min_size=1, max_size=3).map(tuple), st.booleans()
)
names = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)
tables = st.builds(
    lambda given, default: routes(*given, default=default),
    st.lists(st.builds(Route, st.lists(matchers, max_size=3).map(tuple), names, st.booleans()), max_size=4),
    st.none() | names,
)


@settings(max_examples=30, deadline=None)
@given(table=tables, alert=alerts())
def test_no_alert_and_no_glob_is_too_much(table: Routes, alert: Alert) -> None:
    explanation = table.explain(alert)

    assert set(table.channels(alert)) <= {"a", "b", "c"}
    assert explanation.by_default is not any(step.takes for step in explanation.steps)
    unreached = {name for name in "abc" for warning in table.warnings() if f"the channel {name} is never" in warning}
    assert unreached.isdisjoint(table.channels(alert))


@settings(max_examples=25, deadline=None)
@given(matcher=matchers, alert=alerts())
def test_what_is_said_to_match_anything_does(matcher: Matcher, alert: Alert) -> None:
    if matcher.is_certain:
        assert matcher.judge(alert).holds


@pytest.mark.parametrize(
    ("field", "all_of_them"), [("severity", SEVERITIES), ("outcome", OUTCOMES), ("region", ("*",)), ("rule", ("*",))]
)
def test_all_values_there_are_match_anything(field: Field, all_of_them: tuple[str, ...]) -> None:
    assert Matcher(field, all_of_them).is_certain
    assert not Matcher(field, all_of_them[1:] or ("a*",)).is_certain
    assert not Matcher(field, all_of_them, negated=True).is_certain


def test_a_rules_title_counts_as_much_as_its_id() -> None:
    alert = make_alert(rule=RuleInfo("0815", "Trails, all of them", "low"))

    assert Matcher("rule", ("trails, *",)).judge(alert).holds
    assert Matcher("rule", ("08*",)).judge(alert).holds
