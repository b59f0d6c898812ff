"""The channels: that their services answer, and, if asked to, that a test alert gets through."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from stream.aws import Aws
from stream.checks.outcome import Outcome
from stream.deliver.channel import Accepted, Answer
from stream.deliver.channels import make
from stream.deliver.instances import Instance
from stream.detect.sample import sample_alert
from stream.heartbeat import call, calls
from stream.metrics import Metrics
from stream.settings import Settings


async def check_channels(instances: Iterable[Instance], *, send_test_alert: bool) -> AsyncIterator[Outcome]:
    """Ask every channel that is on for a sign of life; each test alert is one of its own."""
    aws = Aws(Metrics())
    for instance in instances:
        (channel,) = make((instance,), aws)
        try:
            if send_test_alert:
                yield judge(instance, await channel.send(sample_alert()), "took the test alert")
            else:
                yield judge(instance, await channel.probe(), "answers")
        finally:
            await channel.aclose()


async def check_heartbeat(settings: Settings, *, call_it: bool) -> AsyncIterator[Outcome]:
    """Call the address of the dead man's switch, if that is wanted: whoever watches it takes it for a sign of life."""
    if settings.heartbeat_url is None:
        return
    if not call_it:
        yield Outcome("heartbeat", "ok", "configured; --send-test-alert calls it")
        return
    async with calls() as http:
        reason = await call(http, settings.heartbeat_url)
    if reason is None:
        yield Outcome("heartbeat", "ok", "took the call")
    else:
        fix = "Look at TRAILSTREAM_HEARTBEAT_URL and at the way out (HTTPS_PROXY, network policies)."
        yield Outcome("heartbeat", "FAIL", f"the call failed: {reason}", fix)


def judge(instance: Instance, answer: Answer, success: str) -> Outcome:
    """What a channel answered, and what to do about it."""
    check = f"channel {instance.name}"
    if isinstance(answer, Accepted):
        return Outcome(check, "ok", success)
    says = {"retry": "not now", "rejected": "refuses the alert", "down": "out of order"}[answer.outcome]
    fix = f"Look at {instance.where}{_ADVICE.get((answer.outcome, answer.reason), _ANY)}"
    return Outcome(check, "FAIL", f"{says}: {answer.reason}", fix if fix.endswith("?") else f"{fix}.")


_ANY: Final = " and at what the service itself logs of it: it gave no reason"
_ADVICE: Final = {
    ("retry", "timeout"): ", at its TIMEOUT and at the way out (HTTPS_PROXY, network policies, security groups)",
    ("retry", "connection"): ", at the name's resolution and at the way out (HTTPS_PROXY, network policies)",
    ("retry", "throttled"): " and at who else sends there: the service has had too many requests; try again later",
    ("retry", "server_error"): " and at the service's own status page: it has a fault of its own; try again later",
    ("rejected", "bad_request"): ": the service does not understand the request; is the address that of this service?",
    ("rejected", "payload"): " and its TEMPLATE: the service does not take the message as it is",
    ("rejected", "too_large"): " and its TEMPLATE: the message is too large for the service",
    ("down", "unauthorized"): ": the secret is wrong, has expired or was revoked; make a new one",
    ("down", "forbidden"): ": the secret is good, but may not do this; look at its permissions, and at whether it was "
    "let into the channel",
    ("down", "not_found"): ": there is nothing behind this address or name; is it spelt right, and was it deleted?",
    ("down", "gone"): ": what was there has been archived, switched off or deleted",
    ("down", "redirect"): ": the address leads to another, to which no secret is carried; set the other one",
    ("down", "tls"): ", at SSL_CERT_FILE and at any proxy: the certificate can't be verified",
    ("down", "other"): ": the address or the secret is not right",
}
"""What to look at besides the settings, by outcome and reason."""
