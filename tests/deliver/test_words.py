from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alert import Alert, Change, Resource
from stream.deliver.channel import PeopleChannel
from stream.deliver.channels import CHANNELS
from stream.deliver.channels.mrkdwn import code, prose
from stream.deliver.channels.relayed import relayed
from stream.deliver.group import Group
from stream.deliver.text import CUT
from stream.deliver.words import LENGTHS, Style, Words, view, words
from stream.templates import NAMES, check_template
from tests.deliver.alerts import alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile

SLACK = Style(prose, code, lambda text, limit: f"*{prose(text, limit - 2)}*")
PLAIN = Style(relayed, relayed, relayed)


def _words(
    alert: Alert | None = None,
    template: str | None = None,
    *,
    group: Group | None = None,
    style: Style = PLAIN,
    headline: int = 150,
    text: int = 3000,
) -> tuple[Words, list[str]]:
    """The words, and what was said to be wrong with the template."""
    failed: list[str] = []
    said = words(
        alert or make_alert(), group, style, template=template, headline=headline, text=text, failed=failed.append
    )
    assert len(said.headline) <= headline
    assert len(said.text) <= text
    assert said.headline.strip()
    f"{said.headline}{said.text}".encode()
    return said, failed


def _ours(template: str, **changes: Any) -> str:
    """What a template that has no fault makes of an alert."""
    check_template(template)
    said, failed = _words(make_alert(**changes), template)
    assert failed == []
    return f"{said.headline}\n{said.text}".strip()


DEFAULT, _ = _words()


def test_the_headline_and_the_text_are_said_in_the_channels_own_format() -> None:
    said, _ = _words(style=SLACK)
    assert said.headline == "CRITICAL: Logging of trail main was stopped"
    assert said.text.splitlines() == [
        (
            "*StopLogging* succeeded in account *prod* `111122223333`, `eu-west-1`, by `Admin` from `198.51.100.7` "
            "at `2026-03-01T12:00:00Z`"
        ),
        "API calls in this account are no longer recorded by trail main.",
    ]


def test_a_group_is_told_with_its_number_its_times_and_its_events() -> None:
    several = tuple(
        make_alert(f"a{n}", event_id=f"event-{n}", event_time=f"2026-03-01T12:{n:02}:00Z") for n in range(30)
    )
    said, _ = _words(several[0], group=Group(several))
    assert said.headline.endswith(" (30 times)")
    assert "30 alike between 2026-03-01T12:00:00Z and 2026-03-01T12:29:00Z; events event-0, " in said.text
    assert said.text.endswith("event-9 and 20 more")


def test_a_group_about_several_targets_names_them_and_one_of_several_callers_counts_them() -> None:
    targets = [f"arn:aws:cloudtrail:eu-west-1:111122223333:trail/t{n % 12}" for n in range(30)]
    several = tuple(
        make_alert(f"a{n}", resources=(Resource("AWS::CloudTrail::Trail", arn, None),)) for n, arn in enumerate(targets)
    )
    said, _ = _words(several[0], group=Group(several))
    assert said.headline.endswith(" (30 times, 12 targets)")
    callers = tuple(make_alert(f"a{n}", actor_arn=None, actor_principal_id=f"AROAEXAMPLE:s{n % 3}") for n in range(9))
    assert _words(callers[0], group=Group(callers))[0].headline.endswith(" (9 times, 3 callers)")
    assert said.text.endswith(f"12 targets: {', '.join(targets[:10])} and 2 more")


def test_what_is_told_late_says_so_and_lists_what_there_is() -> None:
    several = tuple(make_alert(f"a{n}", title=f"title {n}") for n in range(30))
    said, _ = _words(several[0], group=Group(several, late=True))
    assert said.headline == "LATE: 30 alerts of earlier events, the worst of them CRITICAL: title 0"
    assert "CRITICAL: title 19" in said.text
    assert said.text.endswith("and 10 more")
    alone, _ = _words(several[0], group=Group(several[:1], late=True))
    assert alone.headline.startswith("LATE: 1 alert of")


def test_a_template_of_ones_own_takes_the_place_of_ours(tmp_path: Path) -> None:
    template = (
        "{{ rule.id }}: {{ title }}\n\n{% for each in changes %}\n{{ each.field }}={{ each.value }}\n{% endfor %}\n"
    )
    assert _ours(template) == "ct-013: Logging of trail main was stopped\nname=main"
    file = tmp_path / "words.j2"
    file.write_text(template)
    assert _ours(str(file)) == _ours(template)
    file.write_text("changed: {{ event.account_name }}")
    assert _ours(str(file)) == "changed: prod"


def test_what_macros_and_blocks_return_is_made_inert_once() -> None:
    template = "{% macro m(x) %}[{{ x | code }}]{% endmacro %}{% set kept %}{{ m(title) }}{% endset %}{{ kept }}"
    said, failed = _words(make_alert(title="a&b"), template, style=SLACK)
    assert (said.headline, failed) == ("[`a&amp;b`]", [])


@pytest.mark.parametrize(
    "template",
    [
        "{{ record.userAgent }}",
        "{{ record.userAgent | upper }}",
        "{{ record.userAgent ~ record.userAgent }}",
        "{{ record.userAgent | code | replace('x', 'y') }}",
        "{{ '%s' | format(record.userAgent) }}",
        "{{ record }}",
        "{{ record.userAgent | safe }}",
        "{{ [record.userAgent] | join }}",
        "{% filter lower %}{{ record.userAgent }}{% endfilter %}",
        "{% for each in record.userAgent %}{{ each }}{% endfor %}",
    ],
)
@pytest.mark.parametrize("name", ["slack mention", "teams mention", "html", "card template", "terminal", "direction"])
def test_nothing_recorded_comes_out_alive_whatever_a_template_does_with_it(template: str, name: str) -> None:
    text = ATTACKS[name] if "for each" not in template else "<\u202e\x1b"
    said, _ = _words(make_alert(record={"userAgent": text}), "x {{ title }}\n" + template)
    assert said.text
    assert active(said.text) is None


