"""The channels: that their services answer, and, if asked to, that a test alert gets through."""

from collections.abc import AsyncIterator, Mapping

from stream.aws import Aws
from stream.checks.outcome import Outcome
from stream.deliver.channel import Accepted, Answer, Channel, Rejected, Retry
from stream.deliver.channels import build
from stream.detect.sample import sample_alert
from stream.metrics import Metrics
from stream.settings import Section
from stream.variables import PREFIX


async def check_channels(sections: Mapping[type[Section], Section], *, send_test_alert: bool) -> AsyncIterator[Outcome]:
    """Ask every channel that is on for a sign of life; each test alert is one of its own."""
    for channel in build(sections, Aws(Metrics())):
        try:
            if send_test_alert:
                yield _judge(channel, await channel.send(sample_alert()), "took the test alert")
            else:
                yield _judge(channel, await channel.probe(), "answers")
        finally:
            await channel.aclose()


def _judge(channel: Channel, answer: Answer, success: str) -> Outcome:
    check = f"channel {channel.name}"
    if isinstance(answer, Accepted):
        return Outcome(check, "ok", success)
    variables = f"{PREFIX}{channel.name.upper()}_*"
    if isinstance(answer, Retry):
        return Outcome(
            check,
            "FAIL",
            f"not now: {answer.reason}",
            f"Look at {variables}, at the name's resolution and at the way out (HTTPS_PROXY, network policies).",
        )
    if isinstance(answer, Rejected):
        return Outcome(check, "FAIL", f"refuses the alert: {answer.reason}", f"Look at {variables}.")
    return Outcome(
        check, "FAIL", f"out of order: {answer.reason}", f"Look at {variables}: the address or the secret is not right."
    )
