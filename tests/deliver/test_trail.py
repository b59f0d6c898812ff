import re

from stream.alert import Resource
from stream.deliver.trail import incident_id, incident_key
from tests.deliver.alerts import TRAIL, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile


def test_incidents_are_kept_apart_by_account_and_trail() -> None:
    other = [make_alert(event_account_id="444455556666"), make_alert("c", resources=()), make_alert("d", resources=())]
    keys = [incident_key(alert) for alert in (make_alert(), *other)]
    assert keys == [f"trailstream/111122223333/{TRAIL}", f"trailstream/444455556666/{TRAIL}", "c", "d"]
    assert len({incident_id(alert) for alert in (make_alert(), *other)}) == 4
    assert all(re.fullmatch(r"[a-z0-9-]{1,100}", incident_id(hostile(text))) for text in ATTACKS.values())


def test_trails_whose_long_names_differ_in_the_last_letter_are_two_incidents() -> None:
    keys = {
        incident_key(make_alert(resources=(Resource("AWS::CloudTrail::Trail", TRAIL + "x" * 500 + end, None),)))
        for end in ("a", "b", "\ud800", "\u202e")
    }
    assert len(keys) == 4
    assert all(len(key) <= 255 and key.isascii() for key in keys)


def test_no_key_is_anything_but_text_to_a_program_that_shows_it() -> None:
    typed = [*ATTACKS.values(), "https://evil.example", "WWW.evil.example", "@channel"]
    keys = [incident_key(hostile(text)) for text in typed]
    assert [key for key in keys if active(key) is not None or not 0 < len(key) <= 255] == []