def test_what_looks_like_a_template_in_a_record_is_never_evaluated() -> None:
    evil = "{{ 7 * 191 }} {% for x in range(9) %}1337{% endfor %} {{ self.__init__.__globals__ }}"
    for template in (None, "{{ title }}\n{{ actor.user_agent }} {{ record.userAgent }}"):
        said, failed = _words(
            make_alert(title=evil, summary=evil, actor_user_agent=evil, record={"userAgent": evil}), template
        )
        assert failed == []
        assert "7 * 191" in f"{said.headline}{said.text}"
        assert "1337" not in f"{said.headline}{said.text}".replace("1337{", "")


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{{ event.nothing }}", "UndefinedError"),
        ("{{ record.requestParameters.absent.more }}", "UndefinedError"),
        ("{{ title.__class__.__mro__ }}", "SecurityError"),
        ("{{ ''.__class__ }}{{ cycler.__init__.__globals__.os }}", "SecurityError"),
        ("{{ record.update({}) }}", "SecurityError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ title + 1 }}", "TypeError"),
        ("{% for i in range(99999) %}{{ title }}{% endfor %}", "UnfitError"),
        ("x{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", "EndlessError"),
        ("x{% for i in range(9999) recursive %}{% if loop(range(9)) %}{% endif %}{% endfor %}", "RecursionError"),
        ("{% macro m(n) %}{% if n %}{% set a = m(n-1), m(n-1) %}{% endif %}{% endmacro %}x{{ m(40) }}", "EndlessError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        ("{{ 'x' * 999999999 }}", "SecurityError"),
        ("{{ 999999999 * [1] }}", "SecurityError"),
        ("{{ 9 ** 9 ** 9 }}", "SecurityError"),
        ("{{ title }}\n{{ 'x' * 4000 }}", "UnfitError"),
        ("{{ 'x' * 151 }}", "UnfitError"),
        (" \n {% if false %}x{% endif %}\n", "UnfitError"),
        ("{{ title }}\n{{ title }", "TemplateSyntaxError"),
        ("{{ title }}\udcff", "UnicodeEncodeError"),
        ("gone.j2", "FileNotFoundError"),
    ],
)  # fmt: skip
def test_a_template_that_fails_costs_no_alert_and_says_why(
    template: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said, failed = _words(template=template)
    assert said == DEFAULT
    assert failed == [error]


def test_the_headline_and_the_text_are_cut_apart_and_no_id_is() -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/" + "r" * 500
    alert = make_alert(title="t" * 200, summary="s" * 500, actor_name=arn)
    said, _ = _words(alert, headline=100)
    assert said.headline.endswith(CUT)
    assert len(said.headline) > 60
    assert "s" * 500 in said.text
    cut, _ = _words(alert, text=900)
    assert arn in cut.text
    assert cut.text.endswith(CUT)


def test_where_there_is_room_for_a_headline_only_there_is_no_text_and_no_fault() -> None:
    said, failed = _words(template="{{ title }}\n{{ summary }}", text=0)
    assert (said, failed) == (Words("Logging of trail main was stopped", ""), [])
    assert _words(text=0, style=SLACK)[0] == Words("CRITICAL: Logging of trail main was stopped", "")


def test_a_huge_value_is_shown_by_its_beginning() -> None:
    said, failed = _words(make_alert(record={"big": ["x" * 3_000_000, 2**70]}), "{{ title }}\n{{ record }}", text=5000)
    assert failed == []
    assert said.text.startswith('{"big": ["xxx')
    assert CUT in said.text


def test_a_template_sees_the_alerts_fields_by_their_own_names() -> None:
    shown = view(make_alert(changes=(Change("a", {"b": 1}, "c"),)), None, LENGTHS[0])
    assert shown.keys() == NAMES
    assert shown["changes"] == [{"field": "a", "value": '{"b": 1}', "effect": "c"}]


@given(
    alerts(),
    st.sampled_from(
        [None, "{{ title }}\n{{ summary | code }} {{ record }} {{ context }}", "{{ event.time | strong }}"]
    ),
    st.sampled_from([SLACK, PLAIN]),
    st.integers(1, 3),
    st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_any_alert_is_put_in_words_that_keep_their_limits(
    alert: Alert, template: str | None, style: Style, count: int, late: bool
) -> None:
    group = Group((alert,) * count, late) if count > 1 or late else None
    for headline, text in ((150, 3000), (60, 160), (50, 0)):
        _words(alert, template, group=group, style=style, headline=headline, text=text)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert(name: str) -> None:
    alert = hostile(ATTACKS[name])
    for group in (None, Group((alert, alert)), Group((alert, alert), late=True)):
        said, _ = _words(alert, group=group)
        assert active(said.headline) is None
        assert active(said.text.replace("\n", " ")) is None


def test_every_channel_that_people_read_can_have_a_template() -> None:
    people = [channel for channel in CHANNELS.values() if issubclass(channel, PeopleChannel)]
    assert people
    for channel in people:
        assert "template" in channel.section.model_fields
