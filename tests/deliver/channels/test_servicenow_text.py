import json
import re

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change
from stream.deliver.channels.servicenow_text import STYLE, event, incident, note
from stream.deliver.group import Group
from stream.deliver.text import CUT
from stream.deliver.words import Words, words
from tests.deliver.alerts import TRAIL, alerts, make_alert


def test_no_html_comes_out_of_code_tags() -> None:
    attack = make_alert(title="[code]<b>x</b>[/code] [CODE]", actor_user_agent="[code]")
    said = incident(attack, None, words_of(attack), minimal=False)
    assert all(not re.search(r"(?i)\[/?code", text) for text in said.values())
    assert "code" in said["short_description"]


def test_the_event_of_late_alerts_of_several_kinds_has_no_facts_of_one_of_them() -> None:
    worst, tagged = make_alert("a"), make_alert("b", severity="low", event_name="AddTags", actor_name="carol")
    (made,) = event(worst, Group((worst, tagged), late=True), words_of(worst), {}, minimal=False)["records"]
    assert made["type"] == "several"
    assert made.keys().isdisjoint({"metric_name", "time_of_event"})
    assert json.loads(made["additional_info"]) == {"alert_ids": "a, b", "count": "2", "severity": "critical"}
    (alike,) = event(worst, Group((worst, worst), late=True), words_of(worst), {}, minimal=False)["records"]
    assert (alike["type"], alike["metric_name"]) == ("StopLogging", "ct-013")


def words_of(alert: Alert) -> Words:
    return words(alert, None, STYLE, headline=160, text=1400, failed=pytest.fail)


@given(alerts())
@settings(max_examples=10, deadline=None)
def test_any_alert_keeps_within_the_limits(alert: Alert) -> None:
    said = words_of(alert)
    for minimal in (False, True):
        made = incident(alert, None, said, minimal=minimal)
        (sent,) = event(alert, None, said, {}, minimal=minimal)["records"]
        assert 0 < len(made["short_description"]) <= 160
        for text in (made["description"], note(alert, None, said, minimal=minimal), sent["description"]):
            assert len(text) <= 4000
            assert f"Alert id: {alert.id}" in text.splitlines()
        assert len(sent.get("additional_info", "")) <= 4000


def test_the_longest_texts_are_cut_and_no_id_is() -> None:
    alert = make_alert(
        event_error_message="long " * 100_000,
        changes=tuple(Change(f"field{n}", "😀" * 5000, "😀" * 5000) for n in range(30)),
    )
    text = incident(alert, None, words_of(alert), minimal=False)["description"]
    assert CUT in text
    assert " more changes" in text
    log_file = alert.log_file
    assert log_file is not None
    for whole in (TRAIL, alert.actor.arn, alert.actor.access_key_id, alert.event.id, log_file.key):
        assert whole is not None
        assert whole in text
