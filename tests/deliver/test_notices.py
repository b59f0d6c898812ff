"""What Trailstream tells of itself goes the way of every alert."""

from dataclasses import replace

from stream.deliver.channel import Rejected
from stream.deliver.notices import tell
from stream.deliver.trail import incident_key
from stream.notice import KINDS, Notice, is_notice
from tests.deliver.alerts import make_alert
from tests.deliver.fakes import FakeChannel
from tests.deliver.test_groups import Bench

NOTICE = Notice(
    kind=next(iter(KINDS)),
    event_name="ChannelDown",
    incident="soc 491768",
    state="down",
    severity="high",
    title="Trailstream can't deliver to soc",
    summary="It has taken no alert since noon.",
    time=1_772_366_400.0,
    facts={"channel": "soc"},
)


async def test_a_notice_is_told_once_however_many_find_it() -> None:
    channel = FakeChannel()
    bench = Bench(channel)
    async with bench.dispatcher as dispatcher:
        assert await tell(NOTICE, dispatcher, bench.metrics)
        assert await tell(replace(NOTICE, time=NOTICE.time + 60), dispatcher, bench.metrics)
    assert channel.ids == [NOTICE.alert().id]
    assert bench.value("alerts_total", rule=NOTICE.kind, severity="high") == 2


async def test_whoever_tells_hears_that_a_channel_would_not_take_it() -> None:
    channel = FakeChannel(default=Rejected("bad_request"))
    bench = Bench(channel)
    async with bench.dispatcher as dispatcher:
        assert not await tell(NOTICE, dispatcher, bench.metrics)
    assert bench.value("errors_total", stage="deliver", reason="rejected") == 1


def test_the_alerts_of_one_incident_differ_by_their_state_and_share_their_event() -> None:
    down, up = NOTICE.alert(), replace(NOTICE, state="recovered", time=NOTICE.time + 60).alert()

    assert down.id != up.id
    assert incident_key(down) == incident_key(up)
    assert down.record["channel"] == "soc"
    assert is_notice(down)
    assert not is_notice(make_alert(event_type=down.event.type)), "a record may call itself anything"
