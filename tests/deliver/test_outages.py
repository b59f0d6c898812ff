from stream.alert import Alert
from stream.deliver.channels.sms import text
from stream.deliver.facts import origin
from stream.deliver.outages import State, outage_alert
from stream.deliver.text import cut
from stream.deliver.trail import incident_id, incident_key
from stream.deliver.words import LENGTHS, Style, words
from tests.deliver.alerts import make_alert

PLAIN = Style(cut, cut, cut)
SINCE = 1_772_366_400.0  # 2026-03-01T12:00:00Z


def notice(state: State, channel: str = "soc", since: float = SINCE) -> Alert:
    return outage_alert(channel, state, "unauthorized", since, since + 600)


def test_an_outage_and_its_end_are_two_alerts_of_one_incident() -> None:
    down, recovered = notice("down"), notice("recovered")

    assert down.id != recovered.id
    assert incident_key(down) == incident_key(recovered)
    assert incident_id(down) == incident_id(recovered)


def test_outages_of_other_channels_and_other_times_are_incidents_of_their_own() -> None:
    notices = [notice("down"), notice("down", "pager"), notice("down", since=SINCE + 86_400)]

    assert len({incident_key(each) for each in notices}) == 3
    assert len({each.id for each in notices}) == 3


def test_a_notice_speaks_of_the_channel_and_of_no_account_caller_or_log_file() -> None:
    said = words(notice("down"), None, PLAIN, headline=150, text=2000, failed=lambda _: None)

    assert said.headline == "HIGH: Trailstream can't deliver to soc"
    assert said.text.startswith("The channel soc has taken no alert since 2026-03-01T12:00:00Z (unauthorized).")
    assert "Log file" not in [label for label, _ in origin(notice("down"), PLAIN, LENGTHS[0])]
    assert text(notice("down")) == "HIGH Trailstream can't deliver to soc"


def test_a_record_that_calls_itself_a_notice_still_says_who_did_what() -> None:
    forged = make_alert(event_type="TrailstreamNotice")
    said = words(forged, None, PLAIN, headline=150, text=2000, failed=lambda _: None)

    assert said.text.startswith("StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin")
    assert incident_key(forged) == incident_key(make_alert())
