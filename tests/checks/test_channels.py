"""The channels, by a sign of life or by a test alert."""

import re

import pytest

from stream.checks.channels import check_channels, judge
from stream.checks.outcome import Outcome
from stream.configuration import load
from stream.deliver.channel import Answer, Down, Rejected, Retry
from tests.receiver import Receiver


async def check(*, send_test_alert: bool) -> Outcome:
    """The outcome for the one channel that is on."""
    instances = load(need_queue=False, need_channel=True).instances
    (outcome,) = [found async for found in check_channels(instances, send_test_alert=send_test_alert)]
    assert outcome.check == "channel webhook"
    assert outcome.status == "ok" or outcome.fix
    return outcome


@pytest.fixture(autouse=True)
def _webhook(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", f"{receiver.url}/hunter2")


async def test_a_sign_of_life_tells_the_channel_nothing(receiver: Receiver) -> None:
    outcome = await check(send_test_alert=False)

    assert (outcome.status, outcome.evidence) == ("ok", "answers")
    assert all(request.method == "HEAD" and not request.body for request in receiver.requests)


async def test_two_test_alerts_are_not_taken_for_one(receiver: Receiver) -> None:
    for _ in range(2):
        assert (await check(send_test_alert=True)).evidence == "took the test alert"
    first, second = (request.json() for request in receiver.requests)

    assert first["id"] != second["id"]
    assert first["data"]["title"].startswith("TEST: ")


@pytest.mark.parametrize(
    ("status", "evidence"),
    [(500, "not now: server_error"), (400, "refuses the alert: bad_request"), (404, "out of order: not_found")],
)
async def test_a_channel_that_does_not_take_it_fails_with_its_reason_and_no_secret(
    receiver: Receiver, status: int, evidence: str
) -> None:
    receiver.answer(status)
    outcome = await check(send_test_alert=True)

    assert (outcome.status, outcome.evidence) == ("FAIL", evidence)
    assert "TRAILSTREAM_WEBHOOK_*" in (outcome.fix or "")
    assert "hunter2" not in repr(outcome)


async def test_a_channel_where_nobody_listens_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", "http://127.0.0.1:9/hunter2")
    outcome = await check(send_test_alert=False)

    assert (outcome.status, outcome.evidence) == ("FAIL", "not now: connection")


@pytest.mark.parametrize("answer", [Rejected("bad_request"), Down("not_found"), Down("tls"), Retry("other")])
def test_what_to_do_is_said_of_every_answer_in_a_sentence_with_one_end(answer: Answer) -> None:
    (instance,) = load(need_queue=False, need_channel=True).instances
    fix = judge(instance, answer, "answers").fix or ""

    assert re.fullmatch(r"Look at TRAILSTREAM_WEBHOOK_\*.{20,}[^.?][.?]", fix)
